"""How every compiled function of the package is compiled, and where its machine code is kept.

There are four decorators. A *cached* function is called from Python; its machine code is kept on disk.
An *inner* one is called by compiled functions alone and becomes part of them.

numba keeps machine code by the file of the cached function, and does not see that a function of another
file, which became part of it, has changed. So a compiled function may call those of its own file and of
this folder, and no others (tests/kernels holds it), and the cache's folder is named by a digest of this
folder: an edit here compiles everything again, an edit elsewhere the functions of that file.

The folder is numba's for these functions only, whoever imports them: a verb, a test, a notebook.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core import config as _numba_config

from interference.provenance import PACKAGE, code_digest

config: Any = _numba_config  # its settings are made when it is loaded
#: Division by zero gives inf or nan, as in numpy, and the interpreter's lock is not held.
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
_HERE = Path(__file__).parent


def cache_folder() -> Path:
    """Where machine code is kept: below NUMBA_CACHE_DIR where that is set (verbs drop it), else
    beside this file, else, where the package cannot be written, in the user's folder of caches.

    Its name is a digest of what every compiled function may be made of.
    """
    modules = sorted(f"{PACKAGE}.kernels.{path.stem}" for path in _HERE.glob("[!_]*.py"))
    digest = code_digest(tuple(modules))
    if config.CACHE_DIR:
        return Path(config.CACHE_DIR, digest)
    beside = _HERE / "__pycache__" / digest
    try:
        beside.mkdir(parents=True, exist_ok=True)
    except OSError:
        pass
    else:
        if os.access(beside, os.W_OK | os.X_OK):
            return beside
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(caches, PACKAGE, digest)


_FOLDER = str(cache_folder())


def _cached(**options: Any) -> Callable:
    """A decorator that compiles with these options and keeps the machine code in `_FOLDER`."""

    def decorate(function: Callable) -> Callable:
        others, config.CACHE_DIR = config.CACHE_DIR, _FOLDER  # numba reads it when it decorates
        try:
            return numba.njit(cache=True, **options)(function)
        finally:
            config.CACHE_DIR = others

    return decorate


#: Sums keep their order and products are rounded by themselves, so that every bit follows from the
#: source alone: a compiler that may reorder a sum does not always reorder alike. All of the SAEs.
cached, inner = _cached(**_OPTIONS), numba.njit(**_OPTIONS)
#: With `fastmath`: where nothing is rounded (comparisons), and in the toy models' step, whose sums run
#: over fixed tiles, and whose loops over samples the compiler would not vectorise otherwise.
fast_cached, fast_inner = (
    _cached(fastmath=True, **_OPTIONS),
    numba.njit(fastmath=True, **_OPTIONS),
)
