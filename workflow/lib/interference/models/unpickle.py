"""Read a checkpoint without running anything that it names.

A torch checkpoint is a pickle, and a pickle can name any function to call. Torch's own unpickler
for weights admits tensors and containers, and MadryLab's files, written with dill, name nothing
else; a trainer may have kept an accuracy as a numpy number, which `_number` reads. A file that names
anything else is refused.
"""

import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch.serialization import safe_globals

from interference.models.hub import CheckpointError


def _number(dtype: np.dtype, value: bytes | str) -> np.generic:
    """Stand in for the function that pickles of numpy numbers call; numpy's takes objects too."""
    if dtype.kind not in "biuf":
        raise pickle.UnpicklingError(f"a numpy value of type {dtype}")
    raw = value.encode("latin1") if isinstance(value, str) else value
    return np.frombuffer(raw, dtype, count=1)[0]


#: Functions and types that such a pickle names, before numpy 2 and since.
_ADMITTED: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    *((_number, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
    np.dtype,
    *(type(np.dtype(name)) for name in ("bool", "i4", "i8", "u1", "f2", "f4", "f8")),
]


#: First bytes of files that are no checkpoints → what they are, and the mend.
_OTHERS = {
    b"version https://git-lfs": (
        "Git LFS's pointer to a file",
        "get the file itself: git lfs pull",
    ),
    b"<": ("a web page", "download the file itself; a page to log in may have come in its place"),
    b"{": ("JSON", "name the file that holds the weights"),
    b"\x89HDF": ("HDF5, of another library", "save a state dict with torch.save"),
    **dict.fromkeys(
        (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd"),
        ("compressed", "unpack it, and name what was in it"),
    ),
}
#: Ends of names in zip archives that are no checkpoints → the same.
_ARCHIVES = {
    "/constants.pkl": (
        "a TorchScript archive, which holds code: nothing of it ran",
        "if you trust it, save its weights alone: "
        "torch.save(torch.jit.load(FILE, map_location='cpu').state_dict(), OTHER)",
    ),
    "/archive_format": (
        "a program of torch.export, which holds code: nothing of it ran",
        "if you trust it, save its weights alone: "
        "torch.save(dict(torch.export.load(FILE).state_dict), OTHER)",
    ),
    ".npy": ("numpy's", "save a state dict with torch.save"),
}


def read(path: Path) -> object:
    """Read a safetensors file or a torch checkpoint, of any format and name, to the CPU.

    Raises CheckpointError where it is damaged, is something else, or names anything but tensors,
    containers and numbers.
    """
    try:
        if _is_safetensors(path):
            return load_file(path)
        with path.open("rb") as file, safe_globals(_ADMITTED):  # torch would go by the file's name
            return torch.load(file, map_location="cpu", weights_only=True)
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


def _is_safetensors(path: Path) -> bool:
    """Return whether a file begins with the length of a header, and the header."""
    with path.open("rb") as file:
        length, brace = int.from_bytes(file.read(8), "little"), file.read(1)
    return brace == b"{" and length <= path.stat().st_size - 8


def _damaged(path: Path, error: Exception) -> CheckpointError:
    what = f"{path} ({path.stat().st_size:,} bytes) is"
    other = _other(path)
    if other is not None:
        return CheckpointError(f"{what} no checkpoint of weights, but {other[0]}; {other[1]}")
    first = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    # torch's own advice here is to load it all the same, and run what it names
    why = "" if "weights_only" in first else f" ({first})"
    return CheckpointError(f"{what} no checkpoint, or a damaged one{why}; fetch it again")


def _other(path: Path) -> tuple[str, str] | None:
    """Return what a file that is no checkpoint is, and the mend; None where it is not known."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        for end, other in _ARCHIVES.items():
            if any(name.endswith(end) for name in names):
                return other
        if not any(name.endswith("data.pkl") for name in names):
            return "an archive of other files", "unpack it, and name the one that holds the weights"
        return None
    with path.open("rb") as file:
        start = file.read(32).lstrip()
    return next((other for first, other in _OTHERS.items() if start.startswith(first)), None)
