"""Every trained SAE and its metrics on held-out images."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from interference.analysis.curves import member_draws
from interference.analysis.frames import MEMBER, read_frames, sweep_columns
from interference.analysis.statistics import interval, resample
from interference.store.files import read_json


def build(spec: dict, manifests: Sequence[Path], saes: Sequence[Path]) -> pd.DataFrame:
    """One row per member: every metric of `Scores.summary`, fvu with a bootstrap interval over images.

    manifests: of the sweeps.
    saes: tables of the same sweeps, one row per (member, image).
    """
    members = []
    for manifest in map(read_json, manifests):
        fed = {"unique_rows": manifest["unique_rows"], "epochs": manifest["epochs"]}
        members += [{**sweep_columns(manifest), **member, **fed} for member in manifest["members"]]
    frame = read_frames(saes)
    images = frame["image"].nunique()
    draws = member_draws(frame, resample(images, spec["resamples"], spec["seed"]))
    limits = [interval(fvu, spec["confidence"], images) for fvu in draws["fvu"]]
    draws["fvu_low"], draws["fvu_high"] = zip(*limits, strict=True)
    table = pd.DataFrame(members).merge(
        draws[[*MEMBER, "fvu_low", "fvu_high"]], on=MEMBER, validate="one_to_one"
    )
    return table.sort_values(MEMBER, ignore_index=True)
