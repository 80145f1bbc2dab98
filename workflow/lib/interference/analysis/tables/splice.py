"""What SAEs cost the network that they are spliced into, with bootstrap intervals over images."""

from pathlib import Path

import numpy as np
import pandas as pd

from interference.analysis.frames import MEMBER, read_frames
from interference.analysis.statistics import interval, resample

#: Columns of the rows that are averaged over images as they are.
MEANS = [
    "l0",
    "loss",
    "clean_accuracy",
    "clean_loss",
    "ablated_accuracy",
    "ablated_loss",
    "ablated_kl",
]


def build(spec: dict, splice: list[Path]) -> pd.DataFrame:
    """One row per member: images, l0, loss, and, each with _low and _high:

    accuracy; kl: KL(network ‖ spliced network), nats an image; loss_recovered: (CE ablated − CE
    spliced) / (CE ablated − CE clean), 1 for the network itself and 0 for mean ablation. Beside them
    accuracy, loss and kl of the network as it is (clean_) and with the layer at its mean (ablated_).
    A draw of images serves numerator and denominator; where ablation hardly costs anything the
    share means little, and its interval is wide.

    splice: tables of one row per (member, image).
    """
    frame = read_frames(splice)
    frame = frame.rename(columns=lambda name: name.replace("correct", "accuracy"))
    images = frame["image"].nunique()
    weights = resample(images, spec["resamples"], spec["seed"])
    weights = np.vstack([np.full(images, 1 / images), weights])
    columns, rows = ["accuracy", "kl", *MEANS], []
    for key, part in frame.groupby(MEMBER, sort=True):
        values = part.sort_values("image")[columns].to_numpy(np.float64)
        draws = dict(zip(columns, (weights @ values).T, strict=True))
        with np.errstate(divide="ignore", invalid="ignore"):
            draws["loss_recovered"] = (draws["ablated_loss"] - draws["loss"]) / (
                draws["ablated_loss"] - draws["clean_loss"]
            )
        row = dict(zip(MEMBER, key, strict=True)) | {"images": images}
        for name in ("accuracy", "kl", "loss_recovered"):
            low, high = interval(draws[name][1:], spec["confidence"], images)
            row |= {name: draws[name][0], f"{name}_low": low, f"{name}_high": high}
        rows.append(row | {name: draws[name][0] for name in MEANS})
    return pd.DataFrame(rows)
