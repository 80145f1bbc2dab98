"""Latents under conditions: counts against a loop over rows and latents, drives against closed forms."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interference.probes import dense, latents
from interference.probes.latents import Probe
from interference.saes.dictionary import Dictionary, calibrated_threshold

D, LATENTS, CONDITIONS, IMAGES, POSITIONS = 5, 12, 3, 4, 6


def dictionary(seed=0, threshold=0.0, k=0):
    rng = np.random.default_rng(seed)
    w_enc, b_enc = rng.standard_normal((LATENTS, D)), rng.standard_normal(LATENTS)
    w_dec = rng.standard_normal((LATENTS, D))
    arrays = [a.astype(np.float32) for a in (w_enc, b_enc, w_dec, rng.standard_normal(D))]
    return Dictionary(*arrays, k=k, threshold=threshold)


def activations(seed=1):
    """(conditions, images, positions, d)."""
    rng = np.random.default_rng(seed)
    shape = (CONDITIONS, IMAGES, POSITIONS, D)
    return rng.standard_normal(shape).astype(np.float32)


def heldout(seed=2):
    return np.random.default_rng(seed).standard_normal((30, 4, D)).astype(np.float32)


@pytest.fixture(
    params=[latents.respond, dense.respond], ids=["on a core", "on a GPU"], autouse=True
)
def _respond(request, monkeypatch):
    """Each claim is about what a core does, and about what a GPU does, here on a core."""
    monkeypatch.setattr(latents, "respond", request.param)


def measured(sae, conditions, rows=None):
    return latents.respond(Probe.of(sae, heldout() if rows is None else rows), [*conditions])


def in_float64(sae, clean, x):
    """All that `respond` measures of one image, row by row and latent by latent."""
    w, v, b = (a.astype(float) for a in (sae.w_enc, sae.w_dec, sae.b_enc))
    threshold = np.broadcast_to(np.asarray(sae.threshold, float), b.shape)

    def code(row):
        pre = w @ row + b
        return np.where(pre > threshold, pre, 0)

    calibration = np.stack([code(row) for row in heldout().reshape(-1, D).astype(float)])
    bars = [np.percentile(c[c > 0], 99) / 100 if (c > 0).any() else 0 for c in calibration.T]
    out, seen = dict.fromkeys(
        ("l0", "l0_absolute", "l0_relative", "woken", "silenced", "drive", "drive_own",
         "drive_interference", "squared_error"), 0.0
    ), set()  # fmt: skip
    for row, before in zip(x.astype(float), clean.astype(float)):
        now, was = code(row), code(before)
        scored = now
        if sae.k and not sae.pooled:
            pre = np.maximum(w @ row + b, 0)
            scored = np.where(pre >= np.sort(pre)[-sae.k], pre, 0)
        out["squared_error"] += ((row - scored @ v - sae.b_dec) ** 2).sum()
        for i in range(LATENTS):
            out["l0"] += now[i] > 0
            out["l0_absolute"] += now[i] > 1e-3
            out["l0_relative"] += now[i] > bars[i]
            out["silenced"] += was[i] > 0 and now[i] == 0
            if now[i] > 0:
                seen.add(i)
            if now[i] > 0 and was[i] == 0:
                out["woken"] += 1
                out["drive"] += w[i] @ (row - before)
                out["drive_own"] += now[i] * (w[i] @ v[i])
                out["drive_interference"] += sum(
                    (now[j] - was[j]) * (w[i] @ v[j]) for j in range(LATENTS) if j != i
                )
    sums = {n: value / (1 if n == "squared_error" else len(x)) for n, value in out.items()}
    return {**sums, "union": len(seen)}


@pytest.mark.parametrize("k", [0, 3])
@pytest.mark.parametrize("threshold", [0.0, 0.7, 3.0])
def test_every_measure_is_that_of_a_loop_in_float64(threshold, k):
    sae, x = dictionary(threshold=threshold, k=k), activations()
    found = measured(sae, x)
    for c in range(CONDITIONS):
        for i in range(IMAGES):
            expected = in_float64(sae, x[0, i], x[c, i])
            assert found.keys() == expected.keys()
            for name, value in expected.items():
                assert found[name][c, i] == pytest.approx(value, rel=1e-4, abs=1e-4), name


def test_every_latent_is_counted_at_its_own_threshold():
    thresholds = np.linspace(0, 2, LATENTS).astype(np.float32)
    sae, x = dictionary(threshold=thresholds), activations()
    l0 = measured(sae, x)["l0"]
    active = sae.rectified(x.reshape(-1, D)) > thresholds
    np.testing.assert_allclose(l0, active.sum(1).reshape(CONDITIONS, IMAGES, -1).mean(2))
    assert (l0 != measured(dictionary(threshold=1.0), x)["l0"]).any()


def test_nothing_wakes_up_on_the_clean_images_themselves():
    clean = activations()[0]
    found = measured(dictionary(), [clean, clean])
    for name in ("woken", "silenced", "drive", "drive_own", "drive_interference"):
        assert (found[name] == 0).all()
    for values in found.values():
        np.testing.assert_array_equal(values[0], values[1])


@pytest.mark.parametrize("k", [1, 3, 6])
def test_l0_at_the_threshold_is_k_on_the_rows_that_set_it(k):
    x = activations()
    sae = dictionary(k=k)
    sae = replace(sae, threshold=calibrated_threshold(sae.rectified(x.reshape(-1, D)), k))
    l0 = measured(sae, x)["l0"]
    assert l0.mean() == pytest.approx(k)
    assert l0.std() > 0


def test_woken_less_silenced_is_the_change_of_l0_and_no_count_exceeds_what_it_is_part_of():
    found = measured(dictionary(threshold=0.5), activations())
    change = found["l0"] - found["l0"][0]
    np.testing.assert_allclose(found["woken"] - found["silenced"], change, atol=1e-12)
    assert (found["l0_relative"] <= found["l0"]).all()
    assert (found["l0"] <= found["union"]).all()
    assert (found["union"] <= np.minimum(LATENTS, POSITIONS * found["l0"] + 1e-9)).all()


def test_a_gpu_measures_the_same_in_one_part_and_image_by_image(monkeypatch):
    whole = dense.respond(Probe.of(dictionary(k=3), heldout()), [*activations()])
    monkeypatch.setattr(dense, "MOST_BYTES", 1)
    parts = dense.respond(Probe.of(dictionary(k=3), heldout()), [*activations()])
    for name, values in whole.items():
        np.testing.assert_allclose(parts[name], values, rtol=1e-5)


# the interference share


def tied(directions, bias=0.0):
    """A dictionary that encodes and decodes along known directions (h, d)."""
    w = np.asarray(directions, np.float32)
    return Dictionary(w, np.full(len(w), bias, np.float32), w, np.zeros(w.shape[1], np.float32))


def row(*values):
    return np.array(values, np.float32).reshape(1, 1, -1)


@given(seed=st.integers(0, 2**32 - 1), bias=st.sampled_from([0.0, -0.4]))
@settings(max_examples=30, deadline=None)
def test_an_orthogonal_dictionary_has_no_interference_whatever_happens(seed, bias):
    rng = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(rng.standard_normal((D, D)))
    x = rng.standard_normal((2, 3, 4, D)).astype(np.float32)
    found = measured(tied(basis, bias), x)
    np.testing.assert_allclose(found["drive_interference"], 0, atol=1e-5)
    assert found["drive"][1].sum() > 0


def test_three_directions_in_a_plane_interfere_as_their_cosines_say():
    """Feature 0 falls from 1 to 0, feature 1 rises from 0 to 1, all at 120°.

    The row goes from d_0 to d_1. Latent 1 wakes with w_1·Δ = 1 − cos 120° = 1.5, of which its own
    activation is 1 and latent 0, which falls silent, gives −1 · cos 120° = 0.5: a third.
    """
    angles = 2 * np.pi * np.arange(3) / 3
    star = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    sae = tied(star)
    found = measured(sae, [row(*star[0]), row(*star[1])], rows=heldout()[:, :, :2])
    assert found["woken"][1] == found["silenced"][1] == 1
    assert found["drive"][1] == pytest.approx(1.5)
    assert found["drive_own"][1] == pytest.approx(1)
    assert found["drive_interference"][1] == pytest.approx(0.5)


def test_a_latent_that_never_had_its_own_evidence_is_driven_by_interference_alone():
    """Latent 1 overlaps with latent 0 by 0.6, whose feature rises from 1 to 3: 0.6 · 3 crosses the
    bias of −1 and 0.6 · 1 does not. What it is driven by is 0.6 · 2, all of it through latent 0 but
    what it then adds itself."""
    directions = np.array([[1.0, 0.0], [0.6, 0.8]])
    sae = Dictionary(
        directions.astype(np.float32), np.array([0, -1], np.float32),
        directions.astype(np.float32), np.zeros(2, np.float32),
    )  # fmt: skip
    found = measured(sae, [row(1, 0), row(3, 0)], rows=heldout()[:, :, :2])
    assert found["woken"][1] == 1
    assert found["drive"][1] == pytest.approx(1.2)
    assert found["drive_interference"][1] == pytest.approx(1.2)
    assert found["drive_own"][1] == pytest.approx(0.8)
