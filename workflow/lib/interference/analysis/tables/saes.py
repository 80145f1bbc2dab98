"""Every trained SAE and its metrics on held-out images."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from interference.analysis.curves import member_draws
from interference.analysis.frames import MEMBER, read_frames, sweep_columns
from interference.analysis.statistics import Bootstrap
from interference.store.files import read_json


def build(spec: dict, manifests: Sequence[Path], saes: Sequence[Path]) -> pd.DataFrame:
    """One row per member and per kind of several trainings: fvu with an interval, and every other
    metric of `Scores.summary`.

    manifests: of the sweeps.
    saes: tables of the same sweeps, one row per (member, image).
    """
    members = []
    for manifest in map(read_json, manifests):
        fed = {"unique_rows": manifest["unique_rows"], "epochs": manifest["epochs"]}
        members += [{**sweep_columns(manifest), **member, **fed} for member in manifest["members"]]
    metrics = pd.DataFrame(members).drop(columns="fvu")
    frame = read_frames(saes)
    bootstrap = Bootstrap.over(frame, spec)
    draws = member_draws(frame, bootstrap.weights)[[*MEMBER, "fvu"]]
    means = list(metrics.columns.drop(MEMBER))
    table = draws.merge(metrics, on=MEMBER, validate="one_to_one")
    return bootstrap.table(table, log=["fvu"], means=means)
