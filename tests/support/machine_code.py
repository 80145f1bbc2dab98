"""One cache of machine code for all workers of a test run and all copies of the workflow.

Compiling is 100 CPU seconds of a test run in a new clone: nothing is compiled twice.
"""

from pathlib import Path
from typing import Any

from numba.core.caching import _CacheLocator
from numba.core.dispatcher import Dispatcher

from interference.kernels.compile import cache_folder
from interference.provenance import ROOT
from tests.support.waiting import locked

#: Where this clone keeps it.
OURS = cache_folder()


def compile_in_turn() -> None:
    """Let this process wait for another that compiles the same function, and load what that made."""
    compile_now = Dispatcher.compile

    def compile_or_load(self: Any, sig: object) -> object:
        if not (folder := self._cache.cache_path):
            return compile_now(self, sig)
        Path(folder).mkdir(parents=True, exist_ok=True)
        with locked(Path(folder, f"{self.py_func.__qualname__}.lock")):
            return compile_now(self, sig)

    Dispatcher.compile = compile_or_load


def share(package: Path) -> None:
    """Let a copy of the package keep its machine code where this clone's is, which numba names by the
    folder of the source; of which code it is stands in it."""
    copys = package / "kernels" / "__pycache__" / OURS.name
    copys.mkdir(parents=True, exist_ok=True)
    for folder in {path.parent.relative_to(package) for path in package.rglob("*.py")}:
        kept = OURS / _CacheLocator.get_suitable_cache_subpath(ROOT / folder / "_.py")
        kept.mkdir(parents=True, exist_ok=True)
        link = copys / _CacheLocator.get_suitable_cache_subpath(package / folder / "_.py")
        link.symlink_to(kept, target_is_directory=True)
