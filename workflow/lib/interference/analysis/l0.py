"""How many latents wake up under attack, image by image.

A latent is active where its activation, which carries its decoder norm, exceeds its threshold: 0
for ReLU, what was learned for JumpReLU and Gated, the frozen training threshold for BatchTopK and
for TopK, whose own count is k by construction. An image's L0 is the mean over its positions.
"""

from pathlib import Path

import numba
import numpy as np

from interference import progress
from interference.saes.dictionary import Dictionary, unstack
from interference.store.arrays import open_array
from interference.store.files import StoreError, read_json
from interference.store.tables import write_table
from interference.store.tensors import read_described


@numba.njit(cache=True, nogil=True)
def _count(pre, bias, threshold, clean, is_clean, active, woken):
    for r in range(pre.shape[0]):
        for i in range(pre.shape[1]):
            on = pre[r, i] + bias[i] > threshold[i]
            if is_clean:
                clean[r, i] = on
            if on:
                active[r] += 1
                if not clean[r, i]:
                    woken[r] += 1


def count_active(
    dictionary: Dictionary, x: np.ndarray, conditions: int
) -> tuple[np.ndarray, np.ndarray]:
    """L0 of each image under each condition, and how many of these latents are newly active.

    x: (conditions × images, positions, d) float32, the clean condition first.
    Returns l0 and woken, (conditions, images) float64: means over positions. Woken latents are
    active now and were not at the same position of the clean image.
    """
    images, positions = len(x) // conditions, x.shape[1]
    counts = np.zeros((2, conditions, images * positions), np.int64)
    clean = np.zeros((images * positions, len(dictionary.b_enc)), np.bool_)
    threshold = np.zeros(dictionary.b_enc.shape, np.float32) + np.float32(dictionary.threshold)
    for c in range(conditions):
        rows = x[c * images : (c + 1) * images].reshape(images * positions, -1)
        pre = rows @ dictionary.w_enc.T
        _count(pre, dictionary.b_enc, threshold, clean, c == 0, counts[0, c], counts[1, c])
    l0, woken = counts.reshape(2, conditions, images, positions).mean(3)
    return l0, woken


def measure(spec: dict, manifests: list[Path], output: Path) -> None:
    """The job: one row a (layer, type, member, condition, image) of one network.

    manifests: of the attacked activations of its layers and of the SAEs on them, in any order.
    Raises StoreError where one is of another network, or SAEs have no activations.
    """
    attacked, sweeps = {}, []
    for path in manifests:
        manifest = read_json(path)
        made = manifest["spec"]
        if made["model"] != spec["model"]:
            raise StoreError(f"{path}: model is {made['model']}, the job is about {spec['model']}")
        if "conditions" in manifest:
            attacked[manifest["layer"]] = path
        else:
            sweeps.append((made["layer"], path))
    for layer, path in sweeps:
        if layer not in attacked:
            raise StoreError(f"{path}: no attacked activations of {layer} were given")
    columns: dict[str, list[np.ndarray]] = {}
    for layer, path in progress.track(sorted(sweeps), total=len(sweeps), label="sweeps"):
        for name, values in _sweep(path, attacked[layer]).items():
            columns.setdefault(name, []).append(values)
    write_table(
        output, {**spec["model"], **{k: np.concatenate(v) for k, v in columns.items()}}, spec
    )


def _sweep(sae: Path, attacked: Path) -> dict[str, np.ndarray]:
    """The rows of one sweep: its members one after the other. sae, attacked: manifests."""
    arrays, fitted = read_described(sae)
    manifest = read_json(attacked)
    x = open_array(attacked.with_suffix(".zarr"), manifest["array"])[:]
    conditions = manifest["conditions"]
    images, members = len(x) // len(conditions), fitted["members"]
    counted = [count_active(dictionary, x, len(conditions)) for dictionary in unstack(arrays)]
    l0, woken = (np.concatenate([found.ravel() for found in both]) for both in zip(*counted))
    rows = len(conditions) * images
    return {
        "layer": np.full(len(l0), fitted["spec"]["layer"]),
        "type": np.full(len(l0), fitted["spec"]["type"]),
        "attack": np.tile(np.repeat([c["attack"] for c in conditions], images), len(members)),
        "epsilon": np.tile(np.repeat([c["epsilon"] for c in conditions], images), len(members)),
        "image": np.tile(np.arange(images), len(members) * len(conditions)),
        "sparsity": np.repeat([member["sparsity"] for member in members], rows),
        "sae_seed": np.repeat([member["sae_seed"] for member in members], rows),
        "l0": l0,
        "woken": woken,
    }
