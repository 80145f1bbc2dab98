"""Measures of superposition on weights whose geometry is known."""

import math

import pytest
import torch

from interference.toy import measures

HIDDEN = 5


def padded(*blocks):
    return torch.cat(blocks, dim=-1).unsqueeze(0)


IDENTITY = padded(torch.eye(HIDDEN), torch.zeros(HIDDEN, 7))
ANTIPODAL = padded(torch.eye(HIDDEN), -torch.eye(HIDDEN), torch.zeros(HIDDEN, 2))


def pentagon():
    angles = torch.arange(5) * 2 * math.pi / 5
    return torch.stack([angles.cos(), angles.sin()]).unsqueeze(0)


@pytest.mark.parametrize(("W", "expected"), [(IDENTITY, 1), (ANTIPODAL, 2), (pentagon(), 2.5)])
def test_unit_features_per_dimension_are_counted(W, expected):
    assert measures.features_per_dimension(W).item() == pytest.approx(expected)
    assert measures.learned_features_per_dimension(W).item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("W", "expected"), [(IDENTITY, 1), (ANTIPODAL, 1 / 2), (pentagon(), 2 / 5)]
)
def test_each_feature_has_its_share_of_the_dimensions(W, expected):
    assert measures.dimensionality(W).item() == pytest.approx(expected)


def test_shrinking_lowers_features_per_dimension_but_not_the_count_or_the_geometry():
    W = ANTIPODAL / 2
    assert measures.features_per_dimension(W).item() == pytest.approx(2 / 4)
    assert measures.learned_features_per_dimension(W).item() == 2
    assert measures.dimensionality(W).item() == pytest.approx(1 / 2)
    assert measures.learned_norm(W).item() == pytest.approx(1 / 2)


def test_orthogonal_features_do_not_interfere():
    assert measures.interference(IDENTITY).item() == 0


def test_each_antipodal_pair_interferes_once_each_way():
    features = ANTIPODAL.shape[-1]
    expected = 2 * HIDDEN / (features * (features - 1))
    assert measures.interference(ANTIPODAL).item() == pytest.approx(expected)


def test_short_features_are_not_learned_and_enter_no_mean():
    W = padded(torch.eye(HIDDEN), 0.5 * torch.eye(HIDDEN))
    assert measures.learned_features_per_dimension(W).item() == 1
    assert measures.learned_norm(W).item() == 1


def test_each_model_of_a_stack_is_measured_alone():
    stack = torch.randn(3, 4, 9, generator=torch.Generator().manual_seed(0))
    for name in (
        measures.features_per_dimension,
        measures.learned_features_per_dimension,
        measures.dimensionality,
        measures.learned_norm,
        measures.interference,
    ):
        torch.testing.assert_close(name(stack), torch.cat([name(W[None]) for W in stack]))
