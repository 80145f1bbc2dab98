"""Superposition and robustness over the dose, of networks on canvases."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from interference.analysis.flips import MEANS, NETWORK, OF_FEATURES, means
from interference.analysis.frames import read_frames


def build(spec: dict, flips: Sequence[Path], features: Sequence[Path]) -> pd.DataFrame:
    """One row per (family, regime, decoder, network, seed).

    pairs, MEANS: how many pairs are right in all networks of the family and seed, and means over them.
    OF_FEATURES: means over the features that the network reads.

    flips: one row per (network, pair, region). features: one row per (network, feature).
    """
    named = read_frames(flips)
    keys = [*NETWORK[:4], "network"]
    table = means(named, read_frames(features), keys)
    table = table.merge(named[NETWORK].drop_duplicates(), on=keys)
    table = table.sort_values(["family", "regime", "dose", "network", "seed"], ignore_index=True)
    return table[[*NETWORK, "pairs", *OF_FEATURES, *MEANS]]
