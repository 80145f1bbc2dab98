"""Torchvision, imported without torch's compiler.

`torchvision.ops.roi_align` takes one predicate from `torch._dynamo.utils`, and with it imports all
of torch's compiler: 1.4 of the 1.5 CPU seconds that torchvision takes, in every job that has a
network. Nothing here calls that operator, so the predicate is looked up when it is first called.
"""

import sys
from importlib import import_module
from types import ModuleType

#: The module that torchvision imports, and the only name that it takes from it.
COMPILER, PREDICATE = "torch._dynamo.utils", "is_compile_supported"


def _is_compile_supported(device_type: str) -> bool:
    return getattr(import_module(COMPILER), PREDICATE)(device_type)


def load() -> ModuleType:
    """Import torchvision; the compiler is imported by whoever asks for it later.

    A torchvision that takes more of the compiler than this predicate gets the compiler itself.
    """
    if COMPILER not in sys.modules and "torchvision" not in sys.modules:
        stand_in = ModuleType(COMPILER)
        setattr(stand_in, PREDICATE, _is_compile_supported)
        sys.modules[COMPILER] = stand_in
        try:
            return import_module("torchvision")
        except (ImportError, AttributeError):
            for name in [n for n in sys.modules if n.split(".")[0] == "torchvision"]:
                del sys.modules[name]
        finally:
            del sys.modules[COMPILER]
    return import_module("torchvision")


torchvision = load()
