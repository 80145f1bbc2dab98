"""Classifiers through a bottleneck: whether the geometry of class vectors foretells attacks on them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from interference.analysis.frames import read_frames
from interference.analysis.partial import correlations, without
from interference.analysis.statistics import rank_correlation, ranks

NETWORK = ["width", "epsilon", "geometry", "kind", "seed"]
ANGLES = ["cosine", "cosine_shuffled", "cosine_other"]
#: What is taken out of transfer before its rank correlation with similarity.
SHARED = ["agreement", "weakness"]
#: Fewest targets that leave a partial correlation room to be other than 1 or −1.
FEWEST_TARGETS = len(SHARED) + 3


def build(
    spec: dict, aims: Sequence[Path], landings: Sequence[Path], passes: Sequence[Path]
) -> pd.DataFrame:
    """One row per (width, training epsilon, geometry, seed): a classifier, attacked.

    spec: ``resamples`` and ``seed`` of the permutations of networks. aims: one row per (classifier,
    image); landings: per (classifier, class, other class); passes: per (source, target).
    """
    per_image, per_pair = read_frames(aims), read_frames(landings)
    per_image["fallen"] = per_image["label"] != per_image["landed"]
    by_network = per_image.groupby(NETWORK)
    table = by_network.agg(
        images=("label", "size"), fallen=("fallen", "mean"), **{a: (a, "mean") for a in ANGLES}
    )
    classes = per_pair["label"].nunique()
    table.insert(0, "superposed", table.index.get_level_values("width") < classes - 1)
    table.insert(0, "classes", classes)
    found = [table, _profiles(per_pair), _transfers(read_frames(passes), spec)]
    return pd.concat(found, axis=1).reindex(table.index).reset_index()


def _profiles(pairs: pd.DataFrame) -> pd.DataFrame:
    """By network: profile, likeness, swapped. pairs: landings."""
    grams = {key: _square(own, "cosine") for key, own in pairs.groupby(NETWORK)}
    landed = {key: _square(own, "landed") for key, own in pairs.groupby(NETWORK)}
    forced = set(pairs.loc[pairs["kind"] == "forced", "geometry"])
    rows = {}
    for key, own in landed.items():
        width, epsilon, geometry, kind, seed = key
        beside = [(width, epsilon, other, "forced", seed) for other in forced - {geometry}]
        learned = landed.get((width, epsilon, "learned", "learned", seed))
        rows[key] = {
            "profile": _agreement(own, grams[key]),
            "swapped": _mean([_agreement(own, grams[other]) for other in beside if other in grams]),
            "likeness": np.nan
            if learned is None or kind == "learned"
            else _agreement(own, learned),
        }
    return _by_network(rows)


def _by_network(rows: Mapping[tuple, Mapping[str, float]]) -> pd.DataFrame:
    """The rows as a frame with the index `NETWORK`. rows: by what it names."""
    records = [{**dict(zip(NETWORK, key)), **values} for key, values in rows.items()]
    return pd.DataFrame(records).set_index(NETWORK)


def _square(pairs: pd.DataFrame, column: str) -> np.ndarray:
    """One network's column: (classes, classes), NaN on the diagonal."""
    square = pairs.pivot_table(index="label", columns="other", values=column)
    return square.to_numpy(dtype=float)


def _agreement(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's ρ of each class's row, over all other classes; the mean over classes that have one."""
    apart = ~np.eye(len(a), dtype=bool)
    # cosines that differ by no more than float32's rounding are equal
    x, y = (np.round(square[apart].reshape(len(a), -1), 5) for square in (a, b))
    return _mean(rank_correlation(x, y))


def _mean(values: Sequence[float] | np.ndarray) -> float:
    """The mean of those that are numbers; NaN where none is."""
    finite = np.asarray(values)[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else np.nan


def _transfers(passes: pd.DataFrame, spec: dict) -> pd.DataFrame:
    """By source: success, over_noise, transfer, transfer_null. passes: one row per (source, target)."""
    passes = passes.copy()
    passes["over_noise"] = passes["success"] - passes["noise"]
    target = ["width", "epsilon", "target_geometry", "target_seed"]
    total = passes.groupby(target)["success"].transform("sum")
    count = passes.groupby(target)["success"].transform("size")
    # how easily the target falls to attacks on all others than this source
    passes["weakness"] = (total - passes["success"]) / (count - 1).where(count > 1)
    by_source = passes.groupby(NETWORK)
    means = by_source[["success", "over_noise"]].mean()
    return means.join(_by_network({key: _beyond_accuracy(own, spec) for key, own in by_source}))


def _beyond_accuracy(targets: pd.DataFrame, spec: dict) -> dict[str, float]:
    """Partial rank correlation of success and similarity over targets; and its mean over permutations of
    which target has which class vectors. NaN of too few targets, or where similarity is not defined."""
    values = targets[["success", "similarity", *SHARED]].to_numpy(dtype=float)
    if len(targets) < FEWEST_TARGETS or not np.isfinite(values).all():
        return {"transfer": np.nan, "transfer_null": np.nan}
    success, similarity, *shared = ranks(values.T)
    columns = np.column_stack([np.ones(len(targets)), *shared])
    rng = np.random.default_rng(spec["seed"])
    dealt = np.stack([rng.permutation(similarity) for _ in range(spec["resamples"])])
    found = correlations(
        without(columns, success), without(columns, np.vstack([similarity, dealt]))
    )
    return {"transfer": float(found[0]), "transfer_null": float(np.mean(found[1:]))}
