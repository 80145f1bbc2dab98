"""Accuracy of networks behind reconstructions of a layer: on clean and on attacked images.

A defence buys what it gains under an attack through it, over the network as it is, and beyond what PCA
gains that leaves as much unexplained. Differences are paired: one draw of images serves both.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from interference.analysis.frames import MEMBER, read_frames
from interference.analysis.statistics import Bootstrap

#: Columns of predictions, of which the table has accuracies.
IMAGES = ("clean", "transferred", "adaptive")
DIFFERENCES = ("over_none", "over_pca", "over_transferred")


def build(spec: dict, outcomes: Sequence[Path]) -> pd.DataFrame:
    """One row per (member, defence), and per kind of several trainings; of each accuracy and difference
    an interval. The network as it is (none) has a row beside each SAE, the same at every layer.

    clean, transferred, adaptive: accuracy on clean images, on adversarial images of the network as it
        is, and on those of the attack through the defence.
    over_none, over_pca: adaptive less that of the network as it is, and of PCA.
    over_transferred: adaptive less transferred. masked: whether all of its interval is above 0: an
        attack that knows the defence is weaker than one that does not, so it is no measure.
    components, fvu: means. zero_gradients: of the attack through the defence, over all images.

    outcomes: tables, one row per (defence, image) of a network.
    """
    frame = read_frames(outcomes)
    bootstrap = Bootstrap.over(frame, spec)
    rows = [row for _, network in frame.groupby("model") for row in _rows(bootstrap, network)]
    table = bootstrap.table(
        pd.DataFrame(rows),
        natural=[*IMAGES, *DIFFERENCES],
        means=["components", "fvu", "zero_gradients"],
    )
    return table.assign(masked=table["over_transferred_low"] > 0)


def _rows(bootstrap: Bootstrap, network: pd.DataFrame) -> Iterator[dict]:
    """Every defence of one network, accuracies and what they exceed as draws."""
    undefended = network[network["defence"] == "none"]
    for key, member in network[network["defence"] != "none"].groupby(MEMBER):
        defences = {"none": undefended} | dict(iter(member.groupby("defence")))
        draws = {name: _accuracies(bootstrap, part) for name, part in defences.items()}
        for name in ("none", "pca", "sae"):
            own = draws[name]
            yield {
                **dict(zip(MEMBER, key, strict=True)),
                "defence": name,
                **own,
                "over_none": own["adaptive"] - draws["none"]["adaptive"],
                "over_pca": own["adaptive"] - draws["pca"]["adaptive"],
                "over_transferred": own["adaptive"] - own["transferred"],
                "components": float(defences[name]["components"].iloc[0]),
                "fvu": float(defences[name]["fvu"].iloc[0]),
                "zero_gradients": float(defences[name]["zero_gradients"].sum()),
            }


def _accuracies(bootstrap: Bootstrap, part: pd.DataFrame) -> dict[str, np.ndarray]:
    """Draws of the accuracy on each kind of images. part: one row per image."""
    part = part.sort_values("image")
    right = part[[*IMAGES]].to_numpy() == part[["label"]].to_numpy()
    return dict(zip(IMAGES, (bootstrap.weights @ right).T, strict=True))
