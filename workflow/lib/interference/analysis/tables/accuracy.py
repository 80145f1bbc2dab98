"""Accuracy of every network on clean, attacked and noisy images."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from interference.analysis.frames import MODEL, read_frames
from interference.analysis.statistics import wilson

#: What tables of predictions of clean images do not say.
CLEAN = {
    "attack": "clean",
    "type": "clean",
    "norm": "none",
    "epsilon": 0.0,
    "perturbation_norm": 0.0,
    "zero_gradients": 0,
}


def build(spec: dict, clean: Sequence[Path], attacked: Sequence[Path]) -> pd.DataFrame:
    """One row per (model, attack, epsilon).

    accuracy, low, high: share of correct predictions, with Wilson's interval.
    images: how many it is a share of.
    loss: mean cross-entropy, nats per image.
    perturbation_norm: mean norm of the perturbations, pixel units.
    zero_gradients: how many of the attack's gradients, of all images and steps, were exactly zero.

    clean, attacked: tables of predictions, of each network and of each of its attacks.
    """
    frame = read_frames([*clean, *attacked]).fillna(CLEAN)
    frame["zero_gradients"] = frame["zero_gradients"].astype(int)
    frame["correct"] = frame["prediction"] == frame["label"]
    keys = [*MODEL, "attack", "type", "norm", "epsilon"]
    table = frame.groupby(keys, sort=True, as_index=False).agg(
        accuracy=("correct", "mean"),
        images=("correct", "size"),
        correct=("correct", "sum"),
        loss=("loss", "mean"),
        perturbation_norm=("perturbation_norm", "mean"),
        zero_gradients=("zero_gradients", "sum"),
    )
    correct = table.pop("correct")
    table["low"], table["high"] = wilson(
        correct.to_numpy(), table["images"].to_numpy(), spec["confidence"]
    )
    return table
