"""Every gradient written by hand against torch's autograd of the stated loss, in float64."""

import numpy as np
import pytest
import torch

from interference.saes.adam import Adam
from interference.saes.types import relu_l1, topk

D, LATENTS, ROWS = 6, 20, 32


def rows(seed=0):
    return np.random.default_rng(seed).standard_normal((ROWS, D))


def in_float64(member, seed=1):
    """Random float64 parameters, so that no bias is zero and the encoder is not the decoder."""
    rng = np.random.default_rng(seed)
    for name, p in member.parameters.items():
        member.parameters[name] = p.astype(np.float64) + 0.3 * rng.standard_normal(p.shape)
    return member


def leaves(member):
    return {n: torch.tensor(p, requires_grad=True) for n, p in member.parameters.items()}


def assert_gradients(found, loss, p):
    expected = dict(zip(p, torch.autograd.grad(loss, list(p.values())), strict=True))
    for name, gradient in expected.items():
        error = np.linalg.norm(found[name] - gradient.numpy()) / np.linalg.norm(gradient.numpy())
        assert error <= 1e-9, name


@pytest.mark.parametrize("penalty", [0.0, 0.7, 5.0])
def test_relu_l1(penalty):
    settings = relu_l1.Settings(l1=[1.0], warmup_fraction=0.0, gradient_clip=1.0)
    member = in_float64(relu_l1.Member(settings, 1.0, D, LATENTS, seed=0))
    x, p = torch.tensor(rows()), leaves(member)
    f = torch.relu(x @ p["w_enc"].T + p["b_enc"])
    error = ((x - f @ p["w_dec"] - p["b_dec"]) ** 2).sum(1)
    loss = (error + penalty * (f * p["w_dec"].norm(dim=1)).sum(1)).mean()
    assert (f == 0).any()
    assert_gradients(member.gradients(rows(), penalty), loss, p)


def settings_of(k, dead_after):
    return topk.Settings(k=k, aux_k=6, aux_weight=1.0, dead_after=dead_after)


def top_k(pre, k):
    value, index = torch.relu(pre).topk(k, dim=1)
    return torch.zeros_like(pre).scatter(1, index, value)


def topk_member(k=4, aux_k=6, aux_weight=1.0, dead_after=100, latents=LATENTS):
    settings = topk.Settings(k=[k], aux_k=aux_k, aux_weight=aux_weight, dead_after=dead_after)
    return in_float64(topk.Member(settings, k, D, latents, seed=0))


@pytest.mark.parametrize("k", [1, 4, 15])
def test_topk_without_dead_latents(k):
    member = topk_member(k)
    x, p = torch.tensor(rows()), leaves(member)
    f = top_k((x - p["b_dec"]) @ p["w_enc"].T + p["b_enc"], k)
    loss = ((x - f @ p["w_dec"] - p["b_dec"]) ** 2).sum(1).mean()
    assert_gradients(member.gradients(rows()), loss, p)


@pytest.mark.parametrize("aux_weight", [1.0, 1 / 32])
@pytest.mark.parametrize(("aux_k", "quiet"), [(1, 6), (3, 6), (6, 6), (40, 6), (20, 60), (3, 60)])
def test_topk_with_auxk(aux_k, quiet, aux_weight):
    """Of the latents that were silent for long, some fire in this very batch."""
    member = topk_member(aux_k=aux_k, aux_weight=aux_weight, latents=LATENTS + quiet)
    dead = list(range(LATENTS // 2, LATENTS // 2 + quiet))
    member.parameters["b_enc"][dead] -= 1.5  # alive in AuxK, hardly ever in the top k
    x, p = torch.tensor(rows()), leaves(member)
    pre = (x - p["b_dec"]) @ p["w_enc"].T + p["b_enc"]
    f = top_k(pre, 4)
    error = x - f @ p["w_dec"] - p["b_dec"]
    fired = (f > 0).any(0)
    member.silent[dead] = 1000
    silent, dead = dead, [i for i in dead if not fired[i]]
    assert quiet // 2 <= len(dead) < len(silent)

    # e is a constant, ê has no b_dec, and b_dec gets no gradient by way of the encoder either.
    without_b_dec = (x - p["b_dec"].detach()) @ p["w_enc"][dead].T + p["b_enc"][dead]
    z = top_k(without_b_dec, min(aux_k, len(dead)))
    assert (z > 0).any()
    residual = ((error.detach() - z @ p["w_dec"][dead]) ** 2).sum(1).mean()
    scale = aux_weight * min(len(dead) / aux_k, 1)
    loss = (error**2).sum(1).mean() + scale * residual
    assert_gradients(member.gradients(rows()), loss, p)


def test_auxk_reaches_dead_latents_only():
    quiet, loud = topk_member(aux_weight=0.0), topk_member(aux_weight=1.0)
    for member in (quiet, loud):
        member.parameters["b_enc"][:5] -= 2.0
        member.silent[:5] = 1000
    without, with_aux = quiet.gradients(rows()), loud.gradients(rows())
    dead = np.flatnonzero(loud.silent > 100)
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
        member.gradients(rows(step))
        assert member.silent[0] == step * ROWS


def test_a_pick_of_value_zero_does_not_count_as_firing():
    member = topk_member(k=4)
    member.parameters["b_enc"][:] = -1e3  # nothing fires, though four of each row are picked
    member.gradients(rows())
    assert (member.silent == ROWS).all()
    member.parameters["b_enc"][7] = 1e3
    member.gradients(rows())
    assert np.flatnonzero(member.silent == 0).tolist() == [7]


def test_topk_keeps_its_decoder_rows_at_unit_norm():
    settings = topk.Settings(k=[4], aux_k=6, aux_weight=1.0, dead_after=64)
    member = topk.Member(settings, 4, D, LATENTS, seed=0)
    for step in range(20):
        member.step(rows(step).astype(np.float32), rate=0.05, fraction=step / 20)
        norms = np.linalg.norm(member.parameters["w_dec"], axis=1)
        np.testing.assert_allclose(norms, 1, atol=1e-6)


@pytest.mark.parametrize("dead", [0, 6])
def test_a_topk_step_is_adam_on_gradients_across_the_decoder_over_the_norm_of_those_before(dead):
    def member(dtype):
        settings = topk.Settings(k=[4], aux_k=3, aux_weight=1.0, dead_after=1000)
        made = topk.Member(settings, 4, D, LATENTS, seed=0)
        for name, p in made.parameters.items():
            made.parameters[name] = p.astype(dtype)
        made.adam = Adam(made.parameters)
        made.parameters["b_enc"][:dead] -= 1.5
        made.silent[:dead] = 10**6
        return made

    fused, plain = member(np.float32), member(np.float64)
    plain.scale_encoder(rows())
    before = None
    for step in range(8):
        x = rows(step)
        fused.step(x.astype(np.float32), rate=0.01, fraction=0.0)
        gradients, w_dec = plain.gradients(x), plain.parameters["w_dec"]
        gradients["w_dec"] -= (gradients["w_dec"] * w_dec).sum(1, keepdims=True) * w_dec
        w_dec *= plain.length[:, None]
        norm = np.sqrt(sum((g**2).sum() for g in gradients.values()))
        plain.adam.step({n: g / (before or norm) for n, g in gradients.items()}, 0.01)
        before = norm
        plain.length = np.linalg.norm(w_dec, axis=1)
        w_dec /= plain.length[:, None]
        np.testing.assert_allclose(fused.length, plain.length, rtol=1e-4)
        np.testing.assert_array_equal(fused.silent, plain.silent)
        for name, p in plain.parameters.items():
            np.testing.assert_allclose(fused.parameters[name], p, atol=2e-4, err_msg=name)
    assert np.median(plain.length) > 0.11  # it started at 0.1


def test_the_first_topk_step_scales_the_encoder_so_that_reconstructions_are_as_long_as_rows():
    k, x = 4, rows(3).astype(np.float32)
    member, settings = None, settings_of([k], 9)
    for start in (1.0, 7.0):  # whatever the scale before
        member = topk.Member(settings, k, D, LATENTS, seed=0)
        member.parameters["w_enc"] *= np.float32(start)
        member.step(x, rate=0.0, fraction=0.0)
        dictionary = member.dictionary()
        lengths = (
            np.square(a, dtype=float).sum() for a in (dictionary.decode(dictionary.encode(x)), x)
        )
        assert next(lengths) == pytest.approx(next(lengths), rel=1e-5)
        norms = np.linalg.norm(member.parameters["w_enc"], axis=1)
        np.testing.assert_allclose(norms, norms[0], rtol=1e-5)
    before = member.parameters["w_enc"].copy()
    member.step(10 * x, rate=0.0, fraction=0.0)  # only the first
    np.testing.assert_array_equal(member.parameters["w_enc"], before)


def test_a_topk_step_keeps_its_arrays():
    member = topk.Member(settings_of([4], 64), 4, D, LATENTS, seed=0)
    names = list(member.parameters)
    before = [array for name in names for array in member.adam.state(name)]
    for step in range(4):
        member.step(rows(step).astype(np.float32), rate=0.01, fraction=0.0)
    after = [array for name in names for array in member.adam.state(name)]
    assert all(a is b for a, b in zip(before, after, strict=True))


def test_topk_starts_tied_at_unit_norm_and_relu_l1_tied_at_a_tenth():
    t = topk.Member(settings_of([4], 9), 4, D, LATENTS, seed=3).parameters
    settings = relu_l1.Settings(l1=[1.0], warmup_fraction=0.0, gradient_clip=1.0)
    r = relu_l1.Member(settings, 1.0, D, LATENTS, seed=3).parameters
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
    member = relu_l1.Member(settings, 0.5, D, LATENTS, seed=0)
    seen, gradients = [], member.gradients
    monkeypatch.setattr(member, "gradients", lambda x, p: (seen.append(p), gradients(x, p))[1])
    member.step(rows().astype(np.float32), rate=1e-3, fraction=fraction)
    assert seen == [pytest.approx(share * 0.5 * D**0.5)]


@pytest.mark.parametrize("clip", [0.01, 1e6])
def test_the_gradient_of_all_parameters_together_is_clipped(monkeypatch, clip):
    settings = relu_l1.Settings(l1=[0.5], warmup_fraction=0.0, gradient_clip=clip)
    member = relu_l1.Member(settings, 0.5, D, LATENTS, seed=0)
    raw = member.gradients(rows().astype(np.float32), member.penalty)
    seen = {}
    monkeypatch.setattr(member.adam, "step", lambda g, _: seen.update(g))
    member.step(rows().astype(np.float32), rate=1e-3, fraction=0.5)

    def norm(gradients):
        return np.sqrt(sum((g.astype(float) ** 2).sum() for g in gradients.values()))

    assert norm(seen) == pytest.approx(min(clip, norm(raw)), rel=1e-5)
    for name, gradient in raw.items():
        np.testing.assert_allclose(seen[name] * norm(raw), gradient * norm(seen), rtol=1e-4)
