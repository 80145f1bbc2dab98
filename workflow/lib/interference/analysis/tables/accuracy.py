"""Accuracy of every network on clean, attacked and noisy images."""

from pathlib import Path

import pandas as pd

from interference.analysis.frames import MODEL, read_frames
from interference.analysis.statistics import wilson


def build(spec: dict, clean: list[Path], attacked: list[Path]) -> pd.DataFrame:
    """One row per (model, attack, epsilon).

    accuracy with Wilson's interval, images, mean loss, mean norm of the perturbations, and
    zero_gradients: how many of the attack's gradients, of all images and steps, were exactly zero.
    clean, attacked: tables of predictions, of each network and of each of its attacks.
    """
    frame = read_frames([*clean, *attacked])
    frame["attack"] = frame["attack"].fillna("clean")
    frame["type"] = frame["type"].fillna("clean")
    frame["norm"] = frame["norm"].fillna("none")
    frame["epsilon"] = frame["epsilon"].fillna(0.0)
    frame["perturbation_norm"] = frame["perturbation_norm"].fillna(0.0)
    frame["zero_gradients"] = frame["zero_gradients"].fillna(0).astype(int)
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
    table["low"], table["high"] = wilson(correct, table["images"], spec["confidence"])
    return table
