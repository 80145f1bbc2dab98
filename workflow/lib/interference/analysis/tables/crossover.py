"""Doses within a network: each feature in a block of each dose once, over as many networks."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from interference.analysis.flips import MEANS, OF_FEATURES, means
from interference.analysis.frames import read_frames


def build(spec: dict, flips: Sequence[Path], features: Sequence[Path]) -> pd.DataFrame:
    """One row per (regime, decoder, dose, seed), the dose being that of a feature's block.

    pairs, MEANS: how often a pair that all networks have right is in a block of the dose, and means over
    these: the same pairs at every dose. OF_FEATURES: means over the features.

    flips: one row per (network, pair, region). features: one row per (network, feature).
    """
    by = ["regime", "decoder", "block_dose", "seed"]
    table = means(read_frames(flips), read_frames(features), by)
    return table[[*by, "pairs", *OF_FEATURES, *MEANS]].rename(columns={"block_dose": "dose"})
