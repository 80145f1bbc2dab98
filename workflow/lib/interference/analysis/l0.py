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
from interference.store.files import read_json
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


def measure(spec: dict, sae: Path, attacked: Path, output: Path) -> None:
    """The job: one row a (member, condition, image). sae, attacked: manifests."""
    arrays, fitted = read_described(sae)
    members = fitted["members"]
    manifest = read_json(attacked)
    x = open_array(attacked.with_suffix(".zarr"), manifest["array"])[:]
    conditions = manifest["conditions"]
    images = len(x) // len(conditions)
    columns: dict[str, list] = {name: [] for name in ("sparsity", "sae_seed", "l0", "woken")}
    pairs = list(zip(members, unstack(arrays), strict=True))
    for member, dictionary in progress.track(pairs, total=len(pairs), label="members"):
        l0, woken = count_active(dictionary, x, len(conditions))
        columns["l0"].append(l0.ravel())
        columns["woken"].append(woken.ravel())
        for name in ("sparsity", "sae_seed"):
            columns[name].append(np.full(l0.size, member[name]))
    attack = np.repeat([c["attack"] for c in conditions], images)
    epsilon = np.repeat([c["epsilon"] for c in conditions], images)
    write_table(
        output,
        {
            **spec["model"],
            "layer": spec["layer"],
            "type": spec["type"],
            "attack": np.tile(attack, len(members)),
            "epsilon": np.tile(epsilon, len(members)),
            "image": np.tile(np.arange(images), len(members) * len(conditions)),
            **{name: np.concatenate(values) for name, values in columns.items()},
        },
    )
