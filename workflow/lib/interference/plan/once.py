"""Remember what a method returned: many jobs have one upstream, whose spec is made once."""

from collections.abc import Callable
from functools import wraps


def once(method: Callable) -> Callable:
    """A method whose result is kept with its object, by the arguments."""

    @wraps(method)
    def remembered(self: object, *which: object, **names: object) -> object:
        kept = vars(self).setdefault("_remembered", {})
        key = (method.__name__, which, tuple(sorted(names.items())))
        if key not in kept:
            kept[key] = method(self, *which, **names)
        return kept[key]

    return remembered
