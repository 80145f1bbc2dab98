"""Gates: is each checkpoint what its authors measured, on these images, with this code?

Known accuracies are those of ImageNet's validation images, so on other images there is no verdict.
Clean accuracy must be within 0.3 points on all 50,000, and with the reported one in its 99 %
interval (Wilson's) on fewer. PGD finds at most what AutoAttack finds, so accuracy under it must not
be below AutoAttack's by more than the two samples allow (99 %).
"""

import math
import re
from collections.abc import Sequence
from pathlib import Path
from statistics import NormalDist

import pandas as pd

from interference.analysis.frames import read_frames
from interference.analysis.statistics import wilson
from interference.store.files import read_json

#: Images of the whole validation set, by how much clean accuracy may be off there, and the level of
#: intervals elsewhere.
ALL, TOLERANCE, CONFIDENCE = 50_000, 0.003, 0.99
#: First and last of ImageNet's thousand classes, as WordNet numbers them.
FIRST, LAST = "n01440764", "n15075141"
COLUMNS = ["model", "gate", "source", "reported", "measured", "low", "high", "images", "verdict"]


def build(spec: dict, accuracy: Sequence[Path], images: Sequence[Path]) -> pd.DataFrame:
    """One row per gate: model, gate, source, reported, measured with its interval, images, verdict.

    spec: ``gates``, of each the model, source and reported accuracy; of a robust one also norm,
        epsilon (pixel units) and how many images it was measured on.
    accuracy: the table accuracy.
    images: the manifest of the images.
    """
    (manifest,) = images
    table, imagenet = read_frames(accuracy), is_imagenet(read_json(manifest))
    rows = []
    for gate in spec["gates"]:
        for _, row in _measured(table, gate).iterrows():
            share, count = row["accuracy"], int(row["images"])
            low, high = wilson(share * count, count, CONFIDENCE)
            passed = _robust(gate, share, count) if "norm" in gate else _clean(gate, share, count)
            rows.append({
                "model": gate["model"],
                "gate": "clean accuracy" if "norm" not in gate else
                        f"accuracy under {row['attack']} {row['epsilon']:.4g}, not below AutoAttack's",
                "source": gate["source"], "reported": gate["reported"], "measured": share,
                "low": low, "high": high, "images": count,
                "verdict": ("pass" if passed else "fail") if imagenet else "not ImageNet: no verdict",
            })  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def is_imagenet(images: dict) -> bool:
    """Whether images are of ImageNet's thousand classes: by their WordNet ids where classes are named
    by such, by their number where names are others.

    images: the manifest of the images.
    """
    names = images["class_names"]
    if len(names) != 1000:
        return False
    if all(re.fullmatch(r"n\d{8}", name) for name in names):
        return (names[0], names[-1]) == (FIRST, LAST)
    return True


def _measured(accuracy: pd.DataFrame, gate: dict) -> pd.DataFrame:
    """The rows of the table accuracy that a gate is about."""
    own = accuracy[accuracy["model"] == gate["model"]]
    if "norm" not in gate:
        return own[own["attack"] == "clean"]
    near = own["epsilon"].map(lambda epsilon: math.isclose(epsilon, gate["epsilon"], rel_tol=1e-3))
    return own[(own["type"] == "pgd") & (own["norm"] == gate["norm"]) & near]


def _clean(gate: dict, share: float, images: int) -> bool:
    """Whether clean accuracy, a share of images, is the reported one."""
    if images == ALL:
        return abs(share - gate["reported"]) <= TOLERANCE
    low, high = wilson(share * images, images, CONFIDENCE)
    return bool(low <= gate["reported"] <= high)


def _robust(gate: dict, share: float, images: int) -> bool:
    """Whether accuracy under PGD, a share of images, is not below the reported one of AutoAttack."""
    reported, others = gate["reported"], gate["images"]
    spread = math.sqrt(share * (1 - share) / images + reported * (1 - reported) / others)
    return share >= reported - NormalDist().inv_cdf(CONFIDENCE) * spread
