"""Read a checkpoint without running anything that it names.

A torch checkpoint is a pickle, and a pickle can name any function to call. Torch's own unpickler for
weights admits tensors and containers, and MadryLab's files, written with dill, name nothing else; a
trainer may have kept an accuracy as a numpy number, which a function of ours reads. Whatever else a
file names, it is refused by that name.
"""

import pickle
import re
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch.serialization import safe_globals

from interference.models.hub import CheckpointError


def _number(dtype: np.dtype, value: bytes | str) -> np.generic:
    """What pickles of numpy numbers call, for numbers alone: numpy's own takes objects too."""
    if dtype.kind not in "biuf":
        raise pickle.UnpicklingError(f"a numpy value of type {dtype}")
    raw = value.encode("latin1") if isinstance(value, str) else value
    return np.frombuffer(raw, dtype, count=1)[0]


#: By the names from before numpy 2 and since, and the types that such a pickle builds.
_ADMITTED = [
    *((_number, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
    np.dtype,
    *(type(np.dtype(name)) for name in ("bool", "i4", "i8", "u1", "f2", "f4", "f8")),
]


def read(path: Path) -> object:
    """What a .safetensors file or a torch checkpoint, of any format, holds, on the CPU.

    Raises CheckpointError where it is damaged, or names anything but tensors, containers and numbers.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with safe_globals(_ADMITTED):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL (\S+)", str(error))
        if named is None:
            raise _damaged(path, error) from None
        raise CheckpointError(
            f"{path} names {named[1]}, which is no part of weights: it was not loaded and nothing ran. "
            "If you trust whoever made it, load it with the program that did and save its state dict "
            "alone: torch.save(model.state_dict(), FILE)"
        ) from None
    except (SafetensorError, RuntimeError, EOFError, OSError, ValueError, LookupError, TypeError,
            AttributeError) as error:  # fmt: skip
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> CheckpointError:
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return CheckpointError(
        f"{path} ({path.stat().st_size:,} bytes) is no checkpoint, or a damaged one ({first[:200]}); "
        "fetch it again"
    )
