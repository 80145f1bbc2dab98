"""The default's page from tables of its shape, made of published ones.

Networks, layers, SAE types, attacks and densities are those of config.yaml, and so is the number of
rows, or it is larger; every number but the toy models' overlaps is one that a larger experiment measured.
"""

import json
from functools import cache

import numpy as np
import pandas as pd

from interference.config.load import read_config
from interference.plan.specs import Specs
from interference.report.page import gallery
from tests.support import REPO
from tests.support.pages import composed, tables_of

#: Tables on networks.
OF_NETWORKS = ("accuracy", "saes", "matched", "baselines", "l0", "fair", "splice", "interventions",
               "defences", "least", "structure")  # fmt: skip
#: Verdict on several trainings → on one.
OF_ONE = {"reproduced": "holds here", "not reproduced": "fails here", "no effect": "no effect here"}
SPECS = Specs(read_config(REPO / "config.yaml"))
#: Attacks, and what rows are held against.
ATTACKS = {
    "clean",
    "stood",
    "displaced-random",
    "displaced-covariance",
    "step",
    "gradient",
    *SPECS.config.attacks.methods,
}


@cache
def page() -> str:
    """The page."""
    pictures = gallery([REPO / "workflow/published/fashion/gallery-clean-s0.png"])
    spec = json.loads(SPECS.page())
    return composed(spec, tables(), pictures)


def tables() -> dict[str, pd.DataFrame]:
    """The tables that the page reads, by name."""
    canvas, dose, toy = (
        SPECS.config.canvas,
        tables_of("canvas")["dose"],
        tables_of("toy-full")["toy"],
    )
    every = np.sort(toy["density"].unique())
    densities = every[:: len(every) // SPECS.config.toy.densities.count]
    return {
        "claims": _claims(),
        **{name: _of_one_training(tables_of("fashion")[name]) for name in OF_NETWORKS},
        "dose": dose[dose["family"].isin(canvas.families) & dose["regime"].isin(canvas.regimes)],
        "toy": toy[toy["density"].isin(densities)],
        **_geometry(densities[2:7]),
    }  # fmt: skip


def _of_one_training(table: pd.DataFrame) -> pd.DataFrame:
    """The rows on the default's networks, as if of one training."""
    names = {(model.norm, model.epsilon): name for name, model in SPECS.models.items()}
    keys = zip(table["model_norm"], table["model_epsilon"])
    table = table.assign(model=[names.get(key, "") for key in keys])
    one = table["about"] == "networks" if "about" in table else table["model_seed"] == 0
    rows = _of_its_kinds(table[one & (table["model"] != "")])
    return rows.assign(model_seed=0, about="this network")


def _of_its_kinds(table: pd.DataFrame) -> pd.DataFrame:
    """The rows on the default's SAE types and attacks."""
    kinds = {column: {"", *ATTACKS} for column in ("attack", "reference", "against")}
    if "layer" in table:  # where it has none, types are those of attacks
        kinds["type"] = {"", *SPECS.sae_types}
    for column, allowed in kinds.items():
        table = table[table[column].isin(allowed)] if column in table else table
    return table


def _claims() -> pd.DataFrame:
    """Claims on toy models, canvases and networks, the last as if of one training."""
    toy, canvas, networks = (
        tables_of(name)["claims"] for name in ("toy-full", "canvas", "fashion")
    )
    networks = _of_its_kinds(networks[networks["about"] == "networks"])
    networks = networks[~networks["scope"].str.contains("linf")]
    networks = networks.assign(about="this network", verdict=networks["verdict"].replace(OF_ONE))
    parts = [toy[toy["about"] == "toy models"], canvas[canvas["about"] == "canvases"], networks]
    return pd.concat(parts, ignore_index=True)


def _geometry(densities: np.ndarray) -> dict[str, pd.DataFrame]:
    """Overlaps of random features, half of them learned, and an attack on one input."""
    rng, toy, pairs, example = np.random.default_rng(0), SPECS.config.toy, [], []
    i, j = np.triu_indices(toy.features)
    for training in ("clean", "adversarial"):
        for density in densities:
            weights = rng.normal(size=(toy.features, toy.hidden))
            weights /= np.linalg.norm(weights, axis=1, keepdims=True)
            pairs.append(pd.DataFrame({
                "training": training, "density": density, "i": i, "j": j,
                "overlap": (weights @ weights.T)[i, j], "learned": (i % 2 == 0) & (j % 2 == 0),
            }))  # fmt: skip
        numbers = rng.uniform(size=(4, toy.features))
        numbers[:2, 10:] = 0
        columns = ("input_clean", "input_attacked", "output_clean", "output_attacked")
        example.append(pd.DataFrame({
            "training": training, "density": densities[0], "feature": np.arange(toy.features),
            **dict(zip(columns, numbers)),
        }))  # fmt: skip
    return {"pairs": pd.concat(pairs), "example": pd.concat(example)}
