"""Weights as safetensors, with the spec inside. Only numpy: readers need no torch."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from interference.store.files import StoreError, read_json, replacing, sha256


def write_tensors(path: Path, tensors: Mapping[str, np.ndarray], spec: dict) -> None:
    """Write named arrays and their spec, atomically."""
    contiguous = {name: np.asarray(tensors[name], order="C") for name in sorted(tensors)}
    with replacing(path) as temporary:
        # save_file hides a full disk in an error of its own
        temporary.write_bytes(save(contiguous, {"spec": json.dumps(spec, sort_keys=True)}))


def read_tensors(path: Path) -> tuple[dict[str, np.ndarray], dict]:
    """Read (named arrays, spec). Raises StoreError where the file is missing or damaged."""
    try:
        with safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return arrays, json.loads(file.metadata()["spec"])
    except FileNotFoundError:
        raise StoreError(f"{path} is missing; run snakemake to make it") from None
    except (SafetensorError, TypeError, KeyError, ValueError) as error:
        raise StoreError(f"{path} is damaged ({error}); remove it and run snakemake") from None


def read_described(manifest: Path) -> tuple[dict[str, np.ndarray], dict]:
    """Read (the arrays beside a manifest, the manifest).

    Raises StoreError where either is missing or damaged, or the arrays have another SHA-256.
    """
    description, weights = read_json(manifest), Path(manifest).with_suffix(".safetensors")
    arrays, _ = read_tensors(weights)
    if sha256(weights) != description["sha256"]:
        raise StoreError(
            f"{weights} is not what {Path(manifest).name} describes; remove both and run snakemake"
        )
    return arrays, description


def write_kept(path: Path, arrays: Mapping[str, np.ndarray], identity: object) -> None:
    """Keep finished work in a hidden file, with all that determines it and a digest of the arrays."""
    write_tensors(path, arrays, {"identity": identity, "sha256": _digest(arrays)})


def read_kept(path: Path, identity: object) -> dict[str, np.ndarray] | None:
    """Read what `write_kept` wrote, None where there is no file. Raises StoreError on damage."""
    if not path.exists():
        return None
    arrays, content = read_tensors(path)
    if content != {"identity": identity, "sha256": _digest(arrays)}:
        raise StoreError(f"{path} is damaged; remove it and run snakemake")
    return arrays


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    """Return the SHA-256 of named arrays, of their types and shapes, whatever their order."""
    sha = hashlib.sha256()
    for name in sorted(arrays):
        array = np.asarray(arrays[name], order="C")
        sha.update(f"{name} {array.dtype} {array.shape}".encode())
        sha.update(array.data)
    return sha.hexdigest()
