"""Every gradient written by hand against autograd of the type's own loss, and TopK's step."""

from itertools import product

import numpy as np
import pytest
import torch

from interference.kernels.adam import Adam
from interference.saes.member import Member
from interference.saes.types import relu_l1, topk
from tests.support.sweeps import (
    SETTINGS,
    autograd_gradients,
    compiled_gradients,
    members_of,
    step_of,
)

D, LATENTS, ROWS = 6, 20, 32
#: Latents that were silent for long; some of them fire in the batch.
QUIET = [2, 3, 5, 7, 11, 13]
AUX = {"aux_k": 6, "aux_weight": 1.0, "dead_after": 100}
SWEEPS = {
    **SETTINGS,
    "topk": {"k": [4, 1, 15], **AUX},
    "batch_topk": {"k": [4, 1], **AUX},
    "matryoshka": {"k": [4], **AUX, "prefixes": [0.1, 0.3, 0.65, 1.0]},
    "jumprelu": {**SETTINGS["jumprelu"], "l0": [0.1, 0.8], "bandwidth": 0.2},
}
WITH_K = ("topk", "batch_topk", "matryoshka")
PRECISION = pytest.mark.parametrize(
    ("dtype", "tolerance"), [(np.float64, 1e-9), (np.float32, 1e-5)], ids=["float64", "float32"]
)


def rows(seed=0):
    return np.random.default_rng(seed).standard_normal((ROWS, D)).astype(np.float32).astype(float)


def scattered(member, dtype=np.float64):
    """No bias is zero, and the encoder is not the decoder."""
    rng = np.random.default_rng(1)
    for name, p in member.parameters.items():
        moved = p + 0.3 * rng.standard_normal(p.shape)
        member.parameters[name] = moved.astype(np.float32).astype(dtype)
    return member


def assert_gradients(member, x, tolerance, share=1.0):
    expected = autograd_gradients(member, x, share)
    found = compiled_gradients(member, x.astype(member.parameters["b_dec"].dtype), share)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        assert found[name].dtype == member.parameters[name].dtype
        error = np.linalg.norm(found[name] - gradient)
        assert error <= tolerance * np.linalg.norm(gradient), name
        assert gradient.any() or (name, share) == ("log_threshold", 0.0), name


@PRECISION
@pytest.mark.parametrize(
    ("name", "share"),
    [*((name, 1.0) for name in WITH_K), *product(sorted({*SWEEPS} - {*WITH_K}), (0.0, 0.7, 5.0))],
)
def test_compiled_gradients_are_those_of_the_loss(name, share, dtype, tolerance):
    for member in members_of(name, D, LATENTS, SWEEPS[name]):
        assert_gradients(scattered(member, dtype), rows(), tolerance, share)


@PRECISION
@pytest.mark.parametrize("aux_weight", [1.0, 1 / 32])
@pytest.mark.parametrize("aux_k", [0, 1, 2, 6, 40])
@pytest.mark.parametrize(
    "quiet", [6, 60]
)  # AuxK's gradients by matrix products, and latent by latent
@pytest.mark.parametrize("name", WITH_K)
def test_compiled_gradients_are_those_of_the_loss_with_auxk(
    name, quiet, aux_k, aux_weight, dtype, tolerance
):
    settings = {**SWEEPS[name], "k": [4, 1], "aux_k": aux_k, "aux_weight": aux_weight}
    for member in members_of(name, D, LATENTS + quiet, settings):
        dead = QUIET if quiet == 6 else range(LATENTS, LATENTS + quiet)
        scattered(member, dtype).parameters["b_enc"][dead] -= 1.5  # alive in AuxK, rare in the code
        member.state["silent"][dead] = 1000
        assert_gradients(member, rows(), tolerance)
        still = (member.state["silent"][dead] > 100).sum()
        assert still > 0, "none is dead"
        assert still < len(dead) or member.sparsity == 1, "none has just fired"


class Jump(torch.autograd.Function):
    """z · H(z − θ), with the paper's pseudo-derivative for θ."""

    @staticmethod
    def forward(ctx, z, threshold, width):
        ctx.save_for_backward(z, threshold)
        ctx.width = width
        return z * (z > threshold)

    @staticmethod
    def backward(ctx, g):
        z, threshold = ctx.saved_tensors
        kernel = ((z - threshold).abs() / ctx.width < 0.5).to(z)
        return g * (z > threshold), -(threshold / ctx.width * kernel * g).sum(0), None


class Step(torch.autograd.Function):
    """H(z − θ), with the paper's pseudo-derivative for θ and none for z."""

    @staticmethod
    def forward(ctx, z, threshold, width):
        ctx.save_for_backward(z, threshold)
        ctx.width = width
        return (z > threshold).to(z)

    @staticmethod
    def backward(ctx, g):
        z, threshold = ctx.saved_tensors
        kernel = ((z - threshold).abs() / ctx.width < 0.5).to(z)
        return None, -(kernel * g / ctx.width).sum(0), None


def test_jumprelus_loss_has_the_straight_through_gradients_of_the_paper():
    member = scattered(members_of("jumprelu", D, LATENTS, SWEEPS["jumprelu"])[0])
    x, width = torch.tensor(rows()), 0.2 * D**0.5
    p = {name: torch.tensor(a, requires_grad=True) for name, a in member.parameters.items()}
    threshold = p["log_threshold"].exp()
    z = x @ p["w_enc"].T + p["b_enc"]
    f = Jump.apply(z, threshold, width)
    error = ((x - f @ p["w_dec"] - p["b_dec"]) ** 2).sum(1)
    loss = (error + member.sparsity * D * Step.apply(z, threshold, width).sum(1)).mean()
    near = (z - threshold).abs() < width / 2
    assert (near & (f == 0)).any()  # the kernel reaches latents that are not active
    assert (near & (f > 0)).any()
    expected = torch.autograd.grad(loss, list(p.values()))
    for (name, found), gradient in zip(autograd_gradients(member, rows()).items(), expected):
        np.testing.assert_allclose(found, gradient, atol=1e-12, err_msg=name)


def topk_member(k=4, aux_k=6, aux_weight=1.0, dead_after=100):
    settings = topk.Settings(k=[k], aux_k=aux_k, aux_weight=aux_weight, dead_after=dead_after)
    return scattered(Member(topk, settings, k, D, LATENTS, seed=0))


def test_auxk_reaches_dead_latents_only():
    quiet, loud = topk_member(aux_weight=0.0), topk_member(aux_weight=1.0)
    for member in (quiet, loud):
        member.parameters["b_enc"][:5] -= 2.0
        member.state["silent"][:5] = 1000
    without, with_aux = (compiled_gradients(member, rows()) for member in (quiet, loud))
    dead = np.flatnonzero(loud.state["silent"] > 100)
    alive = np.setdiff1d(np.arange(LATENTS), dead)
    assert 0 < len(dead) <= 5
    np.testing.assert_array_equal(without["b_dec"], with_aux["b_dec"])
    for name in ("w_enc", "b_enc", "w_dec"):
        np.testing.assert_array_equal(without[name][alive], with_aux[name][alive])
        assert (without[name][dead] == 0).all()
        assert (with_aux[name][dead] != 0).any()


def test_a_latent_is_dead_only_after_more_than_the_set_number_of_rows():
    member = topk_member(aux_weight=1.0, dead_after=3 * ROWS)
    member.parameters["b_enc"][0] = -1e3  # never fires
    for step in range(1, 5):
        compiled_gradients(member, rows(step))
        assert member.state["silent"][0] == step * ROWS


def test_a_pick_of_value_zero_does_not_count_as_firing():
    member = topk_member(k=4)
    member.parameters["b_enc"][:] = -1e3  # nothing fires, though four of each row are picked
    compiled_gradients(member, rows())
    assert (member.state["silent"] == ROWS).all()
    member.parameters["b_enc"][7] = 1e3
    compiled_gradients(member, rows())
    assert np.flatnonzero(member.state["silent"] == 0).tolist() == [7]


def test_topk_keeps_its_decoder_rows_at_unit_norm():
    settings = topk.Settings(k=[4], aux_k=6, aux_weight=1.0, dead_after=64)
    member = Member(topk, settings, 4, D, LATENTS, seed=0)
    trainer = step_of(member)
    for step in range(20):
        trainer.step(rows(step).astype(np.float32), rate=0.05, fraction=step / 20)
        norms = np.linalg.norm(member.parameters["w_dec"], axis=1)
        np.testing.assert_allclose(norms, 1, atol=1e-6)


@pytest.mark.parametrize("dead", [0, 6])
def test_a_topk_step_is_adam_on_gradients_across_the_decoder_over_the_norm_of_those_before(dead):
    def member(dtype):
        settings = topk.Settings(k=[4], aux_k=3, aux_weight=1.0, dead_after=1000)
        made = Member(topk, settings, 4, D, LATENTS, seed=0)
        for name, p in made.parameters.items():
            made.parameters[name] = p.astype(dtype)
        made.adam = Adam(made.parameters)
        made.parameters["b_enc"][:dead] -= 1.5
        made.state["silent"][:dead] = 10**6
        return made

    fused, plain = member(np.float32), member(np.float64)
    trainer, length = step_of(fused), plain.state["length"].astype(float)
    step_of(plain).scale_encoder(rows())
    before = None
    for step in range(8):
        x = rows(step)
        trainer.step(x.astype(np.float32), rate=0.01, fraction=0.0)
        gradients, w_dec = compiled_gradients(plain, x), plain.parameters["w_dec"]
        gradients["w_dec"] -= (gradients["w_dec"] * w_dec).sum(1, keepdims=True) * w_dec
        w_dec *= length[:, None]
        norm = np.sqrt(sum((g**2).sum() for g in gradients.values()))
        plain.adam.step({n: g / (before or norm) for n, g in gradients.items()}, 0.01)
        before = norm
        length = np.linalg.norm(w_dec, axis=1)
        w_dec /= length[:, None]
        np.testing.assert_allclose(fused.state["length"], length, rtol=1e-4)
        np.testing.assert_array_equal(fused.state["silent"], plain.state["silent"])
        for name, p in plain.parameters.items():
            np.testing.assert_allclose(fused.parameters[name], p, atol=2e-4, err_msg=name)
    assert np.median(length) > 0.11  # it started at 0.1


def test_the_first_topk_step_scales_the_encoder_so_that_reconstructions_are_as_long_as_rows():
    k, x = 4, rows(3).astype(np.float32)
    settings = topk.Settings(k=[k], aux_k=6, aux_weight=1.0, dead_after=9)
    for start in (1.0, 7.0):  # whatever the scale before
        member = Member(topk, settings, k, D, LATENTS, seed=0)
        member.parameters["w_enc"] *= np.float32(start)
        trainer = step_of(member)
        trainer.step(x, rate=0.0, fraction=0.0)
        dictionary = member.dictionary()
        lengths = (
            np.square(a, dtype=float).sum() for a in (dictionary.decode(dictionary.encode(x)), x)
        )
        assert next(lengths) == pytest.approx(next(lengths), rel=1e-5)
        norms = np.linalg.norm(member.parameters["w_enc"], axis=1)
        np.testing.assert_allclose(norms, norms[0], rtol=1e-5)
    before = member.parameters["w_enc"].copy()
    trainer.step(10 * x, rate=0.0, fraction=0.0)  # only the first
    np.testing.assert_array_equal(member.parameters["w_enc"], before)


def test_a_topk_step_keeps_its_arrays():
    member = Member(
        topk, topk.Settings(k=[4], aux_k=6, aux_weight=1.0, dead_after=64), 4, D, LATENTS, seed=0
    )
    names = list(member.parameters)
    before = [array for name in names for array in member.adam.state(name)]
    trainer = step_of(member)
    for step in range(4):
        trainer.step(rows(step).astype(np.float32), rate=0.01, fraction=0.0)
    after = [array for name in names for array in member.adam.state(name)]
    assert all(a is b for a, b in zip(before, after, strict=True))


def test_topk_starts_tied_at_unit_norm_and_relu_l1_tied_at_a_tenth():
    t = Member(
        topk, topk.Settings(k=[4], aux_k=6, aux_weight=1.0, dead_after=9), 4, D, LATENTS, seed=3
    ).parameters
    r = Member(
        relu_l1,
        relu_l1.Settings(l1=[1.0], warmup_fraction=0.0, gradient_clip=1.0),
        1.0,
        D,
        LATENTS,
        seed=3,
    ).parameters
    for p, norm in ((t, 1.0), (r, 0.1)):
        np.testing.assert_array_equal(p["w_enc"], p["w_dec"])
        np.testing.assert_allclose(np.linalg.norm(p["w_dec"], axis=1), norm, rtol=1e-6)
        assert not p["b_enc"].any()
        assert not p["b_dec"].any()
        assert all(array.dtype == np.float32 for array in p.values())


@pytest.mark.parametrize(
    ("fraction", "share"), [(0.0, 0.0), (0.025, 0.5), (0.05, 1.0), (0.5, 1.0), (0.999, 1.0)]
)
def test_lambda_rises_over_the_first_part_of_training(monkeypatch, fraction, share):
    settings = relu_l1.Settings(l1=[0.5], warmup_fraction=0.05, gradient_clip=1.0)
    member = Member(relu_l1, settings, 0.5, D, LATENTS, seed=0)
    trainer, seen = step_of(member), []
    gradients = trainer.gradients
    monkeypatch.setattr(trainer, "gradients", lambda x, p: (seen.append(p), gradients(x, p))[1])
    trainer.step(rows().astype(np.float32), rate=1e-3, fraction=fraction)
    assert seen == [pytest.approx(share * 0.5 * D**0.5)]


@pytest.mark.parametrize("clip", [0.01, 1e6])
def test_the_gradient_of_all_parameters_together_is_clipped(monkeypatch, clip):
    settings = relu_l1.Settings(l1=[0.5], warmup_fraction=0.0, gradient_clip=clip)
    member = Member(relu_l1, settings, 0.5, D, LATENTS, seed=0)
    trainer = step_of(member)
    raw = trainer.gradients(rows().astype(np.float32), trainer.penalty)
    seen = {}
    monkeypatch.setattr(member.adam, "step", lambda g, _: seen.update(g))
    trainer.step(rows().astype(np.float32), rate=1e-3, fraction=0.5)

    def norm(gradients):
        return np.sqrt(sum((g.astype(float) ** 2).sum() for g in gradients.values()))

    assert norm(seen) == pytest.approx(min(clip, norm(raw)), rel=1e-5)
    for name, gradient in raw.items():
        np.testing.assert_allclose(seen[name] * norm(raw), gradient * norm(seen), rtol=1e-4)
