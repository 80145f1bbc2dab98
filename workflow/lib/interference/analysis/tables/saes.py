"""Every trained SAE and its metrics on held-out images."""

from pathlib import Path

import pandas as pd

from interference.analysis.curves import member_draws
from interference.analysis.frames import MEMBER, read_frames
from interference.analysis.statistics import interval, resample
from interference.store.files import read_json


def build(spec: dict, saes: list[Path]) -> pd.DataFrame:
    """One row per member: every metric of `Scores.summary`, fvu with a bootstrap interval over images.

    saes: manifests of fits, each with its per-image table beside it.
    """
    members = []
    for path in saes:
        manifest = read_json(path)
        fit = manifest["spec"]
        identity = {**fit["model"], "layer": fit["layer"], "type": fit["type"]}
        fed = {"unique_rows": manifest["unique_rows"], "epochs": manifest["epochs"]}
        members += [{**identity, **member, **fed} for member in manifest["members"]]
    frame = read_frames([path.with_suffix(".parquet") for path in saes])
    images = frame["image"].nunique()
    weights = resample(images, spec["resamples"], spec["seed"])
    draws = member_draws(frame, weights)
    limits = [interval(fvu, spec["confidence"], images) for fvu in draws["fvu"]]
    draws["fvu_low"], draws["fvu_high"] = zip(*limits, strict=True)
    table = pd.DataFrame(members).merge(
        draws[[*MEMBER, "fvu_low", "fvu_high"]], on=MEMBER, validate="one_to_one"
    )
    return table.sort_values(MEMBER, ignore_index=True)
