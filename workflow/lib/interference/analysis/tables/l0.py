"""L0 under attack, against clean images and against noise of the same norm.

Any input off the data raises L0, so the headline is not the ratio to clean images but the ratio
to noise: the same images, the same norm, a random direction. Intervals are bootstraps over images,
paired: one draw of images serves numerator and denominator.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from interference.analysis.frames import MEMBER, read_frames
from interference.analysis.statistics import Bootstrap


def build(spec: dict, l0: Sequence[Path]) -> pd.DataFrame:
    """One row per (member, attack, epsilon): norm, control (the noise), images, l0_clean and l0.

    With an interval over images each:
    ratio: L0 attacked over clean.
    woken: newly active latents over clean L0.
    over_noise: L0 attacked over L0 under noise of the same norm and epsilon.
    woken_over_noise: newly active under attack over newly active under noise.

    spec: ``controls``, each attack's norm and noise, beside the bootstrap's settings.
    l0: tables, one row per (member, attack, epsilon, image).
    """
    frame = read_frames(l0)
    bootstrap = Bootstrap.over(frame, spec)
    rows = []
    for key, part in frame.groupby(MEMBER, sort=True):
        l0s, wokens = (_draws(bootstrap, part, name) for name in ("l0", "woken"))
        clean = l0s["clean", 0.0]
        for attack, epsilon in l0s:
            if attack == "clean":
                continue
            control = spec["controls"][attack]
            noise = (control["noise"], epsilon)
            active, woken = l0s[attack, epsilon], wokens[attack, epsilon]
            with np.errstate(divide="ignore", invalid="ignore"):
                quantities = {
                    "ratio": active / clean,
                    "woken": woken / clean,
                    "over_noise": active / l0s[noise],
                    "woken_over_noise": woken / wokens[noise],
                }
            row = dict(zip(MEMBER, key, strict=True)) | {"attack": attack, "epsilon": epsilon}
            row |= {"norm": control["norm"], "control": control["noise"]}
            row |= {"images": bootstrap.images, "l0_clean": clean[0], "l0": active[0]}
            for name, values in quantities.items():
                row |= bootstrap.columns(name, values)
            rows.append(row)
    return pd.DataFrame(rows)


def _draws(bootstrap: Bootstrap, part: pd.DataFrame, name: str) -> dict[tuple, np.ndarray]:
    """Draws of a column's mean over images for each (attack, epsilon)."""
    columns = part.pivot_table(index="image", columns=["attack", "epsilon"], values=name)
    return {
        tuple(which): bootstrap.weights @ columns[which].to_numpy() for which in columns.columns
    }
