"""Compiled kernels against numpy, and Adam against torch's."""

import numpy as np
import pytest
import torch

from interference.kernels import codes, gathered, selection
from interference.kernels.adam import Adam
from interference.kernels.dense import gate_rows, relu_rows
from interference.saes.dictionary import keep_top


def top(pre, k):
    index = np.zeros((len(pre), k), np.int32)
    value = np.full((len(pre), k), 7, pre.dtype)
    selection.top_rows(pre, k, index, value)
    return index, value


def dense(pre, k):
    """What top_rows picks, as a dense code."""
    index, value = top(pre, k)
    code = np.zeros_like(pre)
    for r in range(len(pre)):
        for i, v in zip(index[r], value[r]):
            code[r, i] += v
    return code


def kept_by_sorting(pre, k):
    """The k largest positive entries of each row; of equals, those of lower index."""
    code = np.zeros_like(pre)
    for r, row in enumerate(pre):
        for i in sorted(range(len(row)), key=lambda i: (-row[i], i))[:k]:
            code[r, i] = max(row[i], 0)
    return code


RNG = np.random.default_rng(0)
ROWS = {
    "normal": RNG.standard_normal((40, 50)),
    "ties": RNG.integers(-2, 3, (40, 50)).astype(float),
    "all equal": np.ones((3, 50)),
    "all negative": -1 - RNG.random((5, 50)),
    "all zero": np.zeros((3, 50)),
    "few positive": RNG.standard_normal((40, 50)) - 2,
    "only the first positive": np.eye(1, 50) - 0.5,
    "wide range": np.exp(12 * RNG.standard_normal((20, 50))),
    "tiny": 1e-30 * RNG.standard_normal((20, 50)),
    "one latent": RNG.standard_normal((9, 1)),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [1, 2, 7, 32, 49, 50])
@pytest.mark.parametrize("name", ROWS)
def test_the_top_k_are_those_of_a_sort(name, k, dtype):
    pre = ROWS[name].astype(dtype)
    k = min(k, pre.shape[1])
    before = pre.copy()
    np.testing.assert_array_equal(dense(pre, k), kept_by_sorting(pre, k))
    np.testing.assert_array_equal(pre, before)


@pytest.mark.parametrize("name", ROWS)
def test_keeping_the_top_of_a_code_is_a_sort_too(name):
    latents = np.maximum(ROWS[name], 0).astype(np.float32)
    k = min(7, latents.shape[1])
    np.testing.assert_array_equal(keep_top(latents, k), kept_by_sorting(latents, k))


def test_a_pick_that_is_not_positive_has_value_zero():
    index, value = top(ROWS["all negative"], 4)
    assert (value == 0).all()
    assert ((index >= 0) & (index < 50)).all()


# Whole tiles, whole vectors and neither; more rows than latents, and the other way round.
SIZES = [(12, 9, 5, 4), (7, 40, 64, 3), (70, 50, 91, 9), (20, 33, 16, 1)]


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-11), (np.float32, 2e-5)])
@pytest.mark.parametrize("shares", [(1.0,), (0.2, 0.5, 1.0)], ids=["whole", "nested"])
@pytest.mark.parametrize(("n", "h", "d", "k"), SIZES)
def test_a_sparse_code_has_the_gradients_of_matrix_products(n, h, d, k, shares, dtype, tolerance):
    """Of nested prefixes, each of which reconstructs x, and of the whole alone."""
    rng = np.random.default_rng(n)
    pre, x, w_dec, b_dec = (
        rng.standard_normal(s).astype(dtype) for s in ((n, h), (n, d), (h, d), d)
    )
    pre -= dtype(0.8)
    index, value = top(pre, k)
    f = kept_by_sorting(pre, k)
    ends = np.array([round(share * h) for share in shares])
    g, slope = codes.errors(x, index, value, ends, w_dec, b_dec, 0.3)
    errors = [0.3 * (f[:, :end] @ w_dec[:end] + b_dec - x) for end in ends]
    close = {"rtol": tolerance, "atol": tolerance * d}
    for q in range(len(ends)):
        np.testing.assert_allclose(g[q], sum(errors[q:]), **close)
    code = codes.ordered(index, value, slope, h)
    np.testing.assert_array_equal(np.diff(code[0]), (f > 0).sum(0))
    found = np.empty((h, d), dtype), np.empty((h, d), dtype), np.empty(h, dtype)
    codes.gradient_latents(x, g, code, ends, *found)
    first = np.searchsorted(ends, np.arange(h), side="right")  # the first prefix of each latent
    back = np.stack([g[first[i]] @ w_dec[i] for i in range(h)], 1) * (f > 0)
    dec = np.stack([f[:, i] @ g[first[i]] for i in range(h)])
    for array, expected in zip(found, (dec, back.T @ x, back.sum(0))):
        np.testing.assert_allclose(array, expected, rtol=tolerance, atol=tolerance * n)


@pytest.mark.parametrize("k", [1, 7, 49, 50])
@pytest.mark.parametrize("name", ROWS)
def test_keeping_top_rows_in_place_is_a_sort(name, k):
    z = np.maximum(ROWS[name], 0)
    k = min(k, z.shape[1])
    expected = kept_by_sorting(z, k)
    selection.keep_top_rows(z, k)
    np.testing.assert_array_equal(z, expected)


def test_biased_rows_are_watched_and_chosen_after_the_bias():
    pre, bias = RNG.standard_normal((30, 40)), RNG.standard_normal(40)
    expected, watched = pre + bias, np.array([3, 4, 39])
    index, value = np.empty((30, 5), np.int32), np.empty((30, 5))
    z = np.empty((30, 3))
    selection.top_biased_rows(pre, bias, 5, index, value, watched, z)
    np.testing.assert_array_equal(pre, expected)
    np.testing.assert_array_equal(z, np.maximum(expected[:, watched], 0))
    for found, wanted in zip((index, value), top(expected, 5)):
        np.testing.assert_array_equal(found, wanted)


def test_relu_and_gate_are_numpys():
    pre, bias = RNG.standard_normal((6, 8)), RNG.standard_normal(8)
    active = np.maximum(pre + bias, 0)
    gradient, shift = RNG.standard_normal((6, 8)), RNG.standard_normal(8)
    expected = np.where(active > 0, gradient + shift, 0)
    relu_rows(pre, bias)
    np.testing.assert_array_equal(pre, active)
    gate_rows(gradient, active, shift)
    np.testing.assert_array_equal(gradient, expected)


def test_rows_are_normalised_and_lose_their_parallel_part():
    w = RNG.standard_normal((7, 5))
    unit = w / np.linalg.norm(w, axis=1, keepdims=True)
    gathered.normalise_rows(w)
    np.testing.assert_allclose(w, unit, rtol=1e-14)
    gradient = RNG.standard_normal((7, 5))
    expected = np.stack([(np.eye(5) - np.outer(u, u)) @ g for u, g in zip(unit, gradient)])
    gathered.remove_parallel(gradient, unit)
    np.testing.assert_allclose(gradient, expected, atol=1e-14)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 2e-6)])
def test_adam_is_torchs(dtype, tolerance):
    rng = np.random.default_rng(0)
    parameters = {"w": rng.standard_normal((4, 3)).astype(dtype), "b": np.ones(3, dtype)}
    twins = {n: torch.nn.Parameter(torch.tensor(p.astype(float))) for n, p in parameters.items()}
    ours, theirs = Adam(parameters), torch.optim.Adam(twins.values(), lr=1.0)
    for step in range(60):
        rate = 0.01 * (1 - step / 100)
        gradients = {n: rng.standard_normal(p.shape).astype(dtype) for n, p in parameters.items()}
        if step < 2:
            gradients["b"][:] = 0  # a latent that has not fired yet
        for name, twin in twins.items():
            twin.grad = torch.tensor(gradients[name].astype(float))
        theirs.param_groups[0]["lr"] = rate
        ours.step(gradients, rate)
        theirs.step()
        for name, twin in twins.items():
            np.testing.assert_allclose(
                parameters[name], twin.detach().numpy(), rtol=tolerance, atol=tolerance
            )


def test_adam_changes_parameters_in_place():
    p = np.ones(3, np.float32)
    parameters = {"p": p}
    Adam(parameters).step({"p": np.ones(3, np.float32)}, 0.1)
    assert parameters["p"] is p
    np.testing.assert_allclose(p, 0.9, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ROWS)
def test_the_entries_above_their_columns_bar_are_those_of_numpy(name, dtype):
    pre = ROWS[name].astype(dtype)
    bar = np.random.default_rng(3).random(pre.shape[1]).astype(dtype)
    index, value = codes.rows_above(pre, bar)
    above = pre > bar
    assert index.shape == value.shape == (len(pre), above.sum(1).max())
    assert value.dtype == dtype
    for r, row in enumerate(above):
        there = np.flatnonzero(row)
        np.testing.assert_array_equal(index[r, : len(there)], there)
        np.testing.assert_array_equal(value[r, : len(there)], pre[r, there])
        assert not index[r, len(there) :].any()
        assert not value[r, len(there) :].any()
