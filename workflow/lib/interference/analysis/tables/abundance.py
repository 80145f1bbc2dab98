"""Effective features of MLPs over classes, hidden units and training epsilon."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from interference.analysis.frames import read_frames
from interference.analysis.mlps import NETWORK, alive, gain

COUNTS = ["features", "units"]


def build(spec: dict, counts: Sequence[Path]) -> pd.DataFrame:
    """One row per (classes, width, seed, training epsilon): an MLP, and what its counts come to.

    A gain is what a line through change over epsilon, clean and attacked rows together, adds from 0 to
    the largest epsilon: the source's normalised slope times that epsilon. The same number stands in all
    rows of a network's classes, width and seed, as does the accuracy on clean images that is lost from
    epsilon 0 to the largest.

    counts: one row per (classes, width, seed, epsilon, images).
    """
    rows = read_frames(counts)
    clean = rows[rows["epsilon"] == 0].set_index(NETWORK)
    for name in COUNTS:
        before = clean[name].reindex(pd.MultiIndex.from_frame(rows[NETWORK]))
        rows[f"{name}_change"] = rows[name] / before.where(before > 0).to_numpy() - 1
    rows["alive"] = alive(rows)
    gains = [{**dict(zip(NETWORK, key)), **_gains(own)} for key, own in rows.groupby(NETWORK)]
    table = _beside(rows).merge(pd.DataFrame(gains), on=NETWORK)
    return table.sort_values([*NETWORK, "epsilon"], ignore_index=True)


def _beside(rows: pd.DataFrame) -> pd.DataFrame:
    """What is counted on clean images, and on attacked ones beside it."""
    clean, attacked = (rows[rows["images"] == kind] for kind in ("clean", "attacked"))
    key = [*NETWORK, "epsilon"]
    attacked = attacked.set_index(key)[["accuracy", *COUNTS]]
    renamed = {"accuracy": "robust", **{name: f"{name}_attacked" for name in COUNTS}}
    table = clean.assign(psi=clean["features"] / clean["width"])
    names = [*key, "accuracy", "alive", *COUNTS, "psi", "fvu", "l0", "features_change"]
    return table[names].join(attacked.rename(columns=renamed), on=key)


def _gains(own: pd.DataFrame) -> dict[str, float]:
    """Of one network's classes, width and seed, over all its epsilons."""
    furthest, living = own["epsilon"].max(), own[own["alive"]]
    clean = own[own["images"] == "clean"].set_index("epsilon")["accuracy"]
    added, units_added = (gain(own, f"{name}_change", furthest) for name in COUNTS)
    return {
        "gain": added,
        "gain_alive": gain(living, "features_change", furthest),
        "unit_gain": units_added,
        "gain_beyond": added - units_added,
        "accuracy_lost": clean[0.0] - clean[furthest],
    }
