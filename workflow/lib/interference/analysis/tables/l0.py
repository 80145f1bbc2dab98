"""L0 under attack, against clean images and against noise of the same norm.

Any input off the data raises L0, so the headline is not the ratio to clean images but the ratio
to noise: the same images, the same norm, a random direction. Intervals are bootstraps over images,
paired: one draw of images serves numerator and denominator.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from interference.analysis.frames import MEMBER, read_frames
from interference.analysis.statistics import interval, resample

QUANTITIES = ("ratio", "woken", "over_noise", "woken_over_noise")


def build(spec: dict, l0: list[Path]) -> pd.DataFrame:
    """One row per (member, attack, epsilon): images, l0_clean, l0 and, each with _low and _high:

    ratio: L0 attacked over clean; woken: newly active latents over clean L0;
    over_noise: L0 attacked over L0 under noise of the same norm and epsilon;
    woken_over_noise: newly active under attack over newly active under noise.
    l0: tables of one row per (member, attack, epsilon, image). The spec's ``controls`` give each attack's norm and noise.
    """
    frame = read_frames(l0)
    weights = resample(frame["image"].nunique(), spec["resamples"], spec["seed"])
    images = weights.shape[1]
    weights = np.vstack([np.full(images, 1 / images), weights])
    rows = []
    for key, part in frame.groupby(MEMBER, sort=True):
        pivot = part.pivot_table(
            index="image", columns=["attack", "epsilon"], values=["l0", "woken"]
        )
        draws = {column: weights @ pivot[column].to_numpy() for column in pivot.columns}
        clean = draws["l0", "clean", 0.0]
        for quantity, attack, epsilon in draws:
            if quantity != "l0" or attack == "clean":
                continue
            control = spec["controls"][attack]
            noise = (control["noise"], epsilon)
            active, woken = draws["l0", attack, epsilon], draws["woken", attack, epsilon]
            with np.errstate(divide="ignore", invalid="ignore"):
                values = (
                    active / clean,
                    woken / clean,
                    active / draws["l0", *noise],
                    woken / draws["woken", *noise],
                )
            row = dict(zip(MEMBER, key, strict=True)) | {"attack": attack, "epsilon": epsilon}
            row |= {"norm": control["norm"], "control": control["noise"]}
            row |= {"images": images, "l0_clean": clean[0], "l0": active[0]}
            for name, value in zip(QUANTITIES, values, strict=True):
                low, high = interval(value[1:], spec["confidence"], images)
                row |= {name: value[0], f"{name}_low": low, f"{name}_high": high}
            rows.append(row)
    return pd.DataFrame(rows)
