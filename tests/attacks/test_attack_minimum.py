"""Least changes beside closed forms and a float64 solver."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import nn

from interference.attacks.minimum import least
from interference.attacks.victim import Victim

STEPS = 40


def linear(classes, shape, scale=1.0, seed=0):
    """A linear network, its weights (classes, d), and images of it near the middle of the box."""
    draw = torch.Generator().manual_seed(seed)
    weights = scale * torch.randn(classes, int(np.prod(shape)), generator=draw)
    x = 0.5 + 0.05 * torch.randn(12, *shape, generator=draw)
    return (lambda images: images.flatten(1) @ weights.T), weights, x.clamp(0, 1)


def flipped(logits, x, steps=STEPS):
    return least(Victim(logits, logits(x).argmax(1)), x, steps=steps)


@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0])
@pytest.mark.parametrize("classes", [2, 5])
def test_of_a_linear_network_it_finds_the_distance_to_the_nearest_hyperplane(classes, scale):
    logits, weights, x = linear(classes, (1, 8, 8), scale)
    scores = logits(x).double()
    own = scores.argmax(1)
    gaps = scores.gather(1, own[:, None]) - scores
    norms = (weights[own][:, None] - weights).double().norm(dim=2)
    known = torch.where(gaps > 0, gaps / norms, torch.inf).amin(1)
    np.testing.assert_allclose(flipped(logits, x).radius, known, rtol=5e-3)


def least_in_the_box(towards, image, gap):
    """min ‖δ‖ over towards · δ ≥ gap and 0 ≤ image + δ ≤ 1, by SLSQP in float64; None where there is none."""
    known = minimize(
        lambda d: d @ d, np.zeros(len(image)), jac=lambda d: 2 * d, bounds=list(zip(-image, 1 - image)),
        constraints={"type": "ineq", "fun": lambda d: towards @ d - gap},
        method="SLSQP", options={"ftol": 1e-14, "maxiter": 300},
    )  # fmt: skip
    return np.sqrt(known.fun) if known.success else None


def test_in_the_box_it_finds_what_a_solver_finds():
    logits, weights, x = linear(2, (1, 3, 3))
    x = (x > 0.5).float() * 0.9 + 0.05  # near the walls
    slope, own = (weights[1] - weights[0]).double().numpy(), logits(x).argmax(1)
    found = flipped(logits, x).radius
    bound = 0
    for image, label, radius in zip(x.double().flatten(1).numpy(), own, found):
        towards, gap = (-1) ** int(label) * slope, abs(image @ slope)
        known = least_in_the_box(towards, image, gap)
        if known is not None:
            assert float(radius) == pytest.approx(known, rel=0.02)
            bound += known > 1.02 * gap / np.linalg.norm(slope)
    assert bound >= 3, "the box does not bind"


def bent(classes=4, seed=0):
    """A network with a hidden layer, and images."""
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Flatten(), nn.Linear(36, 24), nn.ReLU(), nn.Linear(24, classes))
    return network.requires_grad_(False), torch.rand(16, 1, 6, 6)


def test_what_is_reported_flips_within_the_box():
    network, x = bent()
    found, own = flipped(network, x), network(x).argmax(1)
    assert found.radius.isfinite().all()
    assert (network(found.images).argmax(1) != own).all()
    assert found.images.min() >= 0
    assert found.images.max() <= 1
    measured = (found.images - x).double().flatten(1).norm(dim=1)
    np.testing.assert_allclose(found.radius, measured, rtol=1e-5)
    shorter = network(x + 0.95 * (found.images - x)).argmax(1)
    assert (shorter == own).all(), "a part of the way flips"


def test_what_is_mistaken_as_it_is_needs_no_change():
    network, x = bent()
    wrong = (network(x).argmax(1) + 1) % 4
    found = least(Victim(network, wrong), x, steps=STEPS)
    assert (found.radius == 0).all()
    assert torch.equal(found.images, x)


def test_nothing_is_found_where_nothing_flips():
    def constant(images):
        return images.flatten(1)[:, :1] * 0 + torch.tensor([1.0, 0.0])

    x = torch.rand(3, 1, 4, 4)
    found = flipped(constant, x)
    assert found.radius.isinf().all()
    assert torch.equal(found.images, x)


def test_an_image_gets_the_same_change_whatever_the_batch():
    network, x = bent()
    whole = flipped(network, x)
    parts = torch.cat([flipped(network, part).radius for part in x.split(5)])
    np.testing.assert_allclose(parts, whole.radius, rtol=1e-5)


def test_few_steps_are_nearly_as_good_as_many():
    network, x = bent()
    few, many = (flipped(network, x, steps).radius.median() for steps in (30, 300))
    assert few <= 1.02 * many
