"""The table of vulnerability: its rows, its reference, and what it refuses."""

import numpy as np
import pytest
import torch

from interference.compute import generator
from interference.store.files import StoreError
from interference.store.tables import read_columns
from interference.store.tensors import read_tensors, write_tensors
from interference.toy import sampling
from interference.toy.attacks.every import worst_losses
from interference.toy.problem import pose
from interference.toy.train import run as fit
from interference.toy.vulnerability import read_stack, with_shrunk
from interference.toy.vulnerability import run as evaluate

pytestmark = pytest.mark.xdist_group("toy evaluation")

TRAINING = {
    "features": 20,
    "hidden": 5,
    "densities": [1.0, 0.4, 0.1],
    "seeds": [0, 3],
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
EVALUATION = {
    "samples": 512,
    "relative_epsilon": 0.1,
    "noise": 0.01,
    "pgd": {"starts": 2, "steps": 8, "relative_step": 0.5},
    "refit_samples": 512,
    "common_density": 0.4,
}
ATTACKS = ("one-step", "analytic", "pgd", "trust-region", "strongest", "bound")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    path = tmp_path_factory.mktemp("toy") / "models.json"
    fit(TRAINING, path)
    return path


@pytest.fixture(scope="module")
def table(models):
    evaluate(EVALUATION, models, models.with_name("vulnerability.parquet"))
    return read_columns(models.with_name("vulnerability.parquet"))


def test_one_row_a_training_mode_density_seed_inputs_and_attack(table):
    keys = ("training", "density", "seed", "inputs", "attack")
    rows = set(zip(*(table[key] for key in keys)))
    assert len(rows) == len(table["seed"]) == 3 * 3 * 2 * 2 * 6
    assert set(table["training"]) == {"clean", "adversarial", "shrunk"}
    assert set(table["inputs"]) == {"own", "common"}
    assert set(table["attack"]) == set(ATTACKS)


@pytest.mark.parametrize("inputs", ["own", "common"])
@pytest.mark.parametrize("attack", ATTACKS)
def test_clean_models_of_the_largest_density_are_the_reference_of_each_attack(
    table, attack, inputs
):
    reference = (table["training"] == "clean") & (table["density"] == 1)
    reference &= (table["attack"] == attack) & (table["inputs"] == inputs)
    assert table["vulnerability"][reference].mean() == pytest.approx(1)
    assert table["increase_ratio"][reference].mean() == pytest.approx(1)


def test_derived_columns_follow_their_definitions(table):
    increase = table["loss_adversarial"] - table["loss_clean"]
    assert (increase > 0).all()
    np.testing.assert_allclose(table["gain"], increase / table["epsilon"] ** 2)
    np.testing.assert_allclose(table["relative_increase"], increase / table["loss_clean"])


def test_shares_of_the_bound_are_of_the_increase(table):
    increase = (table["loss_adversarial"] - table["loss_clean"]).reshape(2, 6, -1)
    np.testing.assert_allclose(table["of_bound"].reshape(2, 6, -1), increase / increase[:, -1:])
    assert (table["of_bound"] <= 1).all()


def test_epsilon_is_a_tenth_of_the_mean_norm_at_that_density(table):
    # At density 1, ‖x‖² has mean n/3 and variance 4n/45; √ to second order.
    n = TRAINING["features"]
    expected = (n / 3) ** 0.5 * (1 - (4 * n / 45) / (8 * (n / 3) ** 2))
    own = table["inputs"] == "own"
    dense = table["epsilon"][own & (table["density"] == 1)]
    np.testing.assert_allclose(dense, 0.1 * expected, rtol=0.01)
    for seed in TRAINING["seeds"]:
        mine = own & (table["seed"] == seed) & (table["attack"] == "bound")
        clean, *others = table["epsilon"][mine].reshape(3, 3)
        assert all((other == clean).all() for other in others)
        assert (np.diff(clean) < 0).all()


def test_on_the_common_density_all_models_of_a_seed_have_one_epsilon(table):
    common = table["inputs"] == "common"
    for seed in TRAINING["seeds"]:
        assert len(set(table["epsilon"][common & (table["seed"] == seed)])) == 1


def test_models_of_the_common_density_have_the_same_losses_on_both_inputs(table):
    # The common density of these tests is also one of the training densities.
    assert EVALUATION["common_density"] in TRAINING["densities"]
    for same in (True, False):
        here = (table["density"] == EVALUATION["common_density"]) == same
        own, common = (
            table["loss_adversarial"][here & (table["inputs"] == kind)]
            for kind in ("own", "common")
        )
        assert (own == common).all() == same
        assert same or (own != common).all()


def test_models_that_are_attacked_one_by_one_lose_what_they_lose_as_a_stack(models, table):
    W, b, index = with_shrunk(*read_stack(models), EVALUATION["refit_samples"])
    rows, seed = np.flatnonzero(index["seed"] == 3), 3
    u = torch.rand(
        W.shape[-1], EVALUATION["samples"], generator=generator(seed, sampling.EVALUATION)
    )
    x = sampling.sparse_inputs(u, torch.from_numpy(index["density"][rows]).float())
    mine = (table["inputs"] == "own") & (table["seed"] == seed)
    epsilon = torch.from_numpy(table["epsilon"][mine & (table["attack"] == "bound")])
    worst = worst_losses(
        pose(W[rows], b[rows], x, epsilon), generator(seed, sampling.EVALUATION_NOISE), EVALUATION
    )
    for attack, loss in worst.items():
        alone = table["loss_adversarial"][mine & (table["attack"] == attack)]
        # The bound is a game whose picks rounding may turn: any of them is a bound, each its own.
        np.testing.assert_allclose(loss.mean(-1), alone, rtol=1e-5 if attack == "bound" else 1e-9)


def test_shrinking_lowers_the_cost_of_an_attack(table):
    sparse = (table["density"] < 1) & (table["inputs"] == "own") & (table["attack"] == "strongest")
    increase = table["loss_adversarial"] - table["loss_clean"]
    clean, shrunk = (increase[sparse & (table["training"] == t)] for t in ("clean", "shrunk"))
    assert (shrunk < clean).all()


def test_the_rows_of_a_seed_do_not_depend_on_the_other_seeds(table, tmp_path):
    fit(TRAINING | {"seeds": [3]}, tmp_path / "models.json")
    evaluate(EVALUATION, tmp_path / "models.json", tmp_path / "alone.parquet")
    alone, rows = read_columns(tmp_path / "alone.parquet"), table["seed"] == 3
    for name in ("epsilon", "loss_clean", "loss_adversarial", "interference"):
        np.testing.assert_array_equal(alone[name], table[name][rows])


def test_equal_runs_give_equal_files(models, table, tmp_path):
    evaluate(EVALUATION, models, tmp_path / "again.parquet")
    first = models.with_name("vulnerability.parquet").read_bytes()
    assert first == (tmp_path / "again.parquet").read_bytes()


def test_other_weights_than_the_manifest_describes_are_refused(models, tmp_path):
    manifest = tmp_path / "models.json"
    manifest.write_bytes(models.read_bytes())
    tensors, spec = read_tensors(models.with_suffix(".safetensors"))
    write_tensors(manifest.with_suffix(".safetensors"), tensors | {"b": tensors["b"] + 1}, spec)
    with pytest.raises(StoreError, match="is not what"):
        evaluate(EVALUATION, manifest, tmp_path / "never.parquet")
    assert not (tmp_path / "never.parquet").exists()


def test_missing_weights_are_refused(models, tmp_path):
    manifest = tmp_path / "models.json"
    manifest.write_bytes(models.read_bytes())
    with pytest.raises(StoreError, match="missing"):
        evaluate(EVALUATION, manifest, tmp_path / "never.parquet")
