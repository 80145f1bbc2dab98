"""The trust-region solver finds the global maximum of a convex quadratic on a ball."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from interference.toy.quadratic import maximise


def quadratic(A, g, v):
    """vᵀ A v + 2 gᵀ v. A: (m, m); g: (m,); v: (m, K); returns (K,)."""
    return (v * (A @ v)).sum(0) + 2 * g @ v


def solved(A, g, radius):
    v, bound = maximise(A[None], g[None], torch.tensor([radius], dtype=torch.float64))
    assert v.norm() <= radius * (1 + 1e-12)
    return quadratic(A, g, v.T).item(), bound.item()


def instance(seed, m, rank):
    random = torch.Generator().manual_seed(seed)
    F = torch.randn(m, rank, generator=random, dtype=torch.float64)
    return F @ F.T, torch.randn(m, generator=random, dtype=torch.float64), random


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), rank=st.integers(0, 3), radius=st.floats(1e-3, 1e3))
def test_in_two_dimensions_it_agrees_with_a_grid_over_the_circle(seed, rank, radius):
    A, g, _ = instance(seed, 2, rank)
    angles = torch.arange(100_000, dtype=torch.float64) * (2 * math.pi / 100_000)
    circle = radius * torch.stack([angles.cos(), angles.sin()])
    value, bound = solved(A, g, radius)
    assert value == pytest.approx(quadratic(A, g, circle).max().item(), rel=1e-7)
    assert bound == pytest.approx(value, rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), m=st.integers(1, 12), scale=st.floats(1e-6, 1e3))
def test_no_random_point_is_better(seed, m, scale):
    A, g, random = instance(seed, m, m // 2 + 1)
    points = torch.randn(m, 5000, generator=random, dtype=torch.float64)
    points /= points.norm(dim=0) * torch.linspace(1, 2, 5000, dtype=torch.float64)
    value, bound = solved(A, scale * g, 1.0)
    assert quadratic(A, scale * g, points).max() <= value * (1 + 1e-9)
    assert value <= bound * (1 + 1e-12)
    assert bound == pytest.approx(value, rel=1e-8)


@pytest.mark.parametrize("top", [0.0, 1e-300, 1e-20, 1e-9])
def test_in_the_hard_case_the_top_eigenvector_fills_the_radius(top):
    # v = (x, y): 3 x² + y² + 2 · 0.5 y on the unit circle has its maximum at y = 0.25, by
    # 3 (1 − y²) + y² + y, and the value 3.125.
    A = torch.diag(torch.tensor([3.0, 1.0], dtype=torch.float64))
    value, bound = solved(A, torch.tensor([top, 0.5], dtype=torch.float64), 1.0)
    assert value == pytest.approx(3.125, rel=1e-8)
    assert bound == pytest.approx(3.125, rel=1e-8)


def test_a_repeated_top_eigenvalue_is_no_trouble():
    A, g = torch.eye(4, dtype=torch.float64), torch.tensor([0.0, 3.0, 4.0, 0.0]).double()
    assert solved(A, g, 2.0) == (pytest.approx(4 + 2 * 5 * 2), pytest.approx(4 + 2 * 5 * 2))


def test_without_slope_the_top_eigenvalue_counts():
    A, _, _ = instance(1, 5, 5)
    value, bound = solved(A, torch.zeros(5, dtype=torch.float64), 3.0)
    expected = 9 * torch.linalg.eigvalsh(A)[-1].item()
    assert (value, bound) == (pytest.approx(expected), pytest.approx(expected))


def test_a_constant_stays_constant():
    assert solved(torch.zeros(3, 3).double(), torch.zeros(3).double(), 1.0) == (0, 0)
