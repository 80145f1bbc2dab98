"""Published measurements of toy models and of canvases with their names dealt anew: no claim is left.

Other arms are dealt beside their tables.
"""

import json

import numpy as np
import pandas as pd

from interference.analysis.flips import GAINS, MEANS, OF_FEATURES
from interference.analysis.tables import claims
from interference.config.load import read_config
from interference.plan.specs import Specs
from tests.support import REPO
from tests.support.nulls import DEALS, hold
from tests.support.published import PUBLISHED
from tests.support.tables import OF_CANVASES

#: Columns that name a toy model, and what it is by itself, whoever attacks it.
MODEL = ["seed", "density", "training"]
WEIGHTS = ["features_per_dimension", "learned_features_per_dimension", "interference"]


def deals(experiment, deal, folder, **tables):
    """Tables of claims, each of tables that were dealt anew."""
    spec = json.loads(
        Specs(read_config(REPO / f"workflow/experiments/{experiment}.yaml")).table("claims")
    )
    rng, found = np.random.default_rng(0), []
    for _ in range(DEALS):
        paths = {}
        for name, table in tables.items():
            paths[name] = [folder / f"{name}.parquet"]
            deal(name, table, rng).to_parquet(*paths[name])
        found.append(claims.build(spec, **paths))
    return found


def permuted(rows, within, columns, rng):
    """The rows, with ``columns`` dealt anew among the rows of each group."""
    group = rows.groupby(within).ngroup().to_numpy()
    places, dealt = np.argsort(group, kind="stable"), np.lexsort((rng.random(len(rows)), group))
    rows = rows.copy()
    rows.iloc[places, rows.columns.get_indexer(columns)] = rows.iloc[dealt][columns].to_numpy()
    return rows


def toys_dealt(name, rows, rng):
    """Which of a density's models is the clean one, and whose weights are whose, is dealt anew."""
    models = rows[[*MODEL, *WEIGHTS]].drop_duplicates(MODEL)
    modes = permuted(models, ["seed", "density"], ["training"], rng)
    rows = rows.merge(models[MODEL].assign(dealt=modes["training"]), on=MODEL)
    rows["training"] = rows.pop("dealt")
    models = rows[[*MODEL, *WEIGHTS]].drop_duplicates(MODEL)
    weights = permuted(models, ["seed", "training"], WEIGHTS, rng)
    return rows.drop(columns=WEIGHTS).merge(weights, on=MODEL)


def test_of_toy_models_dealt_anew_no_claim_is_left(tmp_path):
    measured = pd.read_parquet(PUBLISHED / "toy-full/vulnerability.parquet")
    hold("toys", deals("toy-full", toys_dealt, tmp_path, toy=measured))


#: Of canvases' tables: columns of which all that were measured of a network are dealt together among
#: the networks of a seed, and what is a change already, whose sign is dealt.
NETWORKS = {
    "dose": ["family", "regime", "decoder", "seed"],
    "crossover": ["regime", "decoder", "seed"],
}
CHANGES = {
    "dose": ["equal_full", "equal_interference"],
    "adversarial": list(GAINS),
    "transfer": ["over_noise"],
    "proxies": ["spearman"],
}


def canvases_dealt(name, rows, rng):
    """Which network or block has which dose, and the sign of what is a change, is dealt anew; and of a
    proxy which of its moves is that under the dose."""
    rows = rows.copy()
    if name in NETWORKS:
        measured = [*MEANS, *OF_FEATURES, "pairs"]
        rows = permuted(rows, NETWORKS[name], measured, rng)
    if name == "proxies":
        rows = permuted(rows, ["regime", "decoder", "proxy", "seed"], ["moves"], rng)
        under_dose = rows["moves"].where(rows["vary"] == "dose_n")
        by = [rows[column] for column in ("regime", "decoder", "proxy", "seed")]
        under_dose = under_dose.groupby(by).transform("max")
        rows["of_dose"] = rows["moves"] / under_dose.where(under_dose > 0)
    for column in CHANGES.get(name, []):
        rows[column] *= rng.choice([-1, 1], len(rows))
    return rows


def test_of_canvases_dealt_anew_no_claim_is_left(tmp_path):
    tables = {name: pd.read_parquet(PUBLISHED / f"canvas/{name}.parquet") for name in OF_CANVASES}
    hold("canvases", deals("canvas", canvases_dealt, tmp_path, **tables))
