"""Weights as safetensors, with the spec inside. Only numpy: readers need no torch."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from interference.store.files import StoreError, replacing


def write_tensors(path: Path, tensors: Mapping[str, np.ndarray], spec: dict) -> None:
    """Write named arrays and their spec, atomically."""
    contiguous = {name: np.ascontiguousarray(tensors[name]) for name in sorted(tensors)}
    with replacing(path) as temporary:
        save_file(contiguous, temporary, metadata={"spec": json.dumps(spec, sort_keys=True)})


def read_tensors(path: Path) -> tuple[dict[str, np.ndarray], dict]:
    """Read (named arrays, spec); StoreError where the file is missing or damaged."""
    try:
        with safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return arrays, json.loads(file.metadata()["spec"])
    except FileNotFoundError:
        raise StoreError(f"{path} is missing; run snakemake to make it") from None
    except (SafetensorError, TypeError, KeyError) as error:
        raise StoreError(f"{path} is damaged ({error}); remove it and run snakemake") from None
