"""The step transfer: sources flip themselves, shared geometry carries over, and noise has its norm."""

import numpy as np
import pytest
import torch

from interference.canvas import learn, transfer
from interference.canvas.family import Member, Pool, read_family
from interference.canvas.pairs import choose
from interference.store.tables import read_columns
from tests.support.canvases import composer, family_spec, member, small

pytestmark = pytest.mark.xdist_group("transfer")

SPEC = {
    "regime": family_spec([])["regime"],
    "halved": True,
    "flips": {"steps": 6, "starts": 1},
    "transfer": {"doses": [2.0], "pairs": 24},
}


@pytest.fixture(scope="module")
def families(small_images, tmp_path_factory):
    folder = tmp_path_factory.mktemp("transfer")
    paths = []
    for seed in (0, 1):
        for name, correlated in (("dose", False), ("correlated", True)):
            members = [
                member("m3", cells=6, dimensions=3, correlated=correlated),
                member("m6", cells=6, dimensions=6, correlated=correlated),
            ]
            paths.append(folder / f"{name}-s{seed}.json")
            learn.run(family_spec(members, seed=seed, family=name), small_images, paths[-1])
    return paths


@pytest.fixture(scope="module")
def table(small_images, families):
    output = families[0].with_name("transfer.parquet")
    transfer.run(SPEC, small_images, families, output)
    return read_columns(output)


def test_there_is_a_row_per_kind_of_features_dose_seeds_and_region(table):
    keys = ("features", "source_seed", "target_seed", "region")
    rows = set(zip(*(table[key].tolist() for key in keys)))
    assert len(table["success"]) == len(rows) == 2 * 2 * 2 * 4
    assert set(table["dose"]) == {2.0}


def test_a_source_is_always_flipped_by_its_own_changes(table):
    own = (table["source_seed"] == table["target_seed"]) & (table["region"] != "noise")
    assert (table["pairs"][own] > 0).all()
    assert (table["success"][own] > 0.9).all()
    assert table["success"][own].mean() > 0.95


def test_a_change_carries_over_to_an_equal_network_and_not_to_one_without_interference(
    small_images,
):
    settings, thresholds = member("m4", cells=6, dimensions=4), torch.zeros(6)
    network, deaf = small(), small()
    deaf.A[:] = 0
    for cell in range(6):
        deaf.A[cell, :, 0] = network.A[cell, :, 0] if cell == 0 else 0
    chosen = choose(composer(), 0, 24, 1)
    logits = network(chosen.images)[:, 0]
    thresholds = torch.full((6,), float(logits.median()))
    members = {
        seed: Member(settings, each, thresholds, torch.ones(6))
        for seed, each in enumerate((network, small(), deaf))
    }
    changed = transfer.stretched(members[0], chosen, SPEC, 0)
    rows = {
        (seed, region): success
        for seed, region, success, _ in transfer.outcomes(members, 0, chosen, changed)
    }
    for region in transfer.REGIONS:
        assert rows[1, region] == rows[0, region] > 0.9
    assert rows[2, "others"] == 0


def test_noise_has_the_norm_and_the_cells_of_the_change_of_the_others(small_images, families):
    one = read_family(families[0])[0][0]
    chosen = choose(Pool(small_images, "evaluation", SPEC).composer(6), 5, 24, 6)
    images = transfer.stretched(one, chosen, SPEC, 0)
    change, noise = (images[name] - chosen.images for name in ("others", "noise"))
    np.testing.assert_allclose(
        noise.flatten(1).norm(dim=1), change.flatten(1).norm(dim=1), rtol=1e-3, atol=1e-6
    )
    assert (noise[torch.arange(24), chosen.feature] == 0).all()
    assert (noise >= -1).all()
    assert images["noise"].min() >= 0
    assert images["noise"].max() <= 1
