"""The table of interventions, on outcomes written by hand."""

import numpy as np
import pandas as pd
import pytest

from interference.analysis.tables.interventions import CONTROLS, build
from interference.probes.intervene import INTERVENTIONS, SETS

SPEC = {"confidence": 0.95, "resamples": 200, "seed": 0}
IMAGES = 12
MEMBER = {
    "model": "clean-s0", "model_architecture": "resnet18", "model_norm": "clean",
    "model_epsilon": 0.0, "model_seed": 0, "layer": "layer1", "type": "topk", "sparsity": 8.0,
    "sae_seed": 0,
}  # fmt: skip


@pytest.fixture
def outcomes(tmp_path):
    """Ten of twelve images are right; the attack breaks eight of them. Put back, woken latents return
    six of the eight, random ones one; put in, they break five of the ten, random ones none."""
    wrong = {
        ("insert", "none"): {10, 11},
        ("restore", "none"): {*range(8), 10, 11},
        ("restore", "woken"): {6, 7, 8, 10},  # and one of those that the attack left right
        ("restore", "random"): {*range(7), 10, 11},
        ("insert", "woken"): {*range(5), 10, 11},
        ("insert", "random"): {10, 11},
    }
    parts = []
    for intervention in INTERVENTIONS:
        for name in SETS:
            broken = wrong.get((intervention, name), wrong[intervention, "none"])
            parts.append(
                pd.DataFrame(
                    {
                        **MEMBER,
                        "intervention": intervention,
                        "set": name,
                        "image": np.arange(IMAGES),
                        "label": 1,
                        "prediction": [2 if i in broken else 1 for i in range(IMAGES)],
                        "latents": np.arange(IMAGES, dtype=float),
                        "moved": 0.5,
                        "next_woken": 3.0 if name == "woken" else 4.0,
                    }
                )
            )
    frame = pd.concat(parts)
    frame.to_parquet(tmp_path / "out.parquet")
    return [tmp_path / "out.parquet"]


def test_shares_are_over_the_images_that_count(outcomes):
    table = build(SPEC, outcomes).set_index(["intervention", "set"])
    woken = table.loc["restore", "woken"]
    assert (woken["counted"], woken["share"]) == (8, 6 / 8)
    assert woken["over_random"] == pytest.approx(6 / 8 - 1 / 8)
    assert woken["over_random_low"] > 0
    assert woken["latents"] == np.mean(range(8))
    assert woken["next_share"] == 3 / 4
    woken = table.loc["insert", "woken"]
    assert (woken["counted"], woken["share"]) == (10, 5 / 10)
    assert woken["over_random"] == 0.5
    for name in ("none", *CONTROLS):
        assert table.loc[("insert", name), "share"] == 0


def test_where_the_attack_breaks_nothing_there_is_no_share(outcomes, tmp_path):
    frame = pd.read_parquet(outcomes[0])
    frame.loc[frame["intervention"] == "restore", "prediction"] = 1
    frame.to_parquet(tmp_path / "held.parquet")
    table = build(SPEC, [tmp_path / "held.parquet"])
    restored = table[table["intervention"] == "restore"]
    assert (restored["counted"] == 0).all()
    assert restored[["share", "over_random", "latents"]].isna().all(axis=None)


def test_there_is_a_row_per_member_intervention_and_set(outcomes):
    table = build(SPEC, outcomes)
    assert len(table) == len(INTERVENTIONS) * len(SETS)
    assert (table[[*MEMBER]] == [*MEMBER.values()]).all(axis=None)
