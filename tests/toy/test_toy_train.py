"""Training reaches what theory says, and gives the same bytes for the same spec."""

import pytest
import torch

from interference.store.files import read_json, sha256
from interference.store.tensors import read_tensors
from interference.toy.measures import interference
from interference.toy.model import encode, loss
from interference.toy.train import Adam, fit, index, initial, train

SPEC = {
    "features": 20,
    "hidden": 5,
    "densities": [1.0, 0.4, 0.1],
    "seeds": [0, 1, 2],
    "steps": 60,
    "batch_size": 24,
    "learning_rate": 0.003,
    "adversarial": {"relative_epsilon": 0.1, "weight": 0.5, "noise": 0.01},
}


def chosen(spec, **parts):
    """The rows of a spec's stack whose density and seed are among ``parts``."""
    table = index(spec)
    keep = [i for i in range(len(table["seed"])) if all(table[k][i] in v for k, v in parts.items())]
    return torch.tensor(keep)


def test_the_dense_model_reaches_the_exact_error_of_pca():
    # Dense inputs have covariance I/12 and mean 1/2, which b absorbs: the best rank-m
    # reconstruction leaves n − m of n directions, an error of (n − m)/n · 1/12 a feature.
    spec = SPEC | {"features": 100, "hidden": 20, "densities": [1.0], "seeds": [0]}
    W, b = train(spec | {"steps": 3000, "batch_size": 64})
    x = torch.rand(1, 100, 20_000, generator=torch.Generator().manual_seed(5))
    error = loss(W[:1], b[:1], encode(W[:1], x), x).item()
    assert error == pytest.approx(80 / 100 / 12, rel=0.01)  # 0.0667


def test_adam_agrees_with_torch():
    random = torch.Generator().manual_seed(0)
    ours = torch.randn(4, 5, generator=random)
    theirs = ours.clone().requires_grad_()
    adam, reference = Adam([ours], 0.01), torch.optim.Adam([theirs], lr=0.01)
    for _ in range(20):
        gradient = torch.randn(4, 5, generator=random)
        adam.step([gradient])
        theirs.grad = gradient
        reference.step()
    torch.testing.assert_close(ours, theirs.detach(), rtol=1e-5, atol=1e-6)


def test_models_of_a_seed_start_from_the_same_weights_and_half_their_density():
    W, b = initial(SPEC)
    for seed in SPEC["seeds"]:
        same = W[chosen(SPEC, seed=[seed])]
        assert (same == same[0]).all()
    for density in SPEC["densities"]:
        assert (b[chosen(SPEC, density=[density])] == torch.tensor(density) / 2).all()
    assert not torch.equal(W[0], W[1])


def test_the_same_spec_gives_the_same_bytes(tmp_path):
    for run in ("first", "second"):
        fit(SPEC, tmp_path / run / "models.json")
    for name in ("models.json", "models.safetensors"):
        first, second = ((tmp_path / run / name).read_bytes() for run in ("first", "second"))
        assert first == second


@pytest.mark.parametrize("parts", [{"seed": [1]}, {"seed": [0, 2]}, {"density": [0.4]}], ids=str)
def test_a_model_does_not_depend_on_which_others_train_beside_it(parts):
    whole_W, whole_b = train(SPEC)
    fewer = SPEC | {{"seed": "seeds", "density": "densities"}[k]: v for k, v in parts.items()}
    W, b = train(fewer)
    rows = chosen(SPEC, **parts)
    assert torch.equal(W, whole_W[rows])
    assert torch.equal(b, whole_b[rows])


def test_the_manifest_describes_the_weights_beside_it(tmp_path):
    output = tmp_path / "models.json"
    fit(SPEC | {"steps": 1}, output)
    manifest, weights = read_json(output), output.with_suffix(".safetensors")
    tensors, spec = read_tensors(weights)
    assert manifest["sha256"] == sha256(weights)
    assert manifest["spec"] == spec == SPEC | {"steps": 1}
    assert tensors["W"].shape == (18, 5, 20)
    assert tensors["b"].shape == (18, 20)
    models = {tuple(row) for row in zip(tensors["mode"], tensors["density"], tensors["seed"])}
    assert models == {(m, d, s) for m in (0, 1) for d in SPEC["densities"] for s in SPEC["seeds"]}


def test_adversarial_training_lowers_the_interference_of_sparse_models():
    spec = SPEC | {"densities": [0.1], "steps": 1500, "batch_size": 64}
    clean, robust = interference(train(spec)[0]).chunk(2)
    assert (robust < clean).all()
