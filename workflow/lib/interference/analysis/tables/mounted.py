"""Bottlenecks on frozen networks: what a network trained against attacks changes, and through which term."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from interference.analysis.flips import GAINS, MEANS, OF_FEATURES, means
from interference.analysis.frames import MODEL, read_frames

#: What networks and bottlenecks are compared within: a gain is over the clean network of the same.
SAME = ["regime", "decoder", "dose", "seed"]


def build(spec: dict, flips: Sequence[Path], features: Sequence[Path]) -> pd.DataFrame:
    """One row per (model, regime, decoder, dose): the seed of the canvases is the network's.

    pairs, MEANS: how many pairs are right at all doses on all networks of the seed, and means over them.
    OF_FEATURES: means over features.
    GAINS: of the terms over the clean network's of the seed at the same dose; NaN without one.

    flips: one row per (model, dose, pair, region). features: one row per (model, dose, feature).
    """
    named, per_feature = (_named(read_frames(paths)) for paths in (flips, features))
    keys = [*SAME[:2], "seed", "network"]
    table = means(named, per_feature, keys)
    table = table.merge(named[[*keys, *MODEL, "dose"]].drop_duplicates(), on=keys)
    clean = table[table["model_norm"] == "clean"].drop_duplicates(SAME).set_index(SAME)
    own = table.set_index(SAME)
    for gain, term in GAINS.items():
        table[gain] = (own[term] - clean[term].reindex(own.index)).to_numpy()
    order = ["regime", "model_norm", "model_epsilon", "dose", "seed"]
    table = table.sort_values(order, ignore_index=True)
    return table[[*MODEL, *SAME, "pairs", *OF_FEATURES, *MEANS, *GAINS]]


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows, their networks told apart by what they are mounted on."""
    return frame.assign(network=frame["model"] + "-" + frame["network"])
