"""Attacks within a radius: inside ball, box and mask, and each moves its feature's logit."""

import numpy as np
import pytest
import torch

from interference.canvas.bounded import Adversary, attacked, drawn
from interference.canvas.minimum import masks
from interference.compute import generator
from tests.support.canvases import composer, small


@pytest.mark.parametrize("cells", ["all", "own", "others"])
def test_an_attack_stays_in_its_ball_and_mask_and_moves_its_feature(cells):
    network, batch = small(), composer().compose(0, 0, 24)
    feature = torch.arange(24) % 6
    changed = attacked(network, batch.images, batch.labels, feature, Adversary(0.3, 4, cells))
    change = changed - batch.images
    assert change.flatten(1).norm(dim=1).max() <= 0.3 * (1 + 1e-5)
    assert (changed >= 0).all()
    assert (changed <= 1).all()
    assert (change[~masks(feature, 6)[cells]] == 0).all()
    rows = torch.arange(24), feature
    wrong = 1 - 2 * batch.labels[rows].float()
    moved = wrong * (network(changed) - network(batch.images))[rows]
    assert (moved > 0).sum() >= 20


def test_an_attack_of_no_radius_changes_nothing():
    batch = composer().compose(0, 0, 4)
    found = attacked(small(), batch.images, batch.labels, torch.arange(4), Adversary(0.0, 4, "all"))
    assert torch.equal(found, batch.images)


def test_features_are_drawn_on_and_off_in_turn_and_each_alike():
    labels = torch.tensor([[True, True, False, False]]).repeat(4000, 1)
    chosen = drawn(labels, generator(0))
    assert (chosen[::2] < 2).all()
    assert (chosen[1::2] >= 2).all()
    np.testing.assert_allclose(torch.bincount(chosen) / 4000, 0.25, atol=0.03)


@pytest.mark.parametrize("value", [True, False])
def test_where_all_features_are_alike_any_is_drawn(value):
    chosen = drawn(torch.full((900, 3), value), generator(0))
    assert torch.bincount(chosen).min() > 200
