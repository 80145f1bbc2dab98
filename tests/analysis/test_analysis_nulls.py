"""Planted effects and planted nulls of what is claimed of single images: at equal success and among
fallen images, of latents put back, of defences.

Of L0, FVU and baselines see test_analysis_trainings.py. A null deals the names of conditions anew:
training epsilons among the networks of a seed, which images fell, and of each image what came of each
set of latents or of each defence.
"""

import itertools

import numpy as np
import pandas as pd
import pytest

from interference.analysis.tables import claims, defences, fair, interventions
from tests.analysis.test_analysis_trainings import ATTACK, FALLS, SEEDS, SPEC, network
from tests.support.nulls import DEALS, DEALT, claimed, hold

IMAGES, EPSILONS = 120, (0.5, 1.0, 2.0)
SAE = {"layer": "layer4", "type": "topk", "sparsity": 8.0, "sae_seed": 0}
NETWORKS = [network(seed, epsilon) for seed in SEEDS for epsilon in FALLS]
CLEAN = [each for each in NETWORKS if each["model_norm"] == "clean"]
SETS, DEFENCES = ("woken", "random", "top", "error"), ("sae", "none", "pca")


def tasted(rng, share):
    """Which images an event is on, each with this probability."""
    return rng.random(IMAGES) < share


@pytest.fixture(scope="module")
def planted():
    """Raw tables: what an attack makes of predictions and of L0; and of the clean networks what comes of
    restoring latents, and of defences."""
    rng = np.random.default_rng(0)
    image, size = np.arange(IMAGES), rng.gamma(4, 1, IMAGES)
    frame = {"image": image, "label": 1}
    tables = {"clean": [], "attacked": [], "l0": [], "interventions": [], "defences": []}
    for own in NETWORKS:
        right = tasted(rng, 0.95)
        tables["clean"].append(pd.DataFrame({**own, **frame, "prediction": right.astype(int)}))
        hard = rng.random(IMAGES)  # an image that falls falls at all larger epsilons
        for epsilon in EPSILONS:
            fooled = 0.45 * epsilon / (1 + 0.3 * own["model_epsilon"]) + 0.05
            fell = hard < fooled
            prediction = (right & ~fell).astype(int)
            tables["attacked"].append(
                pd.DataFrame({**own, **frame, "attack": "pgd", "epsilon": epsilon, "prediction": prediction})
            )  # fmt: skip
            rise = 1 + 0.6 * fooled * FALLS[own["model_epsilon"]] + 0.2 * fell
            for attack, factor in (("pgd", rise), ("noise", 1.02)):
                l0 = size * factor * rng.uniform(0.95, 1.05, IMAGES)
                named = {"attack": attack, "epsilon": epsilon, "image": image}
                tables["l0"].append(pd.DataFrame({**own, **SAE, **named, "l0": l0, "woken": l0}))
        named = {"attack": "clean", "epsilon": 0.0, "image": image}
        tables["l0"].append(pd.DataFrame({**own, **SAE, **named, "l0": size, "woken": 0.0}))
    for own in CLEAN:
        right, fallen = tasted(rng, 0.95), tasted(rng, 0.8)
        facts = {"latents": 1.0, "moved": 1.0, "next_woken": 1.0}
        for intervention, name in itertools.product(("restore", "insert"), ("none", *SETS)):
            returns = tasted(rng, 0.6 if name == "woken" else 0.2) & (name != "none")
            prediction = right & (~fallen | returns if intervention == "restore" else True)
            tables["interventions"].append(pd.DataFrame({
                **own, **SAE, **frame, **facts, "intervention": intervention, "set": name,
                "prediction": prediction.astype(int),
            }))  # fmt: skip
        for name, share in zip(DEFENCES, (0.6, 0.1, 0.3)):
            alone = dict.fromkeys(SAE, np.nan) | {"layer": "", "type": ""}
            columns = {"components": 1.0, "zero_gradients": 0, "fvu": 0.2, "transferred": 1}
            tables["defences"].append(pd.DataFrame({
                **own, **(alone if name == "none" else SAE), **frame, **columns, "defence": name,
                "clean": 1, "adaptive": tasted(rng, share).astype(int),
            }))  # fmt: skip
    return {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()}


def dealt(table, among, what, rng):
    """The table with a column's values dealt anew among the rows that these columns put together."""
    order = table.assign(chance=rng.random(len(table))).sort_values([*among, "chance"]).index
    values = table.loc[order, what].to_numpy()
    return table.assign(**{what: pd.Series(values, table.sort_values(among, kind="stable").index)})


def permuted(planted, rng):
    """The same measurements under names of conditions that are dealt anew."""
    names = {
        network(seed, epsilon)["model"]: network(seed, other)
        for seed in SEEDS
        for epsilon, other in zip(FALLS, rng.permutation(list(FALLS)))
    }
    tables = {
        name: planted[name].assign(**pd.DataFrame(planted[name]["model"].map(names).tolist()))
        for name in ("l0", "clean", "attacked")
    }
    # images change places as wholes, so that one that falls does so at all larger epsilons still
    places = {model: rng.permutation(IMAGES) for model in planted["clean"]["model"].unique()}
    for name in ("clean", "attacked"):
        at = [places[m][i] for m, i in zip(tables[name]["model"], tables[name]["image"])]
        tables[name]["image"] = at
    sets = planted["interventions"]
    moved = sets["set"] != "none"
    among = ["model", "layer", "type", "intervention", "image"]
    tables["interventions"] = pd.concat(
        [sets[~moved], dealt(sets[moved], among, "prediction", rng)], ignore_index=True
    )
    tables["defences"] = dealt(planted["defences"], ["model", "image"], "adaptive", rng)
    return tables


def concluded(raw, folder):
    """The table claims of raw tables."""
    paths = {name: [folder / f"{name}.parquet"] for name in raw}
    for name, (path,) in paths.items():
        raw[name].to_parquet(path)
    compared = {name: paths[name] for name in ("l0", "clean", "attacked")}
    tables = {
        "fair": fair.build(SPEC | ATTACK | {"noise": "noise"}, **compared),
        "interventions": interventions.build(SPEC, paths["interventions"]),
        "defences": defences.build(SPEC, paths["defences"]),
    }
    return claims.decide(tables, {"confidence": 0.95, **ATTACK})


def test_planted_effects_are_found(planted, tmp_path):
    found = concluded(planted, tmp_path)
    assert sorted(found["key"]) == sorted(claimed(DEALT["images"][0]))
    assert set(found["verdict"]) == {"reproduced"}
    assert set(found["about"]) == {"networks"}


def test_planted_nulls_are_hardly_ever_reproduced(planted, tmp_path):
    rng = np.random.default_rng(0)
    hold("images", [concluded(permuted(planted, rng), tmp_path) for _ in range(DEALS)])
