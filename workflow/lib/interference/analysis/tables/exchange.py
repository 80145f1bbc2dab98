"""Attacks between networks: what each one's does to every other, beside how alike the two are."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from interference.analysis.frames import MODEL, read_frames
from interference.analysis.statistics import wilson

COLUMNS = ["source", "target", "layer", "cka", "alike", "agreement", "noise", "own", "success",
           "success_low", "success_high", "images"]  # fmt: skip
#: What networks share that were trained alike.
KIND = MODEL[1:4]


def build(
    spec: dict,
    passes: Sequence[Path],
    similarity: Sequence[Path],
    clean: Sequence[Path],
    attacked: Sequence[Path],
) -> pd.DataFrame:
    """One row per (source, target, layer), two networks.

    cka: of the two at the layer. alike: whether both have one architecture, norm and epsilon.
    agreement: share of all clean evaluation images that both take for the same.
    success, images: share of the images that both have right when clean which the target mistakes under
        the source's attack, with Wilson's interval, NaN of none; and how many these are.
    noise, own: shares of images that the target has right which noise of the same epsilon flips, and its
        own attack.

    spec: ``epsilon`` of the headline, ``noise``, its control's name, and ``confidence``.
    passes, similarity: of `attacks.exchange`; clean, attacked: predictions on clean images, and under every
        attack.
    """
    answers, shown, under = (read_frames(paths) for paths in (clean, passes, attacked))
    noisy = (under["attack"] == spec["noise"]) & np.isclose(under["epsilon"], spec["epsilon"])
    own = shown[shown["source"] == shown["target"]]
    correct = answers.assign(right=answers["prediction"] == answers["label"])
    right = correct.pivot_table(index="image", columns="model", values="right") > 0
    table = pd.DataFrame([*_pairs(shown, answers, right, spec["confidence"])])
    table["own"] = table["target"].map(_fallen(own.rename(columns={"target": "model"}), right))
    table["noise"] = table["target"].map(_fallen(under[noisy], right))
    return table.merge(_both_ways(read_frames(similarity)), on=["source", "target"])[COLUMNS]


def _pairs(
    shown: pd.DataFrame, answers: pd.DataFrame, right: pd.DataFrame, confidence: float
) -> Iterator[dict]:
    """Yield one row per ordered pair of networks, without what is of a layer or of the target alone.

    shown: a row per source, target and image; answers: a row per model and clean image; right: image ×
    model.
    """
    said = answers.pivot_table(index="image", columns="model", values="prediction")
    kind_of = {str(model): tuple(own[KIND].iloc[0]) for model, own in answers.groupby("model")}
    for (source, target), part in shown.groupby(["source", "target"]):
        if source != target:
            both = (right[source] & right[target]).loc[part["image"]].to_numpy()
            fell = int((part["prediction"] != part["label"])[both].sum())
            images = int(both.sum())
            low, high = wilson(fell, images, confidence) if images else (np.nan, np.nan)
            yield {
                "source": source, "target": target,
                "alike": kind_of[str(source)] == kind_of[str(target)],
                "agreement": (said[source] == said[target]).mean(), "success": fell / images if images else np.nan,
                "success_low": float(low), "success_high": float(high), "images": images,
            }  # fmt: skip


def _fallen(shown: pd.DataFrame, right: pd.DataFrame) -> dict[str, float]:
    """Model → the share of the images that it has right which it mistakes as they are shown.

    shown: predictions, a row per model and image; right: image × model.
    """
    found = {}
    for model, rows in shown.groupby("model"):
        kept = rows[right[str(model)].loc[rows["image"]].to_numpy()]
        found[str(model)] = float((kept["prediction"] != kept["label"]).mean())
    return found


def _both_ways(similarity: pd.DataFrame) -> pd.DataFrame:
    """A row per source, target and layer. similarity: a row per two networks and layer."""
    names = ({"one": "source", "other": "target"}, {"one": "target", "other": "source"})
    return pd.concat([similarity.rename(columns=way) for way in names], ignore_index=True)
