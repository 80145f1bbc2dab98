"""MLPs over training epsilon: how much each hidden unit and each latent is about one thing."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from interference.analysis.frames import read_frames
from interference.analysis.mlps import NETWORK, alive, gain

#: Kinds of features → what their columns begin with.
FEATURES = {"units": "unit", "latents": "latent"}
PROXIES = ("selectivity", "coherence")
COLUMNS = ["living", "active", *(f"{proxy}{end}" for proxy in PROXIES for end in ("", "_random"))]
KEY = [*NETWORK, "epsilon"]


def build(spec: dict, counts: Sequence[Path], meanings: Sequence[Path]) -> pd.DataFrame:
    """One row per (classes, width, seed, training epsilon, features): an MLP's units, or its SAE's latents.

    A gain is what a line through a proxy over epsilon adds from 0 to the largest epsilon, among networks that
    still tell classes apart; ``_beyond``, of the proxy less that of random directions as sparse. The same
    number stands in all rows of a network's classes, width, seed and kind of features.

    counts: one row per (classes, width, seed, epsilon, images); meanings: per (classes, width, seed,
    epsilon).
    """
    counted = read_frames(counts)
    living = counted.assign(alive=alive(counted)).query("images == 'clean'").set_index(KEY)["alive"]
    found = read_frames(meanings).set_index(KEY)
    parts = []
    for features, prefix in FEATURES.items():
        own = found[[f"{prefix}_{name}" for name in COLUMNS]]
        own.columns = pd.Index(COLUMNS)
        parts.append(own.assign(features=features, alive=living).reset_index())
    rows = pd.concat(parts, ignore_index=True)
    for proxy in PROXIES:
        rows[f"{proxy}_beyond"] = rows[proxy] - rows[f"{proxy}_random"]
    by = [*NETWORK, "features"]
    furthest = rows["epsilon"].max()
    gains = [
        {**dict(zip(by, key)), **_gains(own[own["alive"]], furthest)}
        for key, own in rows.groupby(by)
    ]
    names = [*KEY, "features", "alive", *COLUMNS]
    table = rows[names].merge(pd.DataFrame(gains), on=by)
    return table.sort_values([*by, "epsilon"], ignore_index=True)


def _gains(own: pd.DataFrame, furthest: float) -> dict[str, float]:
    """Of one kind of features of one network's classes, width and seed, over epsilons."""
    found = {}
    for proxy in PROXIES:
        found[f"{proxy}_gain"] = gain(own, proxy, furthest)
        found[f"{proxy}_gain_beyond"] = gain(own, f"{proxy}_beyond", furthest)
    return found
