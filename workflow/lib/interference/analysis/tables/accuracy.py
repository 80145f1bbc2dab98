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
#: What names an image in one ball of one network.
BALL = ["model", "norm", "epsilon", "image"]


def build(spec: dict, clean: Sequence[Path], attacked: Sequence[Path]) -> pd.DataFrame:
    """One row per (model, attack, epsilon).

    accuracy, low, high: share of correct predictions, with Wilson's interval.
    images: how many it is a share of.
    pgd_accuracy: share under PGD of the same norm and epsilon on the very same images, of several such
        methods their mean; NaN where PGD lacks one of the images.
    loss: mean cross-entropy, nats per image.
    perturbation_norm: mean norm of the perturbations, pixel units.
    zero_gradients: how many of the attack's gradients, of all images and steps, were exactly zero.

    clean, attacked: tables of predictions, of each network and of each of its attacks.
    """
    frame = read_frames([*clean, *attacked]).fillna(CLEAN)
    frame["zero_gradients"] = frame["zero_gradients"].astype(int)
    frame["correct"] = frame["prediction"] == frame["label"]
    frame = frame.join(_under_pgd(frame), on=BALL)
    keys = [*MODEL, "attack", "type", "norm", "epsilon"]
    table = frame.groupby(keys, sort=True, as_index=False).agg(
        accuracy=("correct", "mean"),
        images=("correct", "size"),
        pgd_accuracy=("pgd_correct", lambda shares: shares.mean(skipna=False)),
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


def _under_pgd(frame: pd.DataFrame) -> pd.Series:
    """Whether PGD leaves an image correct, by `BALL`; of several PGD methods the share of them.

    frame: a row per (model, attack, epsilon, image), with ``correct``.
    """
    pgd = frame[frame["type"] == "pgd"]
    return pgd.groupby(BALL)["correct"].mean().rename("pgd_correct")
