"""FGSM, PGD and noise: allowed perturbations, and the optimum where it is known."""

import importlib

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from interference.attacks.ascent import ascend
from interference.attacks.craft import AttackError, check
from interference.attacks.draws import Draws
from interference.attacks.norms import norm_of, steepest
from interference.attacks.source import Source
from interference.attacks.victim import Victim

PGD = {"steps": 4, "relative_step": 0.6, "random_start": True, "restarts": 1, "loss": "log-odds"}
#: Every method, with settings for a victim of four classes.
METHODS = {
    "fgsm": {}, "pgd": PGD, "apgd": {"steps": 5, "restarts": 2, "loss": "dlr"},
    "apgd_targeted": {"steps": 4, "restarts": 1, "targets": 2}, "square": {"queries": 6},
    "strongest": {"steps": 4, "restarts": 1, "targets": 2, "queries": 5},
    "noise": {}, "shuffled": {}, "transferred": {}, "frequency": {"band": "low"},
    "corruption": {"kind": "blur"},
}  # fmt: skip
DRAW_NOTHING = {"fgsm", "shuffled", "transferred", "corruption"}
NORMS = ["l2", "linf"]
CPU = torch.device("cpu")


def victim_of(loss, images):
    """A victim of four classes whose log-odds and margin are a loss; its DLR grows with it."""

    def logits(x):
        values = loss(x).double()
        return torch.stack([0 * values, values, values - 200, values - 300], 1)

    return Victim(logits, torch.zeros(images, dtype=torch.int64))


def perturb(method, loss, x, /, *, norm, epsilon, seed=0, images=None, **options):
    module = importlib.import_module(f"interference.attacks.methods.{method}")
    options = METHODS[method] | options
    if hasattr(module, "partners"):
        other = x + epsilon * steepest(torch.sin(9 * x + 1), norm)
        source = Source(x, (x + (other.clamp(0, 1) - x) * (1 - 1e-6)).clamp(0, 1))
        rows = module.partners(len(x), torch.Generator().manual_seed(0))
        options["source"] = Source(source.clean[rows], source.adversarial[rows])
    draws = Draws.of(seed, epsilon, images or range(len(x)), CPU)
    victim = loss if isinstance(loss, Victim) else victim_of(loss, len(x))
    return module.perturb(victim, x, norm=norm, epsilon=epsilon, draws=draws, **options)


def images(shape, seed=0, *, saturated=True):
    x = torch.rand(shape, generator=torch.Generator().manual_seed(seed))
    return (1.6 * x - 0.3).clamp(0, 1) if saturated else 0.4 + 0.2 * x


def linear(shape, seed=1):
    """A loss ⟨w, x⟩ of each image, and its gradient w."""
    w = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return (lambda x: (w * x).flatten(1).sum(1)), w


def curved(x):
    return (3 * x).sin().flatten(1).sum(1) + (x**2).flatten(1).sum(1)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=30, deadline=None)
@given(
    shape=st.sampled_from([(1, 1, 4, 5), (3, 1, 5, 5), (2, 3, 8, 8)]),
    epsilon=st.floats(0.01, 4),
    seed=st.integers(0, 500),
    steps=st.integers(1, 5),
    random_start=st.booleans(),
)
def test_perturbations_stay_in_their_ball_and_images_in_their_range(
    method, norm, shape, epsilon, seed, steps, random_start
):
    x = images(shape, seed)
    options = {"steps": steps} if "steps" in METHODS[method] else {}
    options |= {"random_start": random_start} if method == "pgd" else {}
    result = perturb(method, curved, x, norm=norm, epsilon=epsilon, seed=seed, **options)
    moved = result.images
    limit = epsilon * (1 + 1e-5) + (6e-8 if norm == "linf" else 0)
    norms = norm_of((moved - x).double(), norm)
    assert moved.dtype == torch.float32
    assert (norms <= limit).all()
    assert moved.min() >= 0
    assert moved.max() <= 1
    torch.testing.assert_close(check(x, moved, norm, epsilon), norms.float())


@pytest.mark.parametrize(
    ("norm", "moved", "words"),
    [
        ("l2", 0.5 + 0.1001 / 2, r"norm 0\.100\d+ exceeds 0\.1"),
        ("linf", 0.6001, r"norm 0\.100\d+ exceeds 0\.1"),
        ("l2", float("nan"), "exceeds"),
    ],
)
def test_a_perturbation_outside_its_ball_is_refused(norm, moved, words):
    with pytest.raises(AttackError, match=words):
        check(torch.full((1, 4), 0.5), torch.full((1, 4), moved), norm, 0.1)


def test_an_image_outside_its_range_is_refused():
    with pytest.raises(AttackError, match=r"leaves \[0, 1\]"):
        check(torch.zeros(1, 4), torch.full((1, 4), -0.01), "l2", 0.1)


@pytest.mark.parametrize("norm", NORMS)
def test_fgsm_is_the_closed_form_on_a_linear_loss(norm):
    x = images((5, 1, 4, 4))
    loss, w = linear(x.shape)
    flat = w.flatten(1)
    step = w.sign() if norm == "linf" else (flat / flat.norm(dim=1, keepdim=True)).view_as(w)
    found = perturb("fgsm", loss, x, norm=norm, epsilon=0.3).images
    torch.testing.assert_close(found, (x + 0.3 * step).clamp(0, 1))


@pytest.mark.parametrize("epsilon", [0.05, 0.3, 2.0])
def test_pgd_reaches_the_optimum_of_a_linear_loss_in_the_linf_box(epsilon):
    x = images((5, 1, 4, 4))
    loss, w = linear(x.shape)
    low, high = (x - epsilon).clamp_min(0), (x + epsilon).clamp_max(1)
    optimum = torch.where(w > 0, high, low)
    found = perturb("pgd", loss, x, norm="linf", epsilon=epsilon, steps=10, relative_step=0.25)
    torch.testing.assert_close(found.images, optimum, rtol=0, atol=1e-6)


def test_pgd_reaches_the_optimum_of_a_linear_loss_in_the_l2_ball():
    x = images((5, 1, 4, 4), saturated=False)
    loss, w = linear(x.shape)
    found = perturb("pgd", loss, x, norm="l2", epsilon=0.3, steps=100, relative_step=0.25)
    gain = loss(found.images) - loss(x)
    torch.testing.assert_close(gain, 0.3 * w.flatten(1).norm(dim=1), rtol=1e-4, atol=0)


@pytest.mark.parametrize("random_start", [True, False])
@pytest.mark.parametrize("norm", NORMS)
def test_pgd_returns_the_best_of_all_its_iterates(norm, random_start):
    x, seen = images((6, 1, 3, 3)), []

    def wavy(x):
        losses = (40 * x).sin().flatten(1).sum(1)
        seen.append(losses.detach())
        return losses

    options = {"steps": 8, "relative_step": 1.0, "random_start": random_start}
    result = perturb("pgd", wavy, x, norm=norm, epsilon=0.4, **options)
    assert len(seen) == 8 + 1
    best = torch.stack(seen).max(0).values
    assert (best > seen[-1]).any()  # the last iterate is not the best one of every image
    torch.testing.assert_close(wavy(result.images), best, rtol=0, atol=0)


def test_more_steps_never_do_worse_than_one():
    x = images((8, 1, 4, 4))
    one = perturb("fgsm", curved, x, norm="l2", epsilon=0.5).images
    options = {"steps": 10, "relative_step": 1.0, "random_start": False}
    many = perturb("pgd", curved, x, norm="l2", epsilon=0.5, **options).images
    assert (curved(many) >= curved(one) - 1e-5).all()


@pytest.mark.parametrize("norm", NORMS)
def test_zero_gradients_are_counted_and_do_no_harm(norm):
    x = images((4, 1, 3, 3), saturated=False)

    def half_flat(x):
        return torch.tensor([0.0, 1.0, 0.0, 1.0]) * x.flatten(1).sum(1)

    fgsm = perturb("fgsm", half_flat, x, norm=norm, epsilon=0.1)
    assert fgsm.zero_gradients.tolist() == [1, 0, 1, 0]
    torch.testing.assert_close(fgsm.images[::2], x[::2], rtol=0, atol=0)
    pgd = perturb("pgd", half_flat, x, norm=norm, epsilon=0.1, steps=3)
    assert pgd.zero_gradients.tolist() == [3, 0, 3, 0]
    assert pgd.images.isfinite().all()
    assert perturb("noise", half_flat, x, norm=norm, epsilon=0.1).zero_gradients.any() == 0


@pytest.mark.parametrize("exponent", [-140, -126, -60, 0, 60, 126])
@pytest.mark.parametrize("norm", NORMS)
def test_a_step_is_the_same_bits_however_long_the_gradient_is(norm, exponent):
    gradient = torch.randn((3, 1, 5, 5), generator=torch.Generator().manual_seed(0))
    gradient = gradient.sign() * gradient.abs().clamp(0.25, 4)
    scaled = (gradient.double() * 2.0**exponent).float()
    if exponent > -126:
        assert torch.equal(steepest(scaled, norm), steepest(gradient, norm))
    lengths = norm_of(steepest(scaled, norm).double(), norm)
    torch.testing.assert_close(lengths, torch.ones(3).double(), rtol=1e-6, atol=0)


@pytest.mark.parametrize("norm", NORMS)
def test_no_gradient_gives_no_step(norm):
    assert torch.equal(steepest(torch.zeros(2, 3), norm), torch.zeros(2, 3))


@pytest.mark.parametrize("norm", NORMS)
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 500), epsilon=st.floats(0.01, 1.5))
def test_noise_has_the_norm_asked_for_after_the_clamp_where_that_can_be(norm, seed, epsilon):
    x = images((3, 1, 6, 6), seed)
    direction = Draws.of(seed, epsilon, range(3), CPU).normal(1, 6, 6)
    furthest = torch.where(direction > 0, 1 - x, x)  # all pixels at the bound they are pushed to
    expected = norm_of(furthest, norm).clamp_max(epsilon)
    found = perturb("noise", curved, x, norm=norm, epsilon=epsilon, seed=seed).images
    torch.testing.assert_close(norm_of(found - x, norm), expected, rtol=1e-4, atol=1e-6)
    assert ((found - x) * direction >= 0).all()


def test_noise_moves_free_pixels_along_one_random_direction():
    x = images((3, 1, 5, 5), saturated=False)
    delta = perturb("noise", curved, x, norm="l2", epsilon=0.1, seed=4).images - x
    direction = Draws.of(4, 0.1, range(3), CPU).normal(1, 5, 5)
    cosine = torch.cosine_similarity(delta.flatten(1), direction.flatten(1))
    torch.testing.assert_close(cosine, torch.ones(3))
    delta = perturb("noise", curved, x, norm="linf", epsilon=0.1, seed=4).images - x
    torch.testing.assert_close(delta.abs(), torch.full_like(x, 0.1))


@pytest.mark.parametrize("norm", NORMS)
def test_noise_does_not_depend_on_the_loss(norm):
    def never(x):
        raise AssertionError("noise asked for the loss")

    x = images((2, 1, 4, 4))
    a = perturb("noise", never, x, norm=norm, epsilon=0.5).images
    b = perturb("noise", curved, x, norm=norm, epsilon=0.5).images
    assert torch.equal(a, b)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("method", METHODS)
def test_equal_seeds_give_equal_bytes(method, norm):
    x = images((3, 1, 5, 5))
    a, b, other = (
        perturb(method, curved, x, norm=norm, epsilon=0.5, seed=s).images for s in (7, 7, 8)
    )
    assert torch.equal(a, b)
    assert torch.equal(a, other) == (method in DRAW_NOTHING)


@pytest.mark.parametrize("method", METHODS)
def test_an_images_perturbation_does_not_touch_the_input_or_its_graph(method):
    x = images((2, 1, 5, 5))
    before = x.clone()
    result = perturb(method, curved, x, norm="l2", epsilon=0.5).images
    assert torch.equal(x, before)
    assert not result.requires_grad


@pytest.mark.parametrize("shape", [(3, 2), (2, 4), (1, 2, 3, 4, 5)])
def test_ascent_takes_any_callable_and_any_shape(shape):
    x = images(shape, saturated=False).double()
    scale = torch.tensor(2.0, dtype=torch.float64)

    class Loss:
        def __call__(self, x):
            return (scale * x).flatten(1).sum(1)

    found = ascend(
        Loss(), x, norm="linf", epsilon=0.1, steps=2, relative_step=1.0,
        start=None, keep_best=True,
    )  # fmt: skip
    assert found.images.dtype == torch.float64
    torch.testing.assert_close(found.images, x + 0.1)


def test_without_keep_best_the_last_iterate_is_returned_and_no_loss_is_spent_on_it():
    x, seen = images((2, 4), saturated=False), []

    def loss(x):
        seen.append(x.detach())
        return -((x - 0.5) ** 2).flatten(1).sum(1)

    options = {"norm": "linf", "epsilon": 0.2, "steps": 3, "relative_step": 1.0}
    found = ascend(loss, x, start=None, keep_best=False, **options)
    assert len(seen) == 3
    last = seen[-1]
    expected = last - 0.2 * (last - 0.5).sign()
    torch.testing.assert_close(found.images, expected.clamp(x - 0.2, x + 0.2))
