"""Perturbations lie in their ball and raise the loss."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from interference.toy.attacks import one_step, steepest_ascent
from interference.toy.model import encode, loss


def stack_of(seed, features=20, hidden=6, batch=64, scale=1.0):
    random = torch.Generator().manual_seed(seed)
    W = torch.randn(2, hidden, features, generator=random) * scale
    b = torch.randn(2, features, generator=random) * 0.1
    x = (1 - torch.rand(2, features, batch, generator=random) * 3).relu()
    return W, b, x


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    scale=st.floats(1e-3, 10),
    noise=st.sampled_from([0.0, 0.01]),
    radius=st.floats(1e-3, 10),
)
def test_perturbations_lie_in_the_ball(seed, scale, noise, radius):
    W, b, x = stack_of(seed, scale=scale)
    code, _ = one_step(W, b, x, torch.tensor(radius), torch.Generator().manual_seed(0), noise=noise)
    lengths = (W.mT @ code).norm(dim=1)
    assert (lengths <= radius * (1 + 1e-5)).all()


def test_one_step_uses_the_whole_radius_and_raises_the_loss():
    W, b, x = stack_of(0, scale=0.3)
    radius = torch.full((2, 1, 1), 0.1)
    code, shift = one_step(W, b, x, radius, torch.Generator().manual_seed(0), noise=0.01)
    torch.testing.assert_close((W.mT @ code).norm(dim=1), torch.full((2, 64), 0.1))
    hidden = encode(W, x)
    assert (loss(W, b, hidden + shift, x) > loss(W, b, hidden, x)).all()


def test_the_shift_is_what_the_perturbation_does_to_the_hidden_layer():
    W, b, x = stack_of(1)
    code, shift = one_step(W, b, x, torch.tensor(0.5), torch.Generator().manual_seed(0), noise=0.01)
    torch.testing.assert_close(shift, W @ (W.mT @ code))


def test_a_zero_gradient_gives_a_zero_perturbation():
    W, _, _ = stack_of(2)
    code, shift = steepest_ascent(W, torch.zeros(2, 6, 5), torch.tensor(1.0))
    assert not code.any()
    assert not shift.any()


def test_the_noise_is_shared_by_the_models_of_the_stack():
    W, b, x = (t[:1].expand(2, *t.shape[1:]).contiguous() for t in stack_of(3))
    code, _ = one_step(W, b, x, torch.tensor(1.0), torch.Generator().manual_seed(0), noise=0.1)
    assert torch.equal(code[0], code[1])
