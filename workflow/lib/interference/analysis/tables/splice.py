"""What SAEs cost the network that they are spliced into."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from interference.analysis.frames import MEMBER, read_frames
from interference.analysis.statistics import Bootstrap

#: Of an image whether the network is right, of images the share.
ACCURACIES = {
    "correct": "accuracy",
    "clean_correct": "clean_accuracy",
    "ablated_correct": "ablated_accuracy",
}
#: Columns that are averaged over images, with an interval and without.
ESTIMATED = ["accuracy", "kl"]
MEANS = [
    "l0",
    "loss",
    "clean_accuracy",
    "clean_loss",
    "ablated_accuracy",
    "ablated_loss",
    "ablated_kl",
]


def build(spec: dict, splice: Sequence[Path]) -> pd.DataFrame:
    """One row per member and per kind of several trainings: l0, loss (nats per image) and, each with
    an interval:

    accuracy: share of images that the spliced network has right.
    kl: KL(network ‖ spliced network), nats per image.
    loss_recovered: (CE ablated − CE spliced) / (CE ablated − CE clean), 1 for the network itself and
        0 for mean ablation. A draw of images serves numerator and denominator; where ablation hardly
        costs anything the share means little, and its interval is wide.

    Beside them accuracy, loss and kl of the network as it is (clean_) and with the layer at its mean
    (ablated_).

    splice: tables, one row per (member, image).
    """
    frame = read_frames(splice).rename(columns=ACCURACIES)
    bootstrap = Bootstrap.over(frame, spec)
    columns, rows = [*ESTIMATED, *MEANS], []
    for key, part in frame.groupby(MEMBER):
        values = part.sort_values("image")[columns].to_numpy(np.float64)
        draws = dict(zip(columns, (bootstrap.weights @ values).T, strict=True))
        with np.errstate(divide="ignore", invalid="ignore"):
            draws["loss_recovered"] = (draws["ablated_loss"] - draws["loss"]) / (
                draws["ablated_loss"] - draws["clean_loss"]
            )
        means = {name: draws[name][0] for name in MEANS}
        rows.append({**dict(zip(MEMBER, key, strict=True)), **draws, **means})
    return bootstrap.table(pd.DataFrame(rows), natural=[*ESTIMATED, "loss_recovered"], means=MEANS)
