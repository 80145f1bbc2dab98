"""Attacks between MLPs: what the attack on each does to every other, beside how alike the two are."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from interference.analysis.frames import read_frames
from interference.analysis.mlps import alive

#: Columns that name an MLP of most classes.
NETWORK = ["width", "epsilon", "seed"]
NAMES = ["source", "target", *(f"{side}_{name}" for side in ("source", "target") for name in NETWORK),
         "alive", "alike", "agreement", "noise", "own", "success", "images", "latents", "cka",
         "matched", "interference"]  # fmt: skip


def build(spec: dict, overlaps: Sequence[Path], counts: Sequence[Path]) -> pd.DataFrame:
    """One row per (source, target), two MLPs of most classes.

    alive: whether both still tell classes apart. alike: whether both have as many hidden units and the same
    training epsilon, so that only their seeds differ.

    overlaps: one row per (source, target); counts: one row per (classes, width, seed, epsilon, images).
    """
    rows, counted = read_frames(overlaps), read_frames(counts)
    of_most = counted[counted["classes"] == counted["classes"].max()]
    clean = of_most.assign(alive=alive(of_most)).query("images == 'clean'")
    living = clean.set_index(NETWORK)["alive"]
    rows["alive"] = True
    for side in ("source", "target"):
        who = [*zip(*(rows[f"{side}_{name}"] for name in NETWORK))]
        rows[side] = [f"h{width}-{epsilon:g}-s{seed}" for width, epsilon, seed in who]
        rows["alive"] &= living.reindex(who).to_numpy(dtype=bool)
    rows["alike"] = True
    for name in ("width", "epsilon"):
        rows["alike"] &= rows[f"source_{name}"] == rows[f"target_{name}"]
    return rows[NAMES]
