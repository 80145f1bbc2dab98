"""The table of vulnerability: its rows, its reference, and what it refuses."""

import numpy as np
import pytest

from interference.store.files import StoreError
from interference.store.tables import read_columns
from interference.store.tensors import read_tensors, write_tensors
from interference.toy.evaluate import evaluate
from interference.toy.train import fit

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


def test_one_row_a_training_mode_density_seed_and_attack(table):
    rows = set(zip(table["training"], table["density"], table["seed"], table["attack"]))
    assert len(rows) == len(table["seed"]) == 2 * 3 * 2 * 6
    assert set(table["attack"]) == set(ATTACKS)


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_clean_trained_densest_models_are_the_reference_of_each_attack(table, attack):
    reference = (table["training"] == "clean") & (table["density"] == 1)
    reference &= table["attack"] == attack
    assert table["vulnerability"][reference].mean() == pytest.approx(1)
    assert table["increase_ratio"][reference].mean() == pytest.approx(1)


def test_derived_columns_follow_their_definitions(table):
    increase = table["loss_adversarial"] - table["loss_clean"]
    assert (increase > 0).all()
    np.testing.assert_allclose(table["gain"], increase / table["epsilon"] ** 2)
    np.testing.assert_allclose(table["relative_increase"], increase / table["loss_clean"])


def test_shares_of_the_bound_are_of_the_increase(table):
    increase = (table["loss_adversarial"] - table["loss_clean"]).reshape(6, -1)
    np.testing.assert_allclose(table["of_bound"].reshape(6, -1), increase / increase[-1])
    assert (table["of_bound"] <= 1).all()


def test_epsilon_is_a_tenth_of_the_mean_norm_at_that_density(table):
    # At density 1, ‖x‖² has mean n/3 and variance 4n/45; √ to second order.
    n = TRAINING["features"]
    expected = (n / 3) ** 0.5 * (1 - (4 * n / 45) / (8 * (n / 3) ** 2))
    dense = table["epsilon"][table["density"] == 1]
    np.testing.assert_allclose(dense, 0.1 * expected, rtol=0.01)
    for seed in TRAINING["seeds"]:
        by_mode = table["epsilon"][(table["seed"] == seed) & (table["attack"] == "bound")].reshape(
            2, 3
        )
        np.testing.assert_array_equal(by_mode[0], by_mode[1])
        assert (np.diff(by_mode[0]) < 0).all()


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
