"""A trained SAE in canonical form: folding, thresholds and scores against brute force."""

from dataclasses import replace

import numpy as np
import pytest

from interference.saes.dictionary import (
    Dictionary,
    calibrated_threshold,
    initial_directions,
    stack,
    unstack,
)
from interference.saes.fit import calibrate
from interference.saes.member import Member
from interference.saes.metrics import score
from interference.saes.types import relu_l1, topk

D, LATENTS = 7, 18
TOPK = topk.Settings(k=[3], aux_k=4, aux_weight=1.0, dead_after=100)
RELU = relu_l1.Settings(l1=[1.0], warmup_fraction=0.0, gradient_clip=1.0)


def rng(seed=0):
    return np.random.default_rng(seed)


def random_dictionary(k=0, seed=0, dtype=np.float32):
    r = rng(seed)
    return Dictionary(
        r.standard_normal((LATENTS, D)).astype(dtype),
        r.standard_normal(LATENTS).astype(dtype),
        initial_directions(D, LATENTS, seed).astype(dtype),
        r.standard_normal(D).astype(dtype),
        k,
    )


def scrambled(member):
    r = rng(5)
    for p in member.parameters.values():
        p += 0.2 * r.standard_normal(p.shape).astype(np.float32)
    return member.parameters


def test_folding_the_decoder_norms_leaves_reconstructions_unchanged():
    member = Member(
        relu_l1,
        relu_l1.Settings(l1=[1.0], warmup_fraction=0.0, gradient_clip=1.0),
        1.0,
        D,
        LATENTS,
        seed=0,
    )
    p, x = scrambled(member), rng().standard_normal((50, D)).astype(np.float32)
    f = np.maximum(x @ p["w_enc"].T + p["b_enc"], 0)
    dictionary = member.dictionary()
    found = dictionary.decode(dictionary.encode(x))
    np.testing.assert_allclose(found, f @ p["w_dec"] + p["b_dec"], atol=1e-5)
    norms = np.linalg.norm(p["w_dec"], axis=1)
    np.testing.assert_allclose(dictionary.encode(x), f * norms, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(dictionary.w_dec, axis=1), 1, atol=1e-6)


def test_folding_the_bias_before_the_encoder_leaves_reconstructions_unchanged():
    member = Member(
        topk, topk.Settings(k=[3], aux_k=4, aux_weight=1.0, dead_after=100), 3, D, LATENTS, seed=0
    )
    p, x = scrambled(member), rng().standard_normal((50, D)).astype(np.float32)
    pre = np.maximum((x - p["b_dec"]) @ p["w_enc"].T + p["b_enc"], 0)
    f = np.where(pre >= np.sort(pre, axis=1)[:, -3:-2], pre, 0)
    dictionary = member.dictionary()
    assert dictionary.k == 3
    np.testing.assert_allclose(dictionary.encode(x), f, atol=1e-5)
    found = dictionary.decode(dictionary.encode(x))
    np.testing.assert_allclose(found, f @ p["w_dec"] + p["b_dec"], atol=1e-5)


def test_a_dictionary_is_a_copy_of_its_member():
    for member in (
        Member(
            topk,
            topk.Settings(k=[3], aux_k=4, aux_weight=1.0, dead_after=100),
            3,
            D,
            LATENTS,
            seed=0,
        ),
        Member(
            relu_l1,
            relu_l1.Settings(l1=[1.0], warmup_fraction=0.0, gradient_clip=1.0),
            1.0,
            D,
            LATENTS,
            seed=0,
        ),
    ):
        dictionary = member.dictionary()
        before = dictionary.w_dec.copy()
        scrambled(member)
        np.testing.assert_array_equal(dictionary.w_dec, before)


def test_a_stacked_sweep_comes_back_member_by_member():
    members = [replace(random_dictionary(k, seed=k), threshold=0.25 * k) for k in (0, 2, 5)]
    thresholds = rng(8).random(LATENTS).astype(np.float32)
    members.append(replace(random_dictionary(seed=9), threshold=thresholds))
    members.append(replace(members[1], pooled=True))
    for found, member in zip(unstack(stack(members)), members, strict=True):
        assert (found.k, found.pooled) == (member.k, member.pooled)
        np.testing.assert_array_equal(found.threshold, np.broadcast_to(member.threshold, LATENTS))
        for name in ("w_enc", "b_enc", "w_dec", "b_dec"):
            np.testing.assert_array_equal(getattr(found, name), getattr(member, name))


@pytest.mark.parametrize("k", [1, 4, 8])
def test_the_calibrated_threshold_gives_k_latents_a_row_on_average(k):
    x = rng(1).standard_normal((300, D)).astype(np.float32)
    dictionary = calibrate(random_dictionary(k), x)
    active = dictionary.encode_threshold(x) > 0
    assert active.sum() == 300 * k
    assert active.sum(1).std() > 0  # a row's own count may respond
    entries = np.sort(np.maximum(x @ dictionary.w_enc.T + dictionary.b_enc, 0).ravel())
    assert dictionary.threshold == pytest.approx(entries[-300 * k - 1], rel=1e-6)


def test_the_threshold_is_zero_where_too_few_latents_are_positive():
    assert calibrated_threshold(np.eye(5, 9, dtype=np.float32), 3) == 0


def test_relu_needs_no_threshold():
    dictionary = random_dictionary()
    x = rng(1).standard_normal((30, D)).astype(np.float32)
    assert calibrate(dictionary, x) is dictionary
    np.testing.assert_array_equal(dictionary.encode_threshold(x), dictionary.encode(x))


def test_a_threshold_a_latent_is_that_of_a_loop():
    thresholds = rng(8).random(LATENTS).astype(np.float32)
    dictionary = replace(random_dictionary(), threshold=thresholds)
    x = rng(1).standard_normal((30, D)).astype(np.float32)
    rectified, code = dictionary.rectified(x), dictionary.encode(x)
    np.testing.assert_array_equal(dictionary.encode_threshold(x), code)
    kept = dropped = 0
    for r in range(30):
        for i in range(LATENTS):
            on = rectified[r, i] > thresholds[i]
            assert code[r, i] == (rectified[r, i] if on else 0)
            kept, dropped = kept + on, dropped + (rectified[r, i] > 0 and not on)
    assert kept > 20 < dropped
    assert calibrate(dictionary, x) is dictionary


def test_a_pooled_dictionary_is_scored_with_threshold_inference():
    x = rng(1).standard_normal((300, D)).astype(np.float32)
    dictionary = calibrate(replace(random_dictionary(4), pooled=True), x)
    code = dictionary.encode(x)
    np.testing.assert_array_equal(code, dictionary.encode_threshold(x))
    assert (code > 0).sum() == 4 * 300
    assert score(dictionary, x[:, None]).summary["l0"] == pytest.approx(4)


def heldout(images=130, positions=3):
    return (rng(2).standard_normal((images, positions, D)) * np.arange(1, D + 1)).astype(np.float32)


@pytest.mark.parametrize("k", [0, 3])
def test_scores_are_those_of_ten_lines_of_brute_force(k):
    dictionary, x = random_dictionary(k), heldout()
    dictionary.b_enc[:3] = -100  # dead
    rows = x.reshape(-1, D).astype(np.float64)
    f = np.maximum(rows @ dictionary.w_enc.T.astype(float) + dictionary.b_enc, 0)
    if k:
        f = np.where(f >= np.sort(f, axis=1)[:, -k][:, None], f, 0)
    error = (rows - f @ dictionary.w_dec - dictionary.b_dec) ** 2
    deviation = (rows - rows.mean(0)) ** 2
    expected = {
        "fvu": error.sum() / deviation.sum(),
        "r2": np.mean(1 - error.sum(0) / deviation.sum(0)),
        "mse": error.mean(),
        "l0": (f > 0).sum(1).mean(),
        "dead_fraction": np.mean(~(f > 0).any(0)),
    }
    scores = score(dictionary, x)
    summary = scores.summary
    assert {name: summary[name] for name in expected} == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(scores.squared_error, error.reshape(130, -1).sum(1), rtol=1e-4)
    np.testing.assert_allclose(scores.deviation, deviation.reshape(130, -1).sum(1), rtol=1e-10)
    np.testing.assert_allclose(scores.l0, (f > 0).sum(1).reshape(130, -1).mean(1))
    assert scores.rows == 390


def test_the_mean_predictor_has_fvu_one_and_r2_zero():
    x = heldout()
    dictionary = random_dictionary()
    dictionary.b_enc[:] = -1000
    dictionary.b_dec[:] = x.reshape(-1, D).mean(0)
    summary = score(dictionary, x).summary
    assert summary["fvu"] == pytest.approx(1, rel=1e-6)
    assert summary["r2"] == pytest.approx(0, abs=1e-6)
    assert (summary["l0"], summary["dead_fraction"]) == (0, 1)


def test_the_identity_has_fvu_zero():
    both = np.concatenate([np.eye(D), -np.eye(D)]).astype(np.float32)
    identity = Dictionary(both, np.zeros(2 * D, np.float32), both, np.zeros(D, np.float32))
    summary = score(identity, heldout()).summary
    assert summary["fvu"] == pytest.approx(0, abs=1e-12)
    assert summary["r2"] == pytest.approx(1)
    assert summary["l0"] == D


def test_a_constant_channel_does_not_enter_r2():
    x = heldout()
    x[..., 0] = 2.0
    summary = score(random_dictionary(), x).summary
    assert np.isfinite(summary["r2"])
