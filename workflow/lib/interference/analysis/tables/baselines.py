"""Reconstruction beside baselines: what of an SAE's FVU is more than its rows' covariance.

At equal k: the SAE, the same SAE on whitened rows (in the whitened space), on a Gaussian surrogate
with the rows' covariance, and PCA. A Gaussian has no sparse features, so the FVU of the SAE over
that of the Gaussian is what remains beyond the covariance; whether it falls with the training
epsilon is the headline.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from interference.analysis.curves import member_draws
from interference.analysis.frames import MEMBER, read_frames, sweep_columns
from interference.analysis.statistics import Bootstrap
from interference.store.files import read_json

BASELINES = ("whitened", "gaussian", "pca")
#: Numbers of a (model, layer) that the manifests hold.
SPECTRAL = ("width", "participation_ratio", "effective_rank", "dimensions", "raw_l0")
#: What a member has in common with the clean member that it is compared with.
PEERS = ["layer", "type", "sparsity", "sae_seed", "model_architecture", "model_seed"]


def build(
    spec: dict, manifests: Sequence[Path], baselines: Sequence[Path], saes: Sequence[Path]
) -> pd.DataFrame:
    """One row per member, that is (model, layer, k, SAE seed), and per kind of several trainings.
    With an interval each:

    fvu, fvu_BASELINE: of the SAE, and of each baseline.
    over_gaussian: fvu over fvu_gaussian.
    beyond: over_gaussian over that of the clean network of the same architecture and seed.
    mean_beyond: geometric mean of beyond over the training epsilons of the network's norm and seed.
    Of the clean network itself the last two are 1.

    And of the layer: width, participation_ratio, effective_rank, dimensions (that whitening kept),
    raw_l0 (units active per row).

    manifests: of the baselines.
    baselines: their tables, one row per (member, baseline, image).
    saes: tables of the sweeps of their type, one row per (member, image).
    """
    frame = read_frames([*baselines, *saes])
    frame["baseline"] = frame["baseline"].fillna("sae")
    bootstrap = Bootstrap.over(frame, spec)
    draws = {
        kind: member_draws(part, bootstrap.weights).set_index(MEMBER)["fvu"]
        for kind, part in frame.groupby("baseline")
    }
    members = pd.DataFrame({"fvu": draws.pop("sae")} | {f"fvu_{k}": draws[k] for k in BASELINES})
    members = _compared(members.dropna().reset_index())
    quantities = list(members.columns.drop(MEMBER))
    spectral = pd.DataFrame([_spectral(read_json(path)) for path in manifests])
    members = members.merge(spectral, on=["model", "layer"], validate="many_to_one")
    return bootstrap.table(members, log=quantities, means=SPECTRAL)


def _compared(members: pd.DataFrame) -> pd.DataFrame:
    """Members with over_gaussian, beyond and mean_beyond, each an array (draws,) float64."""
    members["over_gaussian"] = members["fvu"] / members["fvu_gaussian"]
    clean = members.loc[members["model_norm"] == "clean", [*PEERS, "over_gaussian"]]
    clean = members[PEERS].merge(clean, on=PEERS, how="left", validate="many_to_one")
    members["beyond"] = members["over_gaussian"] / clean["over_gaussian"]
    family = ["model_norm", *PEERS]
    means = {
        key: np.exp(np.log(np.stack(part["beyond"].tolist())).mean(0))
        for key, part in members.groupby(family)
    }
    keys = members[family].itertuples(index=False, name=None)
    members["mean_beyond"] = [means[key] for key in keys]
    return members


def _spectral(manifest: dict) -> dict:
    names = sweep_columns(manifest)
    numbers = {name: manifest[name] for name in SPECTRAL}
    return {"model": names["model"], "layer": names["layer"], **numbers}
