"""How much features are about one thing: hand-made features, and brute force."""

import math

import numpy as np
import pytest
import torch

from interference.compute import generator
from interference.rivals import count
from interference.rivals.monosemantic import as_sparse, coherence, interpreted, selectivity
from interference.store.tables import read_columns
from tests.rivals.test_rival_steps import COUNT

LABELS = torch.arange(4).repeat_interleave(5)


def test_a_feature_of_one_class_is_selective_and_one_of_all_is_not():
    a = torch.stack([LABELS == 2, LABELS >= 0, LABELS < 2], 1).float()
    found = selectivity(a, LABELS, 4)
    np.testing.assert_allclose(found, [1, 0, 1 - math.log(2) / math.log(4)], atol=1e-12)
    assert selectivity(torch.zeros(20, 1), LABELS, 4).isnan().all()


def test_selectivity_does_not_know_how_many_images_a_class_has():
    a, labels = (LABELS < 2).float()[:, None], LABELS
    more = torch.cat([torch.arange(20), torch.arange(5).repeat(7)])
    assert selectivity(a[more], labels[more], 4).item() == pytest.approx(
        selectivity(a, labels, 4).item()
    )


def test_coherence_is_that_of_all_pairs_one_by_one():
    draw = generator(0)
    a, x = torch.rand(12, 3, generator=draw), torch.rand(12, 30, generator=draw)
    x64 = x.numpy().astype(float) - x.numpy().astype(float).mean(0)
    unit = x64 / np.linalg.norm(x64, axis=1, keepdims=True)
    for feature, found in enumerate(coherence(a, x).tolist()):
        top = bottom = 0.0
        for i in range(12):
            for j in range(12):
                if i != j:
                    weight = float(a[i, feature]) * float(a[j, feature])
                    top, bottom = top + weight * float(unit[i] @ unit[j]), bottom + weight
        assert found == pytest.approx(top / bottom, abs=1e-6)


def test_images_that_are_equal_are_coherent_and_one_alone_says_nothing():
    x = torch.eye(4).repeat_interleave(5, 0)
    a = torch.zeros(20, 3)
    a[5:10, 0], a[0, 1], a[:, 2] = 1, 1, 1
    same, alone, every = coherence(a, x).tolist()
    assert same == pytest.approx(1)
    assert math.isnan(alone)
    assert every == pytest.approx(-1 / 19)  # centred, all cosines add up to 0


def test_random_directions_are_active_on_as_many_images():
    draw = generator(1)
    h, a = torch.randn(200, 6, generator=draw), torch.randn(200, 9, generator=draw).relu()
    a[:, 0], a[7, 0], a[:, 1] = 0, 1, 1
    beside = as_sparse(h, a, draw)
    counts, own = (beside > 0).sum(0), (a > 0).sum(0)
    assert (counts[1], own[1]) == (199, 200)
    assert torch.equal(counts[2:], own[2:])
    assert counts[0] == 1


def test_features_that_are_random_directions_have_nothing_beyond_them():
    draw = generator(2)
    x = torch.randn(1000, 40, generator=draw)
    labels = (x[:, 0] > 0).long()
    h = x @ torch.randn(40, 20, generator=draw)
    a = as_sparse(h, (torch.rand(1000, 300, generator=draw) < 0.2).float(), draw)
    random = interpreted(h, a, x, labels, 2, draw)
    assert random["active"] == pytest.approx(0.2, abs=0.01)
    assert random["coherence"] == pytest.approx(random["coherence_random"], abs=0.005)
    assert random["selectivity"] == pytest.approx(random["selectivity_random"], abs=0.01)
    planted = interpreted(h, torch.stack([labels, 1 - labels], 1).float(), x, labels, 2, draw)
    assert planted["selectivity"] == 1 > planted["selectivity_random"] + 0.5


def test_features_that_hardly_fire_do_not_count():
    a = torch.zeros(200, 3)
    a[0, 0], a[:2, 1] = 1, 1
    x, labels = torch.rand(200, 5, generator=generator(3)), torch.arange(200) % 4
    found = interpreted(torch.rand(200, 4, generator=generator(4)), a, x, labels, 4, generator(5))
    assert found["living"] == 1
    none = interpreted(x, torch.zeros(200, 3), x, labels, 4, generator(5))
    assert none["living"] == 0
    assert math.isnan(none["selectivity"])


def test_what_units_and_latents_are_about_stands_beside_the_counts(small_images, tmp_path):
    count.run(COUNT, small_images, tmp_path / "counts.parquet")
    found = read_columns(tmp_path / "counts.meanings.parquet")
    counts = read_columns(tmp_path / "counts.parquet")
    assert len(found["classes"]) == (counts["images"] == "clean").sum() == 8
    for of, most in (("unit", 1), ("latent", 2)):
        assert (found[f"{of}_living"] <= most * found["width"]).all()
        known = found[f"{of}_living"] > 0
        for end in ("", "_random"):
            values = found[f"{of}_selectivity{end}"][known]
            assert ((values >= -1e-12) & (values <= 1 + 1e-12)).all()
