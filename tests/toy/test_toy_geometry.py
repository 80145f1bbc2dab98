"""The tables of geometry: overlaps of the weights, and one input under the strongest attack."""

import numpy as np
import pytest
import torch

from interference.compute import generator
from interference.store.tables import read_columns
from interference.store.tensors import read_tensors
from interference.toy import sampling
from interference.toy.attacks.every import every
from interference.toy.geometry import INPUTS, attacked, run, shown
from interference.toy.problem import losses, perturbation, pose, root
from interference.toy.train import run as fit
from tests.support.stacks import weights

FEATURES, HIDDEN = 20, 5
TRAINING = {
    "features": FEATURES,
    "hidden": HIDDEN,
    "densities": [1.0, 0.5, 0.25, 0.125, 0.1],
    "seeds": [3, 0],
    "steps": 400,
    "batch_size": 64,
    "learning_rate": 0.003,
    "weight_decay": 0.0,
    "adversarial": {
        "relative_epsilon": 0.1,
        "radius": "sample",
        "weight": 0.5,
        "attack": {"type": "gradient", "steps": 1, "relative_step": 1.0, "noise": 0.0},
    },
}
GEOMETRY = {
    "relative_epsilon": 0.1,
    "noise": 0.01,
    "pgd": {"starts": 2, "steps": 8, "relative_step": 0.5},
    "densities": 3,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy")
    fit(TRAINING, folder / "models.json")
    run(GEOMETRY, folder / "models.json", folder / "geometry.parquet")
    return folder


@pytest.fixture(scope="module")
def pairs(folder):
    return read_columns(folder / "geometry.parquet")


@pytest.fixture(scope="module")
def example(folder):
    return read_columns(folder / "geometry.example.parquet")


@pytest.fixture(scope="module")
def stack(folder):
    """W and b in float64, and density, seed and mode, of all models."""
    tensors, _ = read_tensors(folder / "models.safetensors")
    return {n: v.astype(np.float64) if n in ("W", "b") else v for n, v in tensors.items()}


def model(stack, training, density):
    """W (m, n) and b (n,) of the first seed's model."""
    mode = ("clean", "adversarial").index(training)
    rows = (stack["mode"] == mode) & (stack["density"] == density) & (stack["seed"] == 3)
    (row,) = np.flatnonzero(rows)
    return stack["W"][row], stack["b"][row]


def drawn(stack, density):
    """The inputs that the example was chosen of (n, B), and the problem of both models on them."""
    draw = generator(3, sampling.EXAMPLE)
    u = torch.rand(FEATURES, INPUTS, generator=draw)
    x = (1 - u / density).clamp(min=0)
    models = [model(stack, training, density) for training in ("clean", "adversarial")]
    W, b = (torch.from_numpy(np.stack(part)) for part in zip(*models))
    epsilon = 0.1 * x.norm(dim=0).mean()
    return x.numpy(), pose(W, b, x.expand(2, -1, -1), epsilon.expand(2)), draw, float(epsilon)


def of(example, training, name):
    return example[name][example["training"] == training]


def test_shown_densities_are_even_with_both_ends():
    densities = np.repeat([1.0, 0.8, 0.5, 0.3, 0.2, 0.1], 4)
    assert shown(densities, 2).tolist() == [1.0, 0.1]
    assert shown(densities, 3).tolist() == [1.0, 0.5, 0.1]
    assert shown(densities, 6).tolist() == [1.0, 0.8, 0.5, 0.3, 0.2, 0.1]


@pytest.mark.parametrize("trained", range(2, 12))
def test_no_density_is_shown_twice(trained):
    densities = np.linspace(0.1, 1, trained)
    for count in range(2, trained + 1):
        found = shown(densities, count)
        assert len(set(found)) == count
        assert (found[0], found[-1]) == (densities[-1], densities[0])


def test_one_row_a_training_mode_shown_density_and_pair(pairs):
    rows = list(zip(pairs["training"], pairs["density"], pairs["i"], pairs["j"]))
    assert len(set(rows)) == len(rows) == 2 * 3 * FEATURES * (FEATURES + 1) // 2
    assert set(pairs["density"]) == {1.0, 0.25, 0.1}
    assert (pairs["i"] <= pairs["j"]).all()


def test_overlaps_are_the_products_of_the_weights_of_the_first_seed(pairs, stack):
    for training in ("clean", "adversarial"):
        for density in (1.0, 0.25, 0.1):
            W, _ = model(stack, training, density)
            rows = (pairs["training"] == training) & (pairs["density"] == density)
            i, j = pairs["i"][rows], pairs["j"][rows]
            expected = np.einsum("mk,mk->k", W[:, i], W[:, j])
            np.testing.assert_allclose(pairs["overlap"][rows], expected, rtol=1e-6, atol=1e-7)
            squared = (W**2).sum(0)
            learned = squared > squared.max() / 2
            np.testing.assert_array_equal(pairs["learned"][rows], learned[i] & learned[j])


def test_the_example_is_at_the_density_nearest_to_three_features_per_dimension(example, stack):
    distances = {
        d: abs((model(stack, "clean", d)[0] ** 2).sum() / HIDDEN - 3) for d in (1.0, 0.25, 0.1)
    }
    assert set(example["density"]) == {min(distances, key=distances.get)}
    assert example["feature"].tolist() == 2 * list(range(FEATURES))
    assert set(example["training"]) == {"clean", "adversarial"}


def test_both_models_get_one_of_the_drawn_inputs(example, stack):
    x, *_ = drawn(stack, example["density"][0])
    clean = of(example, "clean", "input_clean")
    np.testing.assert_array_equal(of(example, "adversarial", "input_clean"), clean)
    assert (np.abs(x - clean[:, None]).max(0) < 1e-6).sum() == 1


@pytest.mark.parametrize("training", ["clean", "adversarial"])
def test_the_perturbation_is_in_the_ball_and_in_the_row_space(training, example, stack):
    density = example["density"][0]
    *_, epsilon = drawn(stack, density)
    delta = of(example, training, "input_attacked") - of(example, training, "input_clean")
    assert 0 < np.linalg.norm(delta) <= epsilon * (1 + 1e-5)
    W, _ = model(stack, training, density)
    outside = delta - W.T @ np.linalg.lstsq(W.T, delta, rcond=None)[0]
    assert np.linalg.norm(outside) <= 1e-10 * np.linalg.norm(delta)


@pytest.mark.parametrize("training", ["clean", "adversarial"])
def test_outputs_are_the_models_on_these_inputs(training, example, stack):
    W, b = model(stack, training, example["density"][0])
    for name in ("clean", "attacked"):
        expected = np.maximum(W.T @ (W @ of(example, training, f"input_{name}")) + b, 0)
        np.testing.assert_allclose(of(example, training, f"output_{name}"), expected, atol=1e-12)


def test_the_attack_is_the_strongest_and_the_input_the_median_one(example, stack):
    x, problem, draw, _ = drawn(stack, example["density"][0])
    v = every(problem, draw, GEOMETRY)["strongest"]
    strongest, clean = losses(problem, v), losses(problem, torch.zeros_like(v))
    chosen = np.abs(x - of(example, "clean", "input_clean")[:, None]).max(0).argmin()
    for row, training in enumerate(("clean", "adversarial")):
        error = of(example, training, "output_attacked") - of(example, training, "input_clean")
        assert (error**2).mean() == pytest.approx(float(strongest[row, chosen]), rel=1e-5)
    increase = (strongest - clean)[0]
    assert int((increase < increase[chosen]).sum()) == INPUTS // 2


@pytest.mark.parametrize("training", ["clean", "adversarial"])
def test_no_random_perturbation_is_worse(training, example, stack):
    W, b = model(stack, training, example["density"][0])
    x, attack = (of(example, training, f"input_{name}") for name in ("clean", "attacked"))
    delta = np.random.default_rng(0).normal(size=(20_000, FEATURES)) @ np.linalg.pinv(W) @ W
    delta *= np.linalg.norm(attack - x) / np.linalg.norm(delta, axis=1, keepdims=True)
    tried = ((np.maximum((x + delta) @ W.T @ W + b, 0) - x) ** 2).mean(1)
    found = ((of(example, training, "output_attacked") - x) ** 2).mean()
    assert found >= tried.max()


def test_equal_runs_give_equal_files(folder, tmp_path):
    run(GEOMETRY, folder / "models.json", tmp_path / "geometry.parquet")
    for name in ("geometry.parquet", "geometry.example.parquet"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_the_tables_do_not_depend_on_the_other_seeds(folder, tmp_path):
    fit(TRAINING | {"seeds": [3]}, tmp_path / "models.json")
    run(GEOMETRY, tmp_path / "models.json", tmp_path / "geometry.parquet")
    for name in ("geometry.parquet", "geometry.example.parquet"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


@pytest.mark.parametrize("rank", [4, 2])
def test_a_perturbation_of_the_hidden_problem_is_the_shortest_of_the_inputs(rank):
    W, _, _ = weights(0)
    W = W.double()
    W[:, rank:] = W[:, :1]  # rows that repeat another: fewer dimensions than rows
    v = torch.randn(2, 4, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    delta = perturbation(W, v)
    torch.testing.assert_close(W @ delta, root(W) @ v, atol=1e-7, rtol=0)
    shortest = torch.linalg.pinv(W, rtol=1e-10) @ (root(W) @ v)
    torch.testing.assert_close(delta, shortest, atol=1e-6, rtol=0)
    assert (delta.norm(dim=1) <= v.norm(dim=1) * (1 + 1e-12)).all()


def test_an_input_with_nothing_active_and_models_without_weights_are_no_failure():
    W, b = torch.zeros(2, HIDDEN, FEATURES), torch.zeros(2, FEATURES)
    found = attacked(W, b, 0, 0.001, 0, GEOMETRY)
    assert all(np.isfinite(values).all() for values in found.values())
    np.testing.assert_array_equal(found["input_attacked"], found["input_clean"])
