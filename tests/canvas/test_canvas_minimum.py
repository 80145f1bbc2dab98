"""Least changes beside closed forms, a float64 solver and hand-made bottlenecks."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from interference.canvas.minimum import Pairs, flip, masks
from tests.support.canvases import (
    composer,
    gradients,
    handmade,
    pairs_near,
    small,
    tight_frame,
)

MASKS = ["all", "own", "others"]
SEARCH = {"steps": 20, "starts": 2, "seed": 0}


def radii(network, *, away=0.05, spread=0.1):
    """The radii of every feature by mask, each on two canvases."""
    feature = torch.arange(network.shape.cells).repeat_interleave(2)
    return {
        name: flip(
            network, pairs_near(network, cells, feature, away=away, spread=spread), **SEARCH
        ).radius
        for name, cells in masks(feature, network.shape.cells).items()
    }


@pytest.mark.parametrize("mask", MASKS)
def test_of_a_linear_network_it_finds_the_distance_to_the_hyperplane(mask):
    network, feature = handmade(tight_frame(7, 4)), torch.arange(14) % 7
    cells = masks(feature, 7)[mask]
    pairs = pairs_near(network, cells, feature, away=0.05, spread=0.1)
    norms = (gradients(network, pairs).double().flatten(2).norm(dim=2) * cells).norm(dim=1)
    found = flip(network, pairs, **SEARCH)
    np.testing.assert_allclose(found.radius, 0.05 / norms, rtol=2e-4)


def least_in_the_box(gradient, x, away):
    """min ‖δ‖ over gradient · δ = −away and 0 ≤ x + δ ≤ 1, by SLSQP in float64."""
    result = minimize(
        lambda d: d @ d,
        np.zeros_like(x),
        jac=lambda d: 2 * d,
        bounds=list(zip(-x, 1 - x)),
        constraints={"type": "eq", "fun": lambda d: gradient @ d + away, "jac": lambda d: gradient},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert result.success
    return math.sqrt(result.fun)


def test_of_a_linear_network_in_the_box_it_finds_what_a_solver_finds():
    network, feature = handmade(tight_frame(3, 2), side=4), torch.arange(6) % 3
    pairs = pairs_near(network, torch.ones(6, 3, dtype=torch.bool), feature, away=1.0, spread=0.5)
    found = flip(network, pairs, **SEARCH)
    slopes = gradients(network, pairs).double().flatten(1).numpy()
    images = pairs.images.double().flatten(1).numpy()
    known = [
        least_in_the_box((-1) ** (row + 1) * slope, x, 1.0)
        for row, (slope, x) in enumerate(zip(slopes, images))
    ]
    np.testing.assert_allclose(found.radius, known, rtol=3e-4)
    free = 1.0 / np.linalg.norm(slopes, axis=1)
    assert (np.array(known) > 1.01 * free).all(), "the box does not bind"


def test_orthogonal_features_have_no_interference():
    found = radii(handmade(torch.eye(6)))
    np.testing.assert_allclose(found["all"], found["own"], rtol=1e-4)
    assert found["others"].isinf().all()


def test_antipodal_pairs_halve_the_squared_radius():
    frame = torch.eye(3).repeat_interleave(2, dim=0) * torch.tensor([1.0, -1.0]).repeat(3)[:, None]
    found = radii(handmade(frame))
    np.testing.assert_allclose(found["all"], found["own"] / math.sqrt(2), rtol=3e-4)
    np.testing.assert_allclose(found["others"], found["own"], rtol=3e-4)


@pytest.mark.parametrize(("n", "m"), [(12, 4), (12, 2), (9, 6)])
def test_a_tight_frame_gives_minus_half_the_log_of_features_per_dimension(n, m):
    found = radii(handmade(tight_frame(n, m)), away=0.02)
    term = (found["all"] / found["own"]).log().mean()
    assert float(term) == pytest.approx(-math.log(n / m) / 2, rel=0.01)


def drawn_pairs(network, mask):
    """Pairs on composed canvases, thresholds at the features' mean logits."""
    images, feature = composer().compose(0, 0, 24).images, torch.arange(24) % 6
    threshold = network(images).mean(0)[feature]
    return Pairs(images, torch.arange(24), feature, threshold, masks(feature, 6)[mask])


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("hidden", [0, 9])
def test_what_is_reported_flips_in_the_box_and_the_mask(hidden, mask):
    network = small(hidden=hidden)
    pairs = drawn_pairs(network, mask)
    found = flip(network, pairs, **SEARCH)
    flipped = found.radius.isfinite()
    assert flipped.sum() >= 8
    at = torch.arange(24), pairs.feature
    before, after = (network(x)[at] > pairs.threshold for x in (pairs.images, found.images))
    assert torch.equal(before != after, flipped)
    assert found.images.min() >= 0
    assert found.images.max() <= 1
    change = found.images - pairs.images
    assert (change[~pairs.cells] == 0).all()
    assert (change[~flipped] == 0).all()
    measured = change.double().flatten(1).norm(dim=1)[flipped]
    np.testing.assert_allclose(found.radius[flipped], measured, rtol=1e-5)


def test_nothing_is_found_where_no_cell_may_change():
    network = small()
    pairs = drawn_pairs(network, "all")
    still = Pairs(
        pairs.images, pairs.canvas, pairs.feature, pairs.threshold, torch.zeros_like(pairs.cells)
    )
    found = flip(network, still, **SEARCH)
    assert found.radius.isinf().all()
    assert torch.equal(found.images, pairs.images)


def test_later_starts_wake_detectors_that_are_off():
    network = small(seed=2)
    network.c -= 0.1
    pairs = drawn_pairs(network, "own")
    one, three = (flip(network, pairs, steps=20, starts=n, seed=0).radius for n in (1, 3))
    assert (three <= one * (1 + 1e-3)).all()
    assert three.isfinite().sum() >= one.isfinite().sum() + 6


def test_a_pair_gets_the_same_change_whatever_the_batch():
    network = small(seed=2)
    pairs = drawn_pairs(network, "all")
    whole = flip(network, pairs, **SEARCH)
    parts = [
        flip(network, Pairs(**{name: value[rows] for name, value in vars(pairs).items()}), **SEARCH)
        for rows in torch.arange(24).split(7)
    ]
    np.testing.assert_allclose(torch.cat([part.radius for part in parts]), whole.radius, rtol=1e-5)
