"""Inputs have the distribution of the papers: U[0, 1] with probability p, else 0."""

import pytest
import torch

from interference.compute import generator
from interference.toy import sampling
from interference.toy.sampling import sparse_inputs, stream

DENSITIES = torch.tensor([1.0, 0.5, 0.1])
FEATURES, BATCH = 50, 20_000


@pytest.fixture(scope="module")
def inputs():
    u = torch.from_numpy(stream(0, 1).random((FEATURES, BATCH), dtype="float32"))
    return sparse_inputs(u, DENSITIES).double()


def standard_errors(value, expected, variance):
    return abs(value - expected) / (variance / (FEATURES * BATCH)) ** 0.5


@pytest.mark.parametrize("which", range(len(DENSITIES)))
def test_a_feature_is_on_with_probability_p(inputs, which):
    p = DENSITIES[which].item()
    on = (inputs[which] > 0).double().mean().item()
    assert on == 1 if p == 1 else standard_errors(on, p, p * (1 - p)) < 4


@pytest.mark.parametrize("which", range(len(DENSITIES)))
@pytest.mark.parametrize("power", [1, 2, 3])
def test_values_that_are_on_have_the_moments_of_the_uniform(inputs, which, power):
    values = inputs[which][inputs[which] > 0]
    expected = 1 / (power + 1)
    variance = 1 / (2 * power + 1) - expected**2
    assert abs(values.pow(power).mean().item() - expected) < 4 * (variance / len(values)) ** 0.5


@pytest.mark.parametrize("which", [1, 2])
def test_the_mask_says_nothing_about_the_value(inputs, which):
    # Given that it is on, a value falls in each tenth of [0, 1] equally often.
    values = inputs[which][inputs[which] > 0]
    counts = torch.histc(values, bins=10, min=0, max=1)
    expected = len(values) / 10
    chi_squared = ((counts - expected) ** 2 / expected).sum().item()
    assert chi_squared < 27.9  # 99.9 % of chi squared with 9 degrees of freedom


def test_features_and_samples_are_independent(inputs):
    correlation = torch.corrcoef(inputs[2]) - torch.eye(FEATURES)
    assert correlation.abs().max() < 5 / BATCH**0.5


def test_shared_uniforms_pair_the_densities(inputs):
    # What is on at a low density is on, and larger, at every higher one.
    dense, _, sparse = inputs
    assert (dense >= sparse).all()
    on = sparse > 0
    torch.testing.assert_close(1 - dense[on], (1 - sparse[on]) * 0.1, atol=1e-6, rtol=0)


def test_the_streams_of_a_seed_and_of_different_seeds_differ():
    streams = [
        sampling.INIT,
        sampling.TRAINING,
        sampling.TRAINING_NOISE,
        sampling.EVALUATION,
        sampling.EVALUATION_NOISE,
        sampling.REFIT,
    ]
    pairs = [(seed, stream) for seed in (0, 1, 2) for stream in streams]
    draws = {tuple(torch.rand(4, generator=generator(*pair)).tolist()) for pair in pairs}
    draws |= {tuple(stream(*pair).random(4).tolist()) for pair in pairs}
    assert len(draws) == 2 * len(pairs)
