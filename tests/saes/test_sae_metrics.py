"""How latents share held-out rows: closed forms, and brute force in float64."""

import numpy as np
import pytest

from interference.saes import metrics
from interference.saes.dictionary import Dictionary, initial_directions
from interference.saes.metrics import effective_features, largest_cosines, score

D, LATENTS, IMAGES, POSITIONS = 6, 20, 130, 3


def rng(seed=0):
    return np.random.default_rng(seed)


def dictionary(w_enc, w_dec=None, b_enc=None, k=0):
    w_enc = np.asarray(w_enc, np.float64)
    h, d = w_enc.shape
    b_enc = np.zeros(h) if b_enc is None else np.asarray(b_enc, np.float64)
    return Dictionary(w_enc, b_enc, w_enc if w_dec is None else w_dec, np.zeros(d), k=k)


def random_dictionary(k=0):
    """Some latents fire often, some seldom, two never, one hardly above zero."""
    w_enc = rng(1).standard_normal((LATENTS, D))
    w_enc[5] *= 1e-4
    b_enc = np.linspace(1, -6, LATENTS)
    b_enc[5], b_enc[3:5] = 0, -1000
    return dictionary(w_enc, initial_directions(D, LATENTS, 0).astype(np.float64), b_enc, k)


def heldout(scale=1.0):
    return scale * rng(2).standard_normal((IMAGES, POSITIONS, D))


def brute_force(sae, x):
    """The summary's new numbers, one latent after another."""
    rows = x.reshape(-1, D)
    f = np.maximum(rows @ sae.w_enc.T + sae.b_enc, 0)
    if sae.k:
        f = np.where(f >= np.sort(f, axis=1)[:, -sae.k][:, None], f, 0)
    n, h = f.shape
    relative = dense = 0
    for i in range(h):
        firing = f[f[:, i] > 0, i]
        if len(firing):
            relative += (f[:, i] > 0.01 * np.quantile(firing, 0.99)).sum()
        dense += len(firing) > 0.1 * n
    p = f.mean(0) / f.mean(0).sum()
    entropy = -sum(q * np.log(q) for q in p if q > 0)
    alive = [i for i in range(h) if f[:, i].any()]
    nearest = [
        max(abs(sae.w_dec[i] @ sae.w_dec[j])
            / np.linalg.norm(sae.w_dec[i]) / np.linalg.norm(sae.w_dec[j])
            for j in alive if j != i)
        for i in alive
    ]  # fmt: skip
    return {
        "l0": (f > 0).sum() / n,
        "l0_absolute": (f > 1e-3).sum() / n,
        "l0_relative": relative / n,
        "dead_fraction": 1 - len(alive) / h,
        "dense_fraction": dense / h,
        "effective_features": np.exp(entropy),
        "psi": np.exp(entropy) / D,
        "coherence": max(nearest),
        "mean_coherence": np.mean(nearest),
    }


@pytest.mark.parametrize("k", [0, 4])
def test_the_numbers_are_those_of_brute_force(k):
    sae, x = random_dictionary(k), heldout()
    expected = brute_force(sae, x)
    summary = score(sae, x).summary
    assert {name: summary[name] for name in expected} == pytest.approx(expected, rel=1e-12)
    assert expected["l0"] > expected["l0_relative"]
    assert expected["l0"] > expected["l0_absolute"] or k  # TopK does not pick the faint one
    assert 0 < expected["dead_fraction"] < expected["dense_fraction"] < 1


def test_the_percentile_of_a_latent_is_over_the_rows_in_which_it_is_active():
    use = metrics.Use.none(4, 1000)
    latents = np.zeros((1000, 4))
    latents[:, 0] = rng().permutation(1000) + 1.0
    latents[:250, 1] = rng().exponential(size=250)
    latents[7, 2] = 3.0
    for rows in np.array_split(latents, 7):
        use.add(rows)
    expected = [np.quantile(latents[:, 0], 0.99), np.quantile(latents[:250, 1], 0.99), 3.0, 0.0]
    np.testing.assert_allclose(use.percentile(), expected, rtol=1e-12)
    assert use.fired.tolist() == [1000, 250, 1, 0]


def test_faint_activations_count_at_threshold_zero_alone():
    x = np.full((1, 100, 1), 1.0)
    x[0, :40] = 5e-4
    summary = score(dictionary([[1.0]]), x).summary
    assert (summary["l0"], summary["l0_absolute"], summary["l0_relative"]) == (1, 0.6, 0.6)
    x *= 1000  # the relative threshold scales along, the absolute one does not
    summary = score(dictionary([[1.0]]), x).summary
    assert (summary["l0"], summary["l0_absolute"], summary["l0_relative"]) == (1, 1, 0.6)


def test_a_latent_is_dense_above_a_tenth_of_the_rows():
    x = np.zeros((1, 100, 2))
    x[0, :10, 0], x[0, :11, 1] = 1, 1
    assert score(dictionary(np.eye(2)), x).summary["dense_fraction"] == 0.5


@pytest.mark.parametrize("h", [1, 2, 7])
def test_equally_used_latents_are_all_effective(h):
    summary = score(dictionary(np.eye(h)), np.ones((2, 5, h)) + np.eye(2, 5)[..., None]).summary
    assert summary["effective_features"] == pytest.approx(h)
    assert summary["psi"] == pytest.approx(1)


def test_one_latent_alone_is_one_effective_feature():
    x = np.zeros((2, 5, 4))
    x[..., 2] = rng().random((2, 5))
    summary = score(dictionary(np.eye(4)), x).summary
    assert summary["effective_features"] == pytest.approx(1)
    assert summary["psi"] == pytest.approx(1 / 4)


def test_effective_features_weigh_by_magnitude_and_not_by_scale():
    assert effective_features(np.array([3.0, 1.0, 0.0])) == pytest.approx(4 / 3 ** (3 / 4))
    assert effective_features(np.array([3e-9, 1e-9, 0.0])) == pytest.approx(4 / 3 ** (3 / 4))


def test_an_orthonormal_decoder_has_no_coherence():
    x = np.abs(rng().standard_normal((3, 4, 5)))
    rotation = np.linalg.qr(rng().standard_normal((5, 5)))[0]
    for w_dec in (np.eye(5), rotation):
        summary = score(dictionary(np.eye(5), w_dec), x).summary
        assert summary["coherence"] == pytest.approx(0, abs=1e-12)
        assert summary["mean_coherence"] == pytest.approx(0, abs=1e-12)


def test_opposite_decoder_rows_are_as_coherent_as_equal_ones():
    directions = np.array([[1, 0, 0], [-2, 0, 0], [0, 1, 0], [0, 0.6, 0.8]])
    np.testing.assert_allclose(largest_cosines(directions), [1, 1, 0.6, 0.6])
    np.testing.assert_allclose(largest_cosines(directions[2:3]), [0])


def test_dead_latents_do_not_enter_coherence():
    w_dec = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    w_enc, x = np.ones((3, 2)), np.ones((2, 3, 2))
    x[0] = 2
    alive = score(dictionary(w_enc, w_dec), x).summary
    assert (alive["coherence"], alive["mean_coherence"]) == pytest.approx((1, 2 / 3))
    summary = score(dictionary(w_enc, w_dec, b_enc=[0, 0, -100]), x).summary
    assert (summary["coherence"], summary["mean_coherence"]) == (0, 0)


def test_a_dictionary_that_never_fires_has_finite_numbers():
    summary = score(dictionary(np.eye(4), b_enc=-np.ones(4)), heldout(1e-3)[..., :4]).summary
    names = ("l0", "l0_absolute", "l0_relative", "effective_features", "psi", "coherence")
    assert {name: summary[name] for name in names} == dict.fromkeys(names, 0)
    assert np.isfinite(list(summary.values())).all()


@pytest.mark.parametrize("k", [0, 4])
@pytest.mark.parametrize(("images", "latents"), [(1, 3), (7, 19), (1000, 1000)])
def test_nothing_depends_on_how_much_is_scored_at_once(images, latents, k, monkeypatch):
    sae, x = random_dictionary(k), heldout()
    expected = score(sae, x)
    monkeypatch.setattr(metrics, "IMAGES", images)
    monkeypatch.setattr(metrics, "LATENTS", latents)
    found = score(sae, x)
    assert found.summary == pytest.approx(expected.summary, rel=1e-12)
    for name in ("l0", "fired", "absolute", "relative"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_sums_over_float32_activations_are_float64():
    x = np.full((100, 1000, 1), 1 / 3, np.float32)
    x[0, 0] = 1
    one = Dictionary(*(np.ones(s, np.float32) for s in ((1, 1), 1, (1, 1), 1)))
    one.b_enc[:] = 0
    total = 99_999 * np.float64(np.float32(1 / 3)) + 1
    np.testing.assert_allclose(score(one, x).magnitude, [total], rtol=1e-12)
