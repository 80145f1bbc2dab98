"""What perturbations look like beside noise and the input gradient: differences, and trends over epsilon.

Frequencies are over Nyquist's.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from interference.analysis.families import Point, family_rows, with_trends
from interference.analysis.frames import MODEL, read_frames
from interference.analysis.statistics import Bootstrap

#: What perturbations are held against.
REFERENCES = ("noise", "step", "gradient")
COLUMNS = ["reference", "measure", *MODEL, "sae_seed", "family", "perturbation", "other", "excess",
           "trend", "epsilons", "change", "counted"]  # fmt: skip


def build(spec: dict, structure: Sequence[Path]) -> pd.DataFrame:
    """One row per (reference, measure, family, network), and per kind of several trainings.

    measure: a column of ``structure``, the mean over images of which is
    perturbation, other: of perturbations, and of the reference on the same images.
    excess: of the first less the second.
    family, trend, epsilons: of `family_rows`, the trend of the excess with its interval (`with_trends`).
    change: the excess less that of the clean network of its architecture and seed, mean over the training
        epsilons of the network's family; 0 of clean networks alone.
    counted: images that count; those that an attack or a gradient left as they were do not.

    structure: tables of `attacks.structure`, one row per (network, kind, image).
    """
    frame = read_frames(structure).sort_values([*MODEL, "kind", "image"], kind="stable")
    measures = list(frame.columns.drop([*MODEL, "kind", "image"]))
    bootstrap, rows = Bootstrap.over(frame, spec), []
    for _, alike in frame.groupby("model_architecture"):
        networks = [
            (dict(zip(MODEL, key, strict=True)), *_means(own, measures, bootstrap.weights))
            for key, own in alike.groupby(MODEL)
        ]
        for reference in REFERENCES:
            for measure in measures:
                found = {
                    str(network["model"]): {
                        "perturbation": means["perturbation", measure],
                        "other": means[reference, measure],
                        "counted": counted,
                    }
                    for network, means, counted in networks
                }
                points = [
                    Point(network, means["perturbation", measure] - means[reference, measure])
                    for network, means, _ in networks
                ]
                changes = _changes(points)
                for row in family_rows(points, "excess"):
                    change = changes[row["family"], row["model_seed"]]
                    named = {"reference": reference, "measure": measure, "sae_seed": 0}
                    rows.append({**named, **row, **found[row["model"]], "change": change})
    table = bootstrap.table(
        pd.DataFrame(rows, columns=COLUMNS),
        natural=["perturbation", "other", "excess", "trend", "change"],
        means=["counted"],
    )
    return with_trends(bootstrap, table.drop(columns="sae_seed"))


def _means(
    own: pd.DataFrame, measures: Sequence[str], weights: np.ndarray
) -> tuple[dict[tuple[str, str], np.ndarray], float]:
    """Means of one network under each row of weights, by kind and measure, and how many images count.

    own: rows by kind and image; weights: (draws, images), rows sum to 1.
    """
    of_kind = {kind: part[measures].to_numpy(np.float64) for kind, part in own.groupby("kind")}
    counts = np.logical_and.reduce([np.isfinite(values).all(1) for values in of_kind.values()])
    kept = weights * counts
    with np.errstate(invalid="ignore"):
        kept = kept / kept.sum(1, keepdims=True)
    means = {
        (str(kind), measure): kept @ column
        for kind, values in of_kind.items()
        for measure, column in zip(measures, np.where(counts[:, None], values, 0).T, strict=True)
    }
    return means, float(counts.sum())


def _changes(points: Sequence[Point]) -> dict[tuple[str, int], np.ndarray]:
    """By family and seed, the mean over its epsilons of the difference to its clean network: (draws,)."""
    clean = {
        point.network["model_seed"]: point.draws
        for point in points
        if point.network["model_norm"] == "clean"
    }
    differences: dict[tuple[str, int], list[np.ndarray]] = {}
    for network, draws in points:
        family = network["model_norm"], network["model_seed"]
        differences.setdefault(family, []).append(draws - clean.get(family[1], np.nan))
    return {family: np.mean(found, axis=0) for family, found in differences.items()}
