"""The hand-derived gradients are those of the losses that the docstrings state."""

import pytest
import torch

from interference.toy.model import encode, loss, norms, propagate
from interference.toy.train import clean_gradients, robust_gradients, steepest_ascent

TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-5}
MODELS, FEATURES, HIDDEN, BATCH = 3, 12, 4, 32
WEIGHT, RELATIVE_EPSILON = 0.3, 0.2


@pytest.fixture(params=TOLERANCE, ids=str)
def stack(request):
    """W, b and x of a small stack with live and dead outputs and zeros in x, for autograd."""
    random = torch.Generator().manual_seed(0)
    W = torch.randn(MODELS, HIDDEN, FEATURES, generator=random, dtype=request.param) * 0.5
    b = torch.randn(MODELS, FEATURES, generator=random, dtype=request.param) * 0.2
    x = (1 - torch.rand(MODELS, FEATURES, BATCH, generator=random, dtype=request.param) * 2).relu()
    return W.requires_grad_(), b.requires_grad_(), x


def squared_error(W, b, inputs, target):
    """(x' − x)² straight from the definition, (S, n, B)."""
    return ((W.mT @ (W @ inputs) + b.unsqueeze(-1)).relu() - target).square()


def autograd_perturbation(W, b, x, noise, radius):
    """δ: each sample's input gradient at x + noise, scaled to its radius."""
    inputs = (x + noise).requires_grad_()
    (gradient,) = torch.autograd.grad(squared_error(W, b, inputs, x).sum(), inputs)
    return radius * gradient / gradient.norm(dim=1, keepdim=True)


def summed(losses):
    """Sum over the stack of each model's mean squared error."""
    return losses.mean(dim=(1, 2)).sum()


def assert_close(found, expected):
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours - theirs).norm() <= TOLERANCE[ours.dtype] * theirs.norm()


def test_loss_is_the_mean_squared_error_of_the_definition(stack):
    W, b, x = (t.detach() for t in stack)
    expected = squared_error(W, b, x, x).mean(dim=(1, 2)).double()
    assert_close([loss(W, b, encode(W, x), x).to(x.dtype)], [expected.to(x.dtype)])


def test_norms_are_each_samples_l2_norm(stack):
    x = stack[2]
    assert_close([norms(x)], [x.norm(dim=1, keepdim=True)])


def test_clean_gradient_agrees_with_autograd(stack):
    W, b, x = stack
    expected = torch.autograd.grad(summed(squared_error(W, b, x, x)), [W, b])
    assert_close(clean_gradients(W.detach(), b.detach(), x), expected)


@pytest.mark.parametrize("deviation", [0.0, 0.05])
def test_robust_gradient_agrees_with_autograd_with_the_attack_held_constant(stack, deviation):
    W, b, x = stack
    noise = deviation * torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    noise = noise.to(x.dtype)
    radius = RELATIVE_EPSILON * x.norm(dim=1, keepdim=True)
    delta = autograd_perturbation(W, b, x, noise, radius)
    clean, attacked = squared_error(W, b, x, x), squared_error(W, b, x + delta, x)
    total = summed((1 - WEIGHT) * clean + WEIGHT * attacked)
    expected = torch.autograd.grad(total, [W, b])
    found = robust_gradients(
        W.detach(), b.detach(), x, radius, WEIGHT, noise if deviation else None
    )
    assert_close(found, expected)


def test_robust_gradient_of_weight_zero_is_the_clean_gradient(stack):
    W, b, x = (t.detach() for t in stack)
    found = robust_gradients(W, b, x, RELATIVE_EPSILON * norms(x), 0.0, None)
    assert_close(found, clean_gradients(W, b, x))


def test_hidden_space_perturbation_is_the_scaled_input_gradient(stack):
    W, b, x = stack
    radius = RELATIVE_EPSILON * x.norm(dim=1, keepdim=True)
    delta = autograd_perturbation(W, b, x, torch.zeros_like(x), radius)
    W, b = W.detach(), b.detach()
    found = steepest_ascent(W, propagate(W, b, encode(W, x), x).hidden_error, radius)
    assert_close([W.mT @ found.code, found.shift], [delta, W @ delta])
