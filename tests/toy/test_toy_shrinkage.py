"""The refit b is the global minimum; a shrunk model differs from its clean one in length and b alone."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from interference.toy import measures
from interference.toy.shrinkage import best_bias, inputs, refit, shrunk
from interference.toy.train import index, train

TRAINING = {
    "features": 20,
    "hidden": 5,
    "densities": [1.0, 0.4, 0.1],
    "seeds": [0, 3],
    "steps": 1500,
    "batch_size": 128,
    "learning_rate": 0.003,
    "weight_decay": 0.0,
    "adversarial": {
        "relative_epsilon": 0.1,
        "radius": "sample",
        "weight": 0.5,
        "attack": {"type": "gradient", "steps": 1, "relative_step": 1.0, "noise": 0.0},
    },
}
SAMPLES = 2000


def loss(b, z, x):
    """Summed squared error of one output at each b. b: scalar or (K,); z, x: (B,)."""
    return np.square(np.maximum(z + np.asarray(b)[..., None], 0) - x).sum(-1)


def brute_force(z, x):
    """The least loss over a fine grid, and over scipy's minimum between all neighbouring kinks."""
    grid = np.linspace(-z.max() - 1, max(-z.min(), np.abs(x - z).max()) + 1, 4001)
    kinks = np.unique([-z.max() - 1, *-z, grid[-1]])
    found = [
        minimize_scalar(loss, args=(z, x), bounds=(low, high), method="bounded").fun
        for low, high in itertools.pairwise(kinks)
    ]
    return min(loss(grid, z, x).min(), *found)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    samples=st.integers(1, 24),
    density=st.floats(0, 1),
    scale=st.floats(0.01, 10),
    decimals=st.sampled_from([0, 1, 12]),
)
def test_no_other_b_is_better(seed, samples, density, scale, decimals):
    rng = np.random.default_rng(seed)
    x = rng.random((4, samples)) * (rng.random((4, samples)) < density)
    # Of few decimals, z has ties.
    z = (x * rng.uniform(-1, 2, (4, 1)) + scale * rng.normal(size=x.shape)).round(decimals)
    b = best_bias(torch.from_numpy(z), torch.from_numpy(x)).numpy()
    for i in range(4):
        assert loss(b[i], z[i], x[i]) <= brute_force(z[i], x[i]) + 1e-12


def test_an_output_that_is_better_dead_is_dead():
    x = torch.tensor([[1.0, 0.5, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]).double()
    z = torch.tensor([[-3.0, -2.0, 4.0, 5.0], [1.0, -1.0, 2.0, 2.0]]).double()
    b = best_bias(z, x)
    assert (z + b.unsqueeze(-1) <= 0).all()


def test_where_all_inputs_are_tied_b_is_what_is_missing_to_the_mean():
    x = torch.rand(3, 50, generator=torch.Generator().manual_seed(0)).double()
    z = torch.tensor([[-2.0], [0.0], [7.0]]).double().expand(3, 50)
    torch.testing.assert_close(best_bias(z, x), x.mean(-1) - z[:, 0])


def test_a_large_offset_of_z_moves_b_by_as_much():
    random = torch.Generator().manual_seed(1)
    x = (1 - 4 * torch.rand(50, 2000, generator=random, dtype=torch.float64)).relu()
    z = 0.7 * x + 0.2 * torch.randn(50, 2000, generator=random, dtype=torch.float64)
    offset = 2.0**20
    torch.testing.assert_close(
        best_bias(z + offset, x) + offset, best_bias(z, x), rtol=0, atol=1e-7
    )


@pytest.fixture(scope="module")
def stack():
    """W, b and index of a trained stack."""
    arrays = train(TRAINING).arrays
    W, b = (torch.from_numpy(arrays[name]) for name in "Wb")
    kept = index(TRAINING)
    kept["training"] = np.array(["clean", "adversarial"])[kept.pop("mode")]
    return W, b, kept


def model_loss(W, b, x):
    W, b = W.double(), b.double()
    return ((W.mT @ (W @ x) + b.unsqueeze(-1)).relu() - x).square().mean().item()


def test_refitting_b_of_an_unscaled_clean_model_hardly_changes_its_loss(stack):
    W, b, kept = stack
    for i in np.flatnonzero(kept["training"] == "clean"):
        x, fresh = (inputs(20, kept["density"][i], seed, SAMPLES) for seed in (5, 6))
        again = refit(W[i].double(), x)
        assert model_loss(W[i], again, x) <= model_loss(W[i], b[i], x)
        assert model_loss(W[i], again, fresh) == pytest.approx(
            model_loss(W[i], b[i], fresh), rel=0.01
        )


def test_a_shrunk_model_is_as_long_as_the_robust_one_and_has_the_clean_ones_directions(stack):
    W, _, kept = stack
    small, _, mine = shrunk(W, kept, SAMPLES)
    clean, robust = W.double().chunk(2)
    assert set(mine["training"]) == {"shrunk"}
    for name in ("density", "seed"):
        assert mine[name].tolist() == kept[name][: len(clean)].tolist()
    torch.testing.assert_close(small.norm(dim=(1, 2)), robust.norm(dim=(1, 2)))
    torch.testing.assert_close(
        small / small.norm(dim=(1, 2), keepdim=True), clean / clean.norm(dim=(1, 2), keepdim=True)
    )
    for measure in (measures.learned_features_per_dimension, measures.dimensionality):
        torch.testing.assert_close(measure(small), measure(clean))


def test_b_of_a_shrunk_model_is_fitted_to_inputs_of_its_own_density_and_seed(stack):
    W, _, kept = stack
    small, b, mine = shrunk(W, kept, SAMPLES)
    for i in range(len(b)):
        x = inputs(20, mine["density"][i], mine["seed"][i], SAMPLES)
        least = model_loss(small[i], b[i], x)
        for shift in (-0.01, 0.01):
            assert model_loss(small[i], b[i] + shift, x) > least


def test_models_are_paired_by_density_and_seed_and_not_by_their_place(stack):
    W, _, kept = stack
    order = np.random.default_rng(0).permutation(len(W))
    small, b, mine = shrunk(W[order], {k: v[order] for k, v in kept.items()}, SAMPLES)
    expected, b_expected, all_of = shrunk(W, kept, SAMPLES)
    at = {pair: i for i, pair in enumerate(zip(all_of["density"], all_of["seed"]))}
    where = [at[pair] for pair in zip(mine["density"], mine["seed"])]
    assert torch.equal(small, expected[where])
    assert torch.equal(b, b_expected[where])
