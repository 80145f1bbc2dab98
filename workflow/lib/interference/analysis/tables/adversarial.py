"""What adversarial training buys on canvases, and through which term of the least change."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from interference.analysis.flips import GAINS, MEANS, OF_FEATURES, means
from interference.analysis.frames import read_frames


def build(spec: dict, flips: Sequence[Path], features: Sequence[Path]) -> pd.DataFrame:
    """One row per (regime, decoder, attacked, epsilon, seed): the clean network, and those attacked in
    training in all cells, the feature's own or all others.

    gain_full, gain_own, gain_interference: mean log r_full, log r_own and their difference, less the
        clean network's; the first is the sum of the others.

    flips: one row per (network, pair, region). features: one row per (network, feature).
    """
    per_feature = read_frames(features)
    keys = ["regime", "decoder", "seed", "network"]
    table = means(read_frames(flips), per_feature, keys)
    training = per_feature[[*keys, "attacked", "epsilon", "dose"]].drop_duplicates()
    table = table.merge(training, on=keys)
    clean = table[table["attacked"] == ""].set_index(keys[:3])
    own = table.set_index(keys[:3])
    for gain, term in GAINS.items():
        table[gain] = (own[term] - clean[term].reindex(own.index)).to_numpy()
    table = table.sort_values(["regime", "attacked", "epsilon", "seed"], ignore_index=True)
    names = ["regime", "decoder", "dose", "attacked", "epsilon", "seed"]
    return table[[*names, "pairs", *OF_FEATURES, *MEANS, *GAINS]]
