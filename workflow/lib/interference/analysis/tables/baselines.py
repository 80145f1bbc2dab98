"""Reconstruction beside baselines: what of an SAE's FVU is more than its rows' covariance.

At equal k: the SAE, the same SAE on whitened rows (in the whitened space), on a Gaussian surrogate
with the rows' covariance, and PCA. A Gaussian has no sparse features, so the FVU of the SAE over
that of the Gaussian is what remains beyond the covariance; whether it falls with the training
epsilon is the headline.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from interference.analysis.curves import member_draws
from interference.analysis.frames import MEMBER, read_frames
from interference.analysis.statistics import interval, resample
from interference.store.files import read_json

BASELINES = ("whitened", "gaussian", "pca")
#: Numbers of a (model, layer) that the manifests hold.
SPECTRAL = ("width", "participation_ratio", "effective_rank", "dimensions", "raw_l0")
#: What a member has in common with the clean member that it is compared with.
PEERS = ["layer", "type", "sparsity", "sae_seed", "model_architecture", "model_seed"]


def build(spec: dict, baselines: list[Path], saes: list[Path]) -> pd.DataFrame:
    """One row per member, that is (model, layer, k, SAE seed). Each with _low and _high:

    fvu and fvu_BASELINE; over_gaussian: fvu over fvu_gaussian;
    beyond: over_gaussian over that of the clean network of the same architecture and seed;
    mean_beyond: its geometric mean over the training epsilons of the network's norm and seed.
    Both are 1 for the clean network itself.
    And of the layer: width, participation_ratio, effective_rank, dimensions (that whitening kept),
    raw_l0 (units active in a row); images: that intervals are over.
    baselines: manifests, each with its per-image table beside it; saes: per-image tables of the
    fits of their type.
    """
    frame = read_frames([*(path.with_suffix(".parquet") for path in baselines), *saes])
    frame["baseline"] = frame["baseline"].fillna("sae")
    images = frame["image"].nunique()
    weights = resample(images, spec["resamples"], spec["seed"])
    weights = np.vstack([np.full(images, 1 / images), weights])
    draws = {
        kind: member_draws(part, weights).set_index(MEMBER)["fvu"]
        for kind, part in frame.groupby("baseline")
    }
    members = pd.DataFrame({"fvu": draws.pop("sae")} | {f"fvu_{k}": draws[k] for k in BASELINES})
    members = _compared(members.dropna().reset_index())
    table = members[MEMBER].copy()
    for name in members.columns.drop(MEMBER):
        values = np.stack(members[name].tolist())
        table[name] = values[:, 0]
        table[f"{name}_low"], table[f"{name}_high"] = interval(
            values[:, 1:].T, spec["confidence"], images
        )
    table["images"] = images
    spectral = pd.DataFrame([_spectral(read_json(path)) for path in baselines])
    return table.merge(spectral, on=["model", "layer"], validate="many_to_one")


def _compared(members: pd.DataFrame) -> pd.DataFrame:
    """Members with over_gaussian, beyond and mean_beyond, as arrays (draws,)."""
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
    where = {"model": manifest["spec"]["model"]["model"], "layer": manifest["spec"]["layer"]}
    return where | {name: manifest[name] for name in SPECTRAL}
