"""The hand-derived gradients are those of the losses that the docstrings state.

Every path of the trainer, in torch and compiled, against autograd of the definition.
"""

import numpy as np
import pytest
import torch

from interference.kernels.compile import fast_cached
from interference.toy import compiled
from interference.toy.model import encode, loss, norms, propagate
from interference.toy.stacked import clean_gradients, radii, robust_gradients, steepest_ascent
from interference.toy.step import GRADIENT, NONE
from interference.toy.step import gradients as inner_gradients

#: A part of the compiled step, here with machine code of its own that is kept: 9 CPU seconds per dtype.
gradients = fast_cached(inner_gradients.py_func)
TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-5}
MODELS, FEATURES, HIDDEN, BATCH = 3, 14, 5, 33
DENSITY = 0.5
ONE_STEP = {"type": "gradient", "steps": 1, "relative_step": 1.0, "noise": 0.0}
ROBUST = {"relative_epsilon": 0.2, "radius": "sample", "weight": 0.3, "attack": ONE_STEP}
PATHS = {
    "one step": ROBUST,
    "noise": ROBUST | {"attack": ONE_STEP | {"noise": 0.05}},
    "several steps": ROBUST | {"attack": ONE_STEP | {"steps": 4, "relative_step": 0.6}},
    "a step too long": ROBUST | {"attack": ONE_STEP | {"relative_step": 1.7}},
    "a short step": ROBUST | {"attack": ONE_STEP | {"relative_step": 0.5}},
    "noise and steps": ROBUST | {"attack": ONE_STEP | {"steps": 3, "noise": 0.05}},
    "analytic": ROBUST | {"attack": {"type": "analytic"}},
    "mean radius": ROBUST | {"radius": "mean"},
    "attacked loss alone": ROBUST | {"weight": 1.0},
}


@pytest.fixture(params=TOLERANCE, ids=str)
def kind(request):
    return request.param


@pytest.fixture
def uniforms(kind):
    return torch.rand(FEATURES, BATCH, generator=torch.Generator().manual_seed(1), dtype=kind)


@pytest.fixture
def normals(kind):
    return torch.randn(FEATURES, BATCH, generator=torch.Generator().manual_seed(2), dtype=kind)


@pytest.fixture
def stack(kind, uniforms):
    """W, b and x of a small stack with live and dead outputs and zeros in x, for autograd."""
    random = torch.Generator().manual_seed(0)
    W = torch.randn(MODELS, HIDDEN, FEATURES, generator=random, dtype=kind) * 0.5
    b = torch.randn(MODELS, FEATURES, generator=random, dtype=kind) * 0.2
    x = (1 - uniforms / DENSITY).relu().expand(MODELS, -1, -1)
    return W.requires_grad_(), b.requires_grad_(), x


def squared_error(W, b, inputs, target):
    """(x' − x)² straight from the definition, (S, n, B)."""
    return ((W.mT @ (W @ inputs) + b.unsqueeze(-1)).relu() - target).square()


def length(delta):
    return delta.norm(dim=1, keepdim=True)


def radius_of(x, robust):
    lengths = length(x)
    if robust["radius"] == "mean":
        lengths = lengths.mean(dim=-1, keepdim=True)
    return robust["relative_epsilon"] * lengths


def projected_ascent(W, b, x, noise, radius, attack):
    """δ: steps of normalised input gradients, projected onto the ball after each."""
    delta = torch.zeros_like(x)
    for step in range(attack["steps"]):
        inputs = (x + (noise if step == 0 else delta)).detach().requires_grad_()
        (gradient,) = torch.autograd.grad(squared_error(W, b, inputs, x).sum(), inputs)
        delta = delta + attack["relative_step"] * radius * gradient / length(gradient)
        delta = delta * (radius / length(delta)).clamp(max=1)
    return delta


def worst_direction(W, b, x, radius):
    """δ: of ±(Wᵀ W)_i at full radius, the one with the largest loss, found by trying each."""
    deltas = [
        sign * radius * (direction / direction.norm(dim=1, keepdim=True))
        for direction in (W.mT @ W).detach().split(1, dim=-1)
        for sign in (1, -1)
    ]
    losses = torch.stack([squared_error(W, b, x + d, x).sum(1) for d in deltas])
    best = losses.argmax(0)[None, :, None].expand(1, -1, FEATURES, -1)
    return torch.stack([d.expand_as(x) for d in deltas]).gather(0, best)[0]


def expected_gradients(stack, normals, robust):
    """Autograd of (1 − weight) · clean + weight · attacked loss, the perturbation held constant."""
    W, b, x = stack
    radius, attack, weight = radius_of(x, robust), robust["attack"], robust["weight"]
    if attack["type"] == "analytic":
        delta = worst_direction(W, b, x, radius)
    else:
        delta = projected_ascent(W, b, x, attack["noise"] * normals, radius, attack)
    clean, attacked = squared_error(W, b, x, x), squared_error(W, b, x + delta.detach(), x)
    return torch.autograd.grad(summed((1 - weight) * clean + weight * attacked), [W, b])


def compiled_gradients(stack, uniforms, normals, robust, attack):
    """What the compiled step computes, as (W, b) of the stack."""
    W, b, _ = (t.detach().numpy() for t in stack)
    spec = {
        "features": FEATURES,
        "hidden": HIDDEN,
        "batch_size": BATCH,
        "densities": [DENSITY],
        "seeds": [0],
        "adversarial": robust,
    }
    stepper = compiled.Stepper(spec, compiled.State({"W": W}, 0, [], []))
    scratch, found = stepper.scratch, []
    for model in range(MODELS):
        gradients(scratch, W[model], b[model], uniforms.numpy(), normals.numpy(),
                          stepper.models[0][0], attack, stepper.reals, stepper.counts)  # fmt: skip
        found.append(
            (scratch.grad_W[:HIDDEN, :FEATURES].copy(), scratch.grad_b[0, :FEATURES].copy())
        )
    return [torch.from_numpy(np.stack(part)) for part in zip(*found)]


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


def test_clean_gradients_agree_with_autograd(stack, uniforms, normals):
    W, b, x = stack
    expected = torch.autograd.grad(summed(squared_error(W, b, x, x)), [W, b])
    assert_close(clean_gradients(W.detach(), b.detach(), x), expected)
    found = compiled_gradients(stack, uniforms, normals, ROBUST, NONE)
    assert_close(found, expected)


@pytest.mark.parametrize("robust", PATHS.values(), ids=PATHS)
def test_robust_gradients_agree_with_autograd_with_the_attack_held_constant(
    stack, uniforms, normals, robust
):
    expected = expected_gradients(stack, normals, robust)
    W, b, x = (t.detach() for t in stack)
    deviation = robust["attack"].get("noise", 0)
    noise = deviation * normals if deviation else None
    assert_close(robust_gradients(W, b, x, noise, robust), expected)
    attack = compiled.ATTACKS[robust["attack"]["type"]]
    assert_close(compiled_gradients(stack, uniforms, normals, robust, attack), expected)


def test_robust_gradients_of_weight_zero_are_the_clean_gradients(stack):
    W, b, x = (t.detach() for t in stack)
    found = robust_gradients(W, b, x, None, ROBUST | {"weight": 0.0})
    assert_close(found, clean_gradients(W, b, x))


def test_hidden_space_perturbation_is_the_scaled_input_gradient(stack):
    W, b, x = stack
    delta = projected_ascent(W, b, x, 0, radius_of(x, ROBUST), ONE_STEP)
    W, b = W.detach(), b.detach()
    clean = propagate(W, b, encode(W, x), x)
    found = steepest_ascent(W, b, x, clean, clean, radii(x, ROBUST), ONE_STEP)
    assert_close([W.mT @ found.code, found.shift], [delta, W @ delta])


def test_a_zero_gradient_gives_no_perturbation(stack, uniforms, normals):
    # Outputs that are all dead pass nothing back, and the robust gradient is zero with them.
    W, _, x = (t.detach() for t in stack)
    dead = (W, torch.full((MODELS, FEATURES), -1e3, dtype=x.dtype), x)
    assert not any(g.any() for g in robust_gradients(*dead, None, ROBUST))
    found = compiled_gradients(dead, uniforms, normals, ROBUST, GRADIENT)
    assert not any(g.any() for g in found)
