"""Reconstruction at equal sparsity: FVU of every network's SAEs at one measured L0.

Networks differ in how sparse a code of the same k or lambda comes out, so curves are compared at
the same measured L0: the geometric middle of the range that all networks of an architecture cover,
per layer, type and SAE seed.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from interference.analysis.curves import common_l0, interpolate, member_draws
from interference.analysis.families import Point, family_rows, with_trends
from interference.analysis.frames import MODEL, read_frames
from interference.analysis.statistics import Bootstrap

#: What SAEs have in common that are compared.
ALIKE = ["layer", "type", "sae_seed", "model_architecture"]
COLUMNS = ["layer", "type", "sae_seed", "l0", *MODEL, "family", "fvu", "trend", "epsilons"]


class Curve(NamedTuple):
    """A sweep of one network.

    network: the columns of MODEL.
    l0, fvu: (members, draws) float64.
    """

    network: dict
    l0: np.ndarray
    fvu: np.ndarray


def build(spec: dict, saes: Sequence[Path]) -> pd.DataFrame:
    """One row per (layer, type, SAE seed, family, model), and per kind of several trainings.

    l0, fvu: where curves are compared, and FVU there with its interval.
    family, trend, epsilons: of `family_rows`, the trend of FVU with its interval (`with_trends`).

    Left out are curves that share no L0, and those beside one of a single member.

    saes: tables of sweeps, one row per (member, image).
    """
    frame = read_frames(saes)
    bootstrap = Bootstrap.over(frame, spec)
    members, rows = member_draws(frame, bootstrap.weights), []
    for (layer, sae_type, sae_seed, _), part in members.groupby(ALIKE):
        curves = [_curve(key, sweep) for key, sweep in part.groupby(MODEL)]
        target = common_l0([curve.l0[:, 0] for curve in curves])
        if target is None or min(len(curve.l0) for curve in curves) < 2:
            continue
        where = {"layer": layer, "type": sae_type, "sae_seed": sae_seed, "l0": target}
        points = [Point(c.network, interpolate(c.l0, c.fvu, target)) for c in curves]
        rows += [{**where, **row} for row in family_rows(points, "fvu")]
    families = pd.DataFrame(rows, columns=COLUMNS)
    table = bootstrap.table(families, log=["fvu"], natural=["trend"], means=["l0"])
    return with_trends(bootstrap, table)


def _curve(key: tuple, sweep: pd.DataFrame) -> Curve:
    l0, fvu = (np.stack(sweep[name].tolist()) for name in ("l0", "fvu"))
    return Curve(dict(zip(MODEL, key, strict=True)), l0, fvu)
