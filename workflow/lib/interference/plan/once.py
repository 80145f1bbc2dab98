"""Results of methods, kept: many jobs share one upstream job, whose spec is made once."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

Owner = TypeVar("Owner")
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def once(
    method: Callable[Concatenate[Owner, Arguments], Result],
) -> Callable[Concatenate[Owner, Arguments], Result]:
    """A method that runs once per arguments; its results are kept with its object."""

    @wraps(method)
    def remembered(self: Owner, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        results = vars(self).setdefault("_results", {})
        key = (method.__name__, args, tuple(sorted(kwargs.items())))
        if key not in results:
            results[key] = method(self, *args, **kwargs)
        return results[key]

    return remembered
