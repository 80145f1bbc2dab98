"""Norms, projections, steepest directions and draws against closed forms and brute force."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from interference.attacks.norms import norm_of, project, steepest, uniform_in_ball

NORMS = ["l2", "linf"]
SHAPES = st.sampled_from([(1, 1), (3, 2), (2, 1, 5, 5), (4, 3, 2, 2)])
COMMON = settings(max_examples=40, deadline=None)


def draw(shape, seed, scale=1.0):
    return scale * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("norm", NORMS)
@COMMON
@given(shape=SHAPES, seed=st.integers(0, 1000))
def test_norms_are_numpys_image_by_image(norm, shape, seed):
    x = draw(shape, seed).double()
    order = {"l2": 2, "linf": np.inf}[norm]
    expected = [np.linalg.norm(image.ravel(), order) for image in x.numpy()]
    np.testing.assert_allclose(norm_of(x, norm), expected, rtol=1e-14)


@pytest.mark.parametrize("norm", NORMS)
@COMMON
@given(
    shape=SHAPES,
    seed=st.integers(0, 1000),
    scale=st.sampled_from([1e-3, 1.0, 100.0]),
    epsilon=st.floats(0.01, 10),
)
def test_projection_lies_in_the_ball_and_leaves_the_inside_alone(norm, shape, seed, scale, epsilon):
    delta = draw(shape, seed, scale).double()
    projected = project(delta, epsilon, norm)
    assert (norm_of(projected, norm) <= epsilon * (1 + 1e-12)).all()
    inside = norm_of(delta, norm) <= epsilon
    torch.testing.assert_close(projected[inside], delta[inside], rtol=0, atol=0)
    torch.testing.assert_close(project(projected, epsilon, norm), projected)


@pytest.mark.parametrize("seed", range(3))
def test_the_l2_projection_is_the_nearest_point_of_the_ball(seed):
    delta = draw((1, 3), seed, 3.0).double()
    found = optimize.minimize(
        lambda p: ((p - delta.numpy()[0]) ** 2).sum(),
        np.zeros(3),
        constraints={"type": "ineq", "fun": lambda p: 0.7**2 - (p**2).sum()},
        options={"ftol": 1e-14},
    )
    np.testing.assert_allclose(project(delta, 0.7, "l2")[0], found.x, atol=1e-6)


@pytest.mark.parametrize("norm", NORMS)
@COMMON
@given(seed=st.integers(0, 1000), epsilon=st.floats(0.05, 2))
def test_no_point_of_the_ball_is_nearer_than_the_projection(norm, seed, epsilon):
    delta = draw((1, 4), seed, 2.0).double()
    nearest = (project(delta, epsilon, norm) - delta).norm()
    points = uniform_in_ball(delta.expand(500, 4), epsilon, norm, torch.Generator())
    assert ((points - delta).norm(dim=1) >= nearest - 1e-9).all()


@pytest.mark.parametrize(("norm", "dual"), [("l2", 2), ("linf", 1)])
@COMMON
@given(shape=SHAPES, seed=st.integers(0, 1000))
def test_the_steepest_direction_reaches_the_dual_norm(norm, dual, shape, seed):
    gradient = draw(shape, seed).double()
    direction = steepest(gradient, norm)
    np.testing.assert_allclose(norm_of(direction, norm), 1, rtol=1e-12)
    gain = (gradient * direction).flatten(1).sum(1)
    expected = torch.linalg.vector_norm(gradient.flatten(1), ord=dual, dim=1)
    torch.testing.assert_close(gain, expected)  # Hölder: no unit direction gains more


@pytest.mark.parametrize("norm", NORMS)
def test_a_zero_gradient_has_no_direction(norm):
    assert steepest(torch.zeros(2, 3), norm).abs().sum() == 0


@pytest.mark.parametrize("dimension", [1, 3, 48])
def test_draws_from_the_l2_ball_are_uniform(dimension):
    like = torch.zeros(4000, dimension)
    draws = uniform_in_ball(like, 0.7, "l2", torch.Generator().manual_seed(0)).double().numpy()
    radii = np.linalg.norm(draws, axis=1) / 0.7
    assert radii.max() <= 1 + 1e-6
    assert stats.kstest(radii**dimension, "uniform").pvalue > 0.01
    # A coordinate of a uniform direction: (u + 1) / 2 is Beta((n-1)/2, (n-1)/2).
    if dimension > 1:
        cosine = draws[:, 0] / np.linalg.norm(draws, axis=1)
        beta = stats.beta((dimension - 1) / 2, (dimension - 1) / 2)
        assert stats.kstest((cosine + 1) / 2, beta.cdf).pvalue > 0.01


def test_draws_from_the_linf_ball_are_uniform():
    draws = uniform_in_ball(torch.zeros(2000, 3), 0.2, "linf", torch.Generator().manual_seed(0))
    for column in draws.double().numpy().T:
        assert stats.kstest(column, stats.uniform(-0.2, 0.4).cdf).pvalue > 0.01
    correlation = np.corrcoef(draws.numpy().T)
    assert np.abs(correlation - np.eye(3)).max() < 4 / math.sqrt(2000)


@pytest.mark.parametrize("norm", NORMS)
def test_equal_seeds_draw_equal_bytes(norm):
    def once(seed):
        like = torch.zeros(3, 2, 4, 4)
        return uniform_in_ball(like, 0.5, norm, torch.Generator().manual_seed(seed))

    assert torch.equal(once(5), once(5))
    assert not torch.equal(once(5), once(6))
