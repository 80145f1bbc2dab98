"""Active latents under attack, against a loop over rows and latents."""

from dataclasses import replace

import numpy as np
import pytest

from interference.probes.latents import count_active
from interference.saes.dictionary import Dictionary, calibrated_threshold

D, LATENTS, CONDITIONS, IMAGES, POSITIONS = 5, 12, 3, 4, 6


def dictionary(seed=0, threshold=0.0, k=0):
    rng = np.random.default_rng(seed)
    w_enc, b_enc = rng.standard_normal((LATENTS, D)), rng.standard_normal(LATENTS)
    arrays = [a.astype(np.float32) for a in (w_enc, b_enc, w_enc, rng.standard_normal(D))]
    return Dictionary(*arrays, k=k, threshold=threshold)


def activations(seed=1):
    """(conditions, images, positions, d)."""
    rng = np.random.default_rng(seed)
    shape = (CONDITIONS, IMAGES, POSITIONS, D)
    return rng.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("threshold", [0.0, 0.7, 3.0])
def test_counts_are_those_of_a_loop(threshold):
    sae, x = dictionary(threshold=threshold), activations()
    l0, woken = count_active(sae, [*x])
    assert l0.shape == woken.shape == (CONDITIONS, IMAGES)
    for c in range(CONDITIONS):
        for i in range(IMAGES):
            active = newly = 0
            for p in range(POSITIONS):
                for w, b in zip(sae.w_enc.astype(float), sae.b_enc.astype(float)):
                    now = w @ x[c, i, p] + b > threshold
                    before = w @ x[0, i, p] + b > threshold
                    active += now
                    newly += now and not before
            assert l0[c, i] == pytest.approx(active / POSITIONS)
            assert woken[c, i] == pytest.approx(newly / POSITIONS)


def test_every_latent_is_counted_at_its_own_threshold():
    thresholds = np.linspace(0, 2, LATENTS).astype(np.float32)
    sae, x = dictionary(threshold=thresholds), activations()
    l0, _ = count_active(sae, [*x])
    active = sae.rectified(x.reshape(-1, D)) > thresholds
    np.testing.assert_allclose(l0, active.sum(1).reshape(CONDITIONS, IMAGES, -1).mean(2))
    together, _ = count_active(dictionary(threshold=1.0), [*x])
    assert (l0 != together).any()


def test_nothing_wakes_up_on_the_clean_images_themselves():
    clean = activations()[0]
    l0, woken = count_active(dictionary(), [clean, clean])
    assert (woken == 0).all()
    np.testing.assert_array_equal(l0[0], l0[1])


def test_the_count_is_that_of_threshold_inference():
    sae, x = dictionary(threshold=0.4, k=3), activations()
    l0, _ = count_active(sae, [*x])
    active = sae.encode_threshold(x.reshape(-1, D)) > 0
    expected = active.sum(1).reshape(CONDITIONS, IMAGES, POSITIONS).mean(2)
    np.testing.assert_allclose(l0, expected)


@pytest.mark.parametrize("k", [1, 3, 6])
def test_l0_at_the_threshold_is_k_on_the_rows_that_set_it(k):
    x = activations()
    sae = dictionary(k=k)
    sae = replace(sae, threshold=calibrated_threshold(sae.rectified(x.reshape(-1, D)), k))
    l0, _ = count_active(sae, [*x])
    assert l0.mean() == pytest.approx(k)
    assert l0.std() > 0
