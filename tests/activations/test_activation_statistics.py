"""Statistics of a layer against numpy, and the cast to float16."""

import numpy as np
import pytest
import torch
from scipy import stats

from interference import compute
from interference.activations.forward import choose, sums
from interference.activations.standardise import RELATIVE_FLOOR, LayerError, Statistics, Sums


def values(seed=0, shape=(30, 7, 5)):
    rng = np.random.default_rng(seed)
    scale, shift = np.array([1, 10, 0.1, 3, 5]), np.array([0, 100, -5, 1, 2])
    return (rng.standard_normal(shape) * scale + shift).astype(np.float32)


def statistics(*batches):
    zero = Sums.zero(batches[0].shape[-1])
    return Statistics.of(sum((sums(torch.from_numpy(batch)) for batch in batches), zero))


def test_statistics_are_numpys_in_float64_over_images_and_positions():
    x = values()
    found = statistics(x[:11], x[11:12], x[12:])
    rows = x.reshape(-1, 5).astype(np.float64)
    np.testing.assert_allclose(found.mean, rows.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.std, rows.std(0), rtol=1e-9)
    assert found.floored == 0
    assert found.mean.dtype == found.std.dtype == np.float64


def test_a_dead_channel_gets_the_floor_and_stays_finite():
    x = values()
    x[..., 2] = 0
    found = statistics(x)
    deviations = x.reshape(-1, 5).astype(np.float64).std(0)
    assert found.floored == 1
    assert found.std[2] == pytest.approx(RELATIVE_FLOOR * deviations.mean())
    np.testing.assert_allclose(np.delete(found.std, 2), np.delete(deviations, 2), rtol=1e-9)
    assert (found.apply(x)[..., 2] == 0).all()
    half, clipped = found.half(x + np.float32(1e-6))
    assert np.isfinite(half).all()
    assert clipped == 0


def test_a_layer_in_which_nothing_varies_is_refused():
    with pytest.raises(LayerError, match="every channel of the layer is constant"):
        statistics(np.full((30, 7, 5), 2.0, np.float32))


def test_standardised_rows_have_mean_zero_and_deviation_one():
    x = values()
    standardised = statistics(x).apply(x)
    assert standardised.dtype == np.float32
    rows = standardised.reshape(-1, 5).astype(np.float64)
    np.testing.assert_allclose(rows.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(rows.std(0), 1, atol=1e-6)


def test_restoring_undoes_standardising():
    x = values()
    found = statistics(x)
    assert found.restore(found.apply(x)).dtype == np.float32
    np.testing.assert_allclose(found.restore(found.apply(x)), x, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.restore(np.zeros(5)), x.reshape(-1, 5).mean(0), rtol=1e-5)


def test_a_large_mean_is_removed_before_the_cast_to_half_precision():
    x = (1e5 + values()).astype(np.float32)
    half, clipped = statistics(x).half(x)
    assert half.dtype == np.float16
    assert clipped == 0
    np.testing.assert_allclose(half, statistics(x).apply(x), rtol=1e-3, atol=1e-3)


def test_overflows_are_clipped_and_counted():
    one = Statistics(np.zeros(3), np.ones(3), floored=0)
    x = np.array([[65504, 65600, 1], [-1e6, 1e30, -65504]], np.float32)
    half, clipped = one.half(x)
    assert clipped == 3
    np.testing.assert_array_equal(half, np.clip(x, -65504, 65504))


def test_sums_are_float64s_however_many_pieces_they_are_made_of(monkeypatch):
    x = torch.from_numpy(values(shape=(50, 7, 5)))
    whole = sums(x)
    monkeypatch.setattr("interference.activations.forward.PIECE", 60)
    pieces = sums(x)
    rows = x.reshape(-1, 5).double().numpy()
    for found in (whole, pieces):
        assert found.count == 350
        np.testing.assert_allclose(found.total, rows.sum(0), rtol=1e-12)
        np.testing.assert_allclose(found.squares, (rows**2).sum(0), rtol=1e-12)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_sum_of_squares_shows_what_is_not_finite_and_holds_the_largest_float(value):
    x = torch.zeros(3, 4, 5)
    x[1, 2, 3] = torch.finfo(torch.float32).max
    assert np.isfinite(sums(x).squares).all()
    x[2, 0, 1] = value
    assert np.isfinite(sums(x).squares).tolist() == [True, False, True, True, True]


@pytest.mark.parametrize("kept", [1, 3, 8])
def test_chosen_positions_are_distinct_positions_of_an_image(kept):
    chosen = choose(200, 9, kept, compute.generator(0))
    assert chosen.shape == (200, kept)
    assert ((chosen >= 0) & (chosen < 9)).all()
    assert (chosen.diff(dim=1) > 0).all()  # ascending, so none twice


def test_every_position_is_as_likely_to_be_chosen():
    chosen = choose(4000, 9, 3, compute.generator(0)).numpy()
    assert stats.chisquare(np.bincount(chosen.flatten(), minlength=9)).pvalue > 0.01
    threes = {tuple(row) for row in chosen.tolist()}
    assert len(threes) == 84  # every set of three: not strided, not blocks


def test_a_seed_fixes_the_positions():
    a, b, other = (choose(50, 9, 3, compute.generator(s)) for s in (1, 1, 2))
    assert torch.equal(a, b)
    assert not torch.equal(a, other)


def test_all_positions_are_kept_in_order_where_all_are_asked_for():
    assert choose(5, 9, 9, compute.generator(0)).tolist() == [list(range(9))] * 5
