"""Reconstructions in torch: against the code that SAEs are scored with, and derivatives in float64."""

import numpy as np
import pytest
import torch
from torch import nn

from interference.activations.standardise import Statistics
from interference.probes.defences import Defended, Projection, Sae, pca_fvu
from interference.probes.splicing import reconstruct
from interference.saes.dictionary import Dictionary
from interference.saes.spectrum import Spectrum

D, LATENTS, CPU = 6, 15, torch.device("cpu")
STATISTICS = Statistics(np.linspace(-2, 3, D), np.linspace(0.5, 4, D), floored=0)


def dictionary(**kind):
    w, v = np.random.default_rng(0).standard_normal((2, LATENTS, D)).astype(np.float32)
    b = np.random.default_rng(1).standard_normal(LATENTS).astype(np.float32)
    return Dictionary(w, b, v, np.linspace(-1, 1, D).astype(np.float32), **kind)


KINDS = {
    "relu": {},
    "threshold": {"threshold": 0.7},
    "a threshold per latent": {"threshold": np.linspace(0, 2, LATENTS).astype(np.float32)},
    "topk": {"k": 4, "threshold": 1.5},
    "batch topk": {"k": 4, "threshold": 1.5, "pooled": True},
}


def activations(n=5, positions=4, seed=2):
    return np.random.default_rng(seed).normal(0, 3, (n, positions, D)).astype(np.float32)


def defended(reconstruction):
    return Defended(nn.Identity(), "stem", STATISTICS, reconstruction)


@pytest.mark.parametrize("kind", KINDS)
def test_an_sae_reconstructs_as_where_it_is_spliced_into_the_network(kind):
    sae, x = dictionary(**KINDS[kind]), activations(n=50)
    expected, l0 = reconstruct(sae, STATISTICS, x.copy())
    found = defended(Sae.of(sae, CPU)).restored(torch.from_numpy(x))
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-4)
    standardised = torch.from_numpy(STATISTICS.apply(x))
    active = (Sae.of(sae, CPU).encode(standardised) > 0).sum(2).double().mean(1)
    np.testing.assert_allclose(active.numpy(), l0)
    assert 0 < l0.min() < LATENTS


def by_loops(sae, row):
    """The reconstruction of one raw row (d,) in float64, and which latents are active."""
    x = (row - STATISTICS.mean) / STATISTICS.std
    pre = sae.w_enc.astype(float) @ x + sae.b_enc
    bars = np.broadcast_to(sae.threshold, LATENTS)
    if sae.k and not sae.pooled:
        bars = np.full(LATENTS, max(0, sorted(pre)[-sae.k - 1]))
    active = [i for i in range(LATENTS) if pre[i] > bars[i]]
    x_hat = sum((pre[i] * sae.w_dec[i].astype(float) for i in active), sae.b_dec.astype(float))
    return x_hat * STATISTICS.std + STATISTICS.mean, active


@pytest.mark.parametrize("kind", KINDS)
def test_a_gradient_through_an_sae_is_the_finite_difference_where_its_choice_stands(kind):
    sae, step, compared = dictionary(**KINDS[kind]), 1e-5, 0
    towards = np.linspace(-1, 2, D)
    for row in activations(n=6, positions=1)[:, 0]:
        x = torch.from_numpy(row)[None, None].requires_grad_(True)
        restored = defended(Sae.of(sae, CPU)).restored(x)
        (restored * torch.from_numpy(towards)).sum().backward()
        ends = [
            [by_loops(sae, row + sign * step * np.eye(D)[i]) for sign in (1, -1)] for i in range(D)
        ]
        if any(active != by_loops(sae, row)[1] for pair in ends for _, active in pair):
            continue
        slopes = [(up - down) @ towards / (2 * step) for (up, _), (down, _) in ends]
        np.testing.assert_allclose(x.grad[0, 0].numpy(), slopes, rtol=1e-3, atol=1e-3)
        compared += 1
    assert compared >= 4


def rows(n=400, seed=3):
    """Correlated rows, not about zero."""
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((n, D)) @ rng.standard_normal((D, D)) + 2).astype(np.float32)


class Store:
    """Rows in memory, as a store has them."""

    chunk_rows = 150

    def __init__(self, values):
        self.values, self.shape = values, values.shape

    def __getitem__(self, part):
        return self.values[part]


@pytest.fixture
def spectrum():
    return Spectrum.of(Store(rows()))


@pytest.mark.parametrize("components", [1, 3, D])
def test_a_projection_is_the_nearest_point_of_the_best_subspace(components, spectrum):
    x = rows(20, seed=4)
    mean = rows().mean(0, dtype=np.float64)
    directions = np.linalg.svd(rows().astype(np.float64) - mean)[2][:components]
    expected = sum(np.outer((x - mean) @ v, v) for v in directions) + mean
    found = Projection.of(spectrum, components, CPU)(torch.from_numpy(x))
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-4)


def test_with_all_components_nothing_is_removed(spectrum):
    x = torch.from_numpy(activations())
    whole = defended(Projection.of(spectrum, D, CPU)).restored(x)
    torch.testing.assert_close(whole, x, rtol=1e-5, atol=1e-4)


def test_the_fvu_of_a_projection_is_what_it_leaves_of_the_variance_of_these_rows(spectrum):
    heldout = rows(60, seed=5).reshape(12, 5, D)
    found = pca_fvu(spectrum, heldout)
    flat = heldout.reshape(-1, D).astype(np.float64)
    for components in range(1, D + 1):
        v = spectrum.vectors[:, :components]
        left = flat - spectrum.mean - (flat - spectrum.mean) @ v @ v.T
        expected = (left**2).sum() / ((flat - flat.mean(0)) ** 2).sum()
        assert found[components - 1] == pytest.approx(expected, abs=1e-9)
