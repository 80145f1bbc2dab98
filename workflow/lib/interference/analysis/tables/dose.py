"""Superposition and robustness over the dose, of networks on canvases."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from interference.analysis.flips import (
    COMPARED,
    MEANS,
    NETWORK,
    OF_FEATURES,
    logarithms,
    means,
)
from interference.analysis.frames import read_frames

#: Families of one network per dose, and the accuracy that a feature may lose and still count as equal.
BY_DOSE, TWO_POINTS = ("dose", "frozen", "orthonormal"), 0.02
#: Changes from a dose of 1 of these terms, among features that are read as accurately as there.
EQUAL = {
    "equal_full": "log_r_full",
    "equal_own": "log_r_own",
    "equal_interference": "interference",
}


def build(spec: dict, flips: Sequence[Path], features: Sequence[Path]) -> pd.DataFrame:
    """One row per (family, regime, decoder, network, seed).

    pairs, MEANS: how many pairs are right in all networks of the family and seed, and means over them.
    OF_FEATURES: means over the features that the network reads.
    equal_features, equal_pairs, EQUAL: of features that lose at most two points of accuracy against the
        network of dose 1: how many they are, their pairs, and what their means change by; none of families
        other than `BY_DOSE`, and NaN where no pair is left.

    flips: one row per (network, pair, region). features: one row per (network, feature).
    """
    named, per_feature = read_frames(flips), read_frames(features)
    keys = [*NETWORK[:4], "network"]
    table = means(named, per_feature, keys)
    table = table.merge(named[NETWORK].drop_duplicates(), on=keys)
    table = table.merge(_equal(named, per_feature), on=[*COMPARED, "dose"], how="left")
    table = table.sort_values(["family", "regime", "dose", "network", "seed"], ignore_index=True)
    counted = ["equal_features", "equal_pairs"]
    table[counted] = table[counted].fillna(0).astype(int)
    return table[[*NETWORK, "pairs", *OF_FEATURES, *MEANS, *counted, *EQUAL]]


def _equal(flips: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
    """Changes from a dose of 1 among features that are read as accurately: a row per COMPARED and dose."""
    flips = flips[flips["family"].isin(BY_DOSE)]
    features = features[features["family"].isin(BY_DOSE)]
    of_feature = [*COMPARED, "feature"]
    accuracy = features.set_index([*of_feature, "dose"])["accuracy"]
    first = features[features["dose"] == 1].set_index(of_feature)["accuracy"].rename("first")
    kept = accuracy.reset_index().join(first, on=of_feature)
    kept = kept[kept["accuracy"] >= kept["first"] - TWO_POINTS]
    rows = logarithms(flips)
    terms = [*EQUAL.values()]
    pair = [*of_feature, "canvas"]
    alone = rows[rows["dose"] == 1].set_index(pair)[terms]
    changed = kept[[*of_feature, "dose"]].merge(rows, on=[*of_feature, "dose"])
    start = alone.reindex(pd.MultiIndex.from_frame(changed[pair]))
    for name, term in EQUAL.items():
        changed[name] = changed[term].to_numpy() - start[term].to_numpy()
    by = [*COMPARED, "dose"]
    found = changed.groupby(by)[[*EQUAL]].mean()
    return (
        kept.groupby(by).size().rename("equal_features").to_frame()
        .join(changed.groupby(by).size().rename("equal_pairs")).join(found).reset_index()
    )  # fmt: skip
