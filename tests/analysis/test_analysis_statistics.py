"""Intervals, ranks and curves against scipy and brute force."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from interference.analysis.curves import common_l0, interpolate, member_draws
from interference.analysis.frames import MEMBER
from interference.analysis.statistics import (
    interval,
    rank_correlation,
    ranks,
    resample,
    wilson,
)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.999])
@pytest.mark.parametrize(("successes", "n"), [(0, 1), (0, 50), (7, 20), (50, 50), (999, 2000)])
def test_wilsons_interval_is_scipys(successes, n, confidence):
    expected = stats.binomtest(successes, n).proportion_ci(confidence, method="wilson")
    low, high = wilson(np.array([successes]), np.array([n]), confidence)
    np.testing.assert_allclose([low[0], high[0]], [expected.low, expected.high], atol=1e-12)


def test_wilsons_interval_never_leaves_its_share_out():
    """By rounding it did, by 3e-17 of 5 images, and a figure of errors below 0 is refused."""
    n = np.arange(1, 400)
    for successes in (np.zeros_like(n), n):
        low, high = wilson(successes, n, 0.95)
        assert np.all(low <= successes / n)
        assert np.all(high >= successes / n)


def test_bootstrap_weights_are_counts_of_draws_and_repeat():
    weights = resample(30, 500, seed=4)
    assert weights.shape == (500, 30)
    np.testing.assert_allclose(weights.sum(1), 1)
    np.testing.assert_allclose(weights * 30, np.rint(weights * 30), atol=1e-12)
    np.testing.assert_array_equal(weights, resample(30, 500, seed=4))
    assert (weights != resample(30, 500, seed=5)).any()
    # counts of one image in n draws are Binomial(n, 1/n)
    assert (weights * 30).mean() == pytest.approx(1)
    assert (weights * 30).var() == pytest.approx(1 - 1 / 30, rel=0.05)


def test_bootstrap_intervals_cover_a_ratio_of_means_about_as_often_as_they_say():
    rng, covered = np.random.default_rng(0), 0
    for seed in range(200):
        below = rng.gamma(4, 1, 60)
        above = 2 * below * rng.uniform(0.5, 1.5, 60)
        weights = resample(60, 300, seed)
        low, high = interval((weights @ above) / (weights @ below), 0.9, 60)
        covered += low <= 2 <= high
    assert 0.83 <= covered / 200 <= 0.96


def test_an_interval_is_of_percentiles_and_skips_draws_that_are_undefined():
    draws = np.append(np.arange(101.0), [np.nan] * 5)
    np.testing.assert_allclose(interval(draws, 0.9, 50), (5, 95))
    low, high = interval(np.stack([draws, 2 * draws], axis=1), 0.5, 50)
    np.testing.assert_allclose([low, high], [[25, 50], [75, 150]])


@pytest.mark.parametrize(("confidence", "units"), [(0.5, 2), (0.9, 5), (0.95, 6), (0.99, 8)])
def test_fewer_units_than_their_range_needs_to_cover_the_median_carry_no_interval(
    confidence, units
):
    assert 1 - 2.0 ** (1 - units) >= confidence > 1 - 2.0 ** (2 - units)
    draws = np.random.default_rng(0).random((200, 3))
    assert np.isfinite(interval(draws, confidence, units)).all()
    assert np.isnan(interval(draws, confidence, units - 1)).all()
    assert np.isnan(interval(draws[:, 0], confidence, 1)).all()


VALUES = st.lists(st.integers(0, 6), min_size=2, max_size=12)


@settings(max_examples=100, deadline=None)
@given(VALUES)
def test_ranks_are_scipys_with_ties_averaged(values):
    expected = stats.rankdata(values) - 1
    np.testing.assert_allclose(ranks(np.array(values, float)), expected)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=2, max_size=12))
def test_rank_correlation_is_scipys_with_ties(pairs):
    x, y = np.array(pairs, float).T
    found = rank_correlation(x, y)
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)


def test_a_missing_number_leaves_its_row_without_ranks_and_correlation_and_no_other_row():
    x, y = np.array([[3.0, np.nan, 1.0, 2.0], [1.0, 2.0, 2.0, 4.0]]), np.arange(4.0)
    assert np.isnan(ranks(x)[0]).all()
    assert ranks(x)[1].tolist() == [0, 1.5, 1.5, 3]
    for found in (rank_correlation(x, y), rank_correlation(y, x)):
        assert np.isnan(found[0])
        assert found[1] == pytest.approx(stats.spearmanr(x[1], y).statistic)


def test_rank_correlation_works_along_the_last_axis():
    rng = np.random.default_rng(0)
    x, y = rng.random((5, 4, 7)), rng.random((5, 4, 7))
    found = rank_correlation(x, y)
    assert found.shape == (5, 4)
    assert found[2, 3] == pytest.approx(stats.spearmanr(x[2, 3], y[2, 3]).statistic)


L0 = np.array([[2.0, 9.0], [16.0, 3.0], [4.0, 27.0]])  # in no order, another one each draw
FVU = np.array([[0.9, 0.5], [0.3, 0.8], [0.6, 0.2]])


@pytest.mark.parametrize(("member", "draw"), [(m, d) for m in range(3) for d in range(2)])
def test_interpolation_at_a_node_gives_the_node(member, draw):
    found = interpolate(L0, FVU, L0[member, draw])
    assert found[draw] == pytest.approx(FVU[member, draw])


@pytest.mark.parametrize("target", [2.5, 3.0, 6.3, 9.0, 15.9])
def test_interpolation_is_numpys_in_log_l0(target):
    expected = []
    for l0, fvu in zip(L0.T, FVU.T):
        order = l0.argsort()
        expected.append(np.interp(np.log(target), np.log(l0[order]), fvu[order]))
    inside = (L0.min(0) <= target) & (target <= L0.max(0))
    np.testing.assert_allclose(interpolate(L0, FVU, target)[inside], np.array(expected)[inside])


def test_the_common_l0_is_the_geometric_middle_of_the_range_that_all_cover():
    assert common_l0(
        [np.array([1.0, 16.0]), np.array([4.0, 64.0]), np.array([2.0, 25.0])]
    ) == pytest.approx(8)
    assert common_l0([np.array([1.0, 4.0]), np.array([5.0, 9.0])]) is None


def test_a_member_without_active_latents_does_not_spoil_the_common_l0():
    """A ReLU SAE under a large penalty may have L0 = 0: a logarithm has no place for it."""
    l0 = np.array([0.0, 2.0, 8.0])
    target = common_l0([l0, np.array([0.0, 1.0, 16.0])])
    assert target == pytest.approx(4)
    found = interpolate(l0[:, None], np.array([[1.0], [0.6], [0.2]]), target)
    assert found[0] == pytest.approx(0.4)


def test_draws_are_ratios_of_weighted_sums_over_images():
    rng = np.random.default_rng(0)
    key = dict(zip(MEMBER, ["m", "resnet18", "l2", 1.0, 0, "stem", "topk", 4.0, 0]))
    frames = []
    for sparsity in (8.0, 4.0):
        columns = {n: rng.random(6) for n in ("squared_error", "deviation", "l0")}
        order = rng.permutation(6)
        frames.append(pd.DataFrame({**key, "sparsity": sparsity, "image": np.arange(6), **columns}))
        frames[-1] = frames[-1].iloc[order]
    weights = resample(6, 10, seed=0)
    draws = member_draws(pd.concat(frames), weights)
    assert draws["sparsity"].tolist() == [4.0, 8.0]
    for row in draws.itertuples():
        part = frames[0 if row.sparsity == 8 else 1].set_index("image")
        for w, fvu, l0 in zip(weights, row.fvu, row.l0):
            error = sum(w[i] * part["squared_error"][i] for i in range(6))
            deviation = sum(w[i] * part["deviation"][i] for i in range(6))
            assert fvu == pytest.approx(error / deviation)
            assert l0 == pytest.approx(sum(w[i] * part["l0"][i] for i in range(6)))
