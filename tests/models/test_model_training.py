"""Training: repeatable, equal in length at each epsilon, and an attack that leaves no trace."""

import copy
import json

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn.functional import cross_entropy

from interference import compute
from interference.data.read import read_split
from interference.models import finetune, training
from interference.models import trunk as clean_trunk
from interference.models.network import Network, load_network
from interference.models.training import Adversary, amount_learned, attack_batch, mirror
from interference.store.files import StoreError, sha256
from interference.store.tensors import read_described
from tests.support.in_ranks import network

ATTACK = {"norm": "l2", "epsilon": 0.5, "steps": 1, "relative_step": 1.25, "random_start": True}


def spec(seed=0, attack=None, epochs=1, stem="imagenet"):
    return {
        "network": {"architecture": "resnet18", "stem": stem, "width": 16},
        "optimiser": {"batch_size": 20, "weight_decay": 5e-4, "momentum": 0.9},
        "schedule": {"epochs": epochs, "learning_rate": 0.05},
        "attack": attack,
        "model": {
            "model": f"m-s{seed}",
            "model_norm": attack["norm"] if attack else "clean",
            "model_epsilon": attack["epsilon"] if attack else 0.0,
            "model_seed": seed,
        },
    }


@pytest.fixture(scope="module")
def trunk(small_images, tmp_path_factory):
    output = tmp_path_factory.mktemp("trunk") / "trunk.json"
    clean_trunk.run(spec(), small_images, output)
    return output


def train(small_images, trunk, folder, name, **options):
    """By the step of a trunk's copy, or where there is none to start from, by that of a trunk."""
    output = folder / f"{name}.json"
    if trunk is None:
        clean_trunk.run(spec(**options), small_images, output)
    else:
        finetune.run(spec(**options), small_images, trunk, output)
    return output


@pytest.mark.parametrize("attack", [None, ATTACK])
def test_equal_seeds_train_to_equal_bytes_and_others_do_not(small_images, trunk, tmp_path, attack):
    a, b = (train(small_images, trunk, tmp_path, n, attack=attack) for n in "ab")
    other = train(small_images, trunk, tmp_path, "c", attack=attack, seed=1)
    for suffix in (".safetensors", ".parquet"):
        assert sha256(a.with_suffix(suffix)) == sha256(b.with_suffix(suffix))
        assert sha256(a.with_suffix(suffix)) != sha256(other.with_suffix(suffix))


@pytest.mark.parametrize(
    ("accuracy", "learned"),
    [
        ([1.0] * 20, "everything"),
        ([0.2] * 5 + [1.0] * 20, "everything"),
        ([1.0] * 19 + [0.99], "something"),
        ([0.62] * 30, "something"),
        ([0.9] * 30 + [0.4] * 20, "nothing"),
        ([0.41] * 20, "nothing"),
        ([0.0] * 3, "nothing"),
    ],
)
def test_a_training_that_learned_nothing_or_everything_says_so(accuracy, learned):
    labels = np.array([0] * 40 + [1] * 30 + [2] * 30)  # 0.4 by naming the most frequent class
    assert amount_learned(np.array(accuracy), 50, labels) == learned


def test_the_manifest_holds_what_was_learned(trunk):
    assert json.loads(trunk.read_text())["learned"] in ("nothing", "something", "everything")


def test_seeds_start_from_different_weights(small_images, tmp_path, trunk):
    other = train(small_images, None, tmp_path, "other", seed=1)
    same = train(small_images, None, tmp_path, "same")
    assert sha256(same.with_suffix(".safetensors")) == sha256(trunk.with_suffix(".safetensors"))
    assert sha256(other.with_suffix(".safetensors")) != sha256(trunk.with_suffix(".safetensors"))


def test_the_clean_baseline_is_finetuned_for_as_many_steps_at_the_same_rates(
    small_images, trunk, tmp_path
):
    clean = train(small_images, trunk, tmp_path, "clean", epochs=2)
    robust = train(small_images, trunk, tmp_path, "robust", epochs=2, attack=ATTACK)
    logs = [pd.read_parquet(path.with_suffix(".parquet")) for path in (clean, robust)]
    assert logs[0]["step"].tolist() == logs[1]["step"].tolist() == [0, 1, 2, 3]
    assert logs[0]["learning_rate"].tolist() == logs[1]["learning_rate"].tolist()
    assert [json.loads(p.read_text())["steps"] for p in (clean, robust)] == [4, 4]
    # the first batch is the same images, before the attack moves them
    assert logs[0]["loss"][0] < logs[1]["loss"][0]


def test_training_learns_classes_that_differ_in_brightness(small_images, tmp_path):
    output = train(small_images, None, tmp_path, "long", epochs=6)
    log = pd.read_parquet(output.with_suffix(".parquet"))
    assert log["loss"][-3:].mean() < 0.7 * log["loss"][:3].mean()


def test_a_loaded_network_is_frozen_in_eval_mode_and_gives_the_trained_logits(
    small_images, tmp_path, monkeypatch
):
    trained = []
    build = Network.__init__
    monkeypatch.setattr(
        Network, "__init__", lambda self, **k: (build(self, **k), trained.append(self))[0]
    )
    output = train(small_images, None, tmp_path, "m", stem="small")
    (original,) = trained
    network = load_network(output)
    assert not network.training
    assert not any(module.training for module in network.modules())
    assert not any(p.requires_grad for p in network.parameters())
    x = torch.from_numpy(read_split(small_images, "evaluation").pixels[:]).float() / 255
    with torch.inference_mode():
        assert torch.equal(network(x), original.eval()(x))


def test_weights_record_their_hash_and_what_they_were_trained_with(trunk):
    manifest = json.loads(trunk.read_text())
    assert manifest["sha256"] == sha256(trunk.with_suffix(".safetensors"))
    assert manifest["spec"] == spec()


def test_a_training_writes_weights_a_log_and_a_manifest_and_no_predictions(
    small_images, trunk, tmp_path
):
    train(small_images, trunk, tmp_path, "m")
    expected = {"json", "safetensors", "parquet"}
    for folder, name in ((trunk.parent, "trunk"), (tmp_path, "m")):
        assert {path.name for path in folder.iterdir()} == {f"{name}.{kind}" for kind in expected}


def test_finetuning_starts_from_the_trunks_weights(small_images, trunk, tmp_path):
    still = spec()
    still["schedule"] = {"epochs": 1, "learning_rate": 0.0}
    finetune.run(still, small_images, trunk, tmp_path / "m.json")
    arrays, _ = read_described(tmp_path / "m.json")
    before, _ = read_described(trunk)
    for name in before:
        if "running" not in name and "batches_tracked" not in name:
            np.testing.assert_array_equal(arrays[name], before[name], err_msg=name)
    assert (arrays["body.bn1.running_mean"] != before["body.bn1.running_mean"]).any()


def test_damaged_weights_are_told(trunk, tmp_path):
    manifest, weights = tmp_path / "m.json", tmp_path / "m.safetensors"
    manifest.write_bytes(trunk.read_bytes())
    whole = trunk.with_suffix(".safetensors").read_bytes()
    weights.write_bytes(whole[:-1000])
    with pytest.raises(StoreError, match="damaged"):
        load_network(manifest)
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(StoreError, match=r"not what m\.json describes"):
        load_network(manifest)


@pytest.fixture
def training_network():
    return network().train()


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_the_attack_in_training_leaves_the_network_as_it_was(training_network, norm):
    network = training_network
    before = copy.deepcopy(network.state_dict())
    x, labels = torch.rand(6, 1, 16, 16), torch.arange(6) % 4
    adversary = Adversary(norm=norm, epsilon=0.05, steps=2, relative_step=0.6, random_start=True)
    start = adversary.start(x, compute.generator(0))
    moved = attack_batch(network, x, labels, adversary, start)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    assert all(module.training for module in network.modules())
    assert all(p.requires_grad and p.grad is None for p in network.parameters())
    assert not moved.requires_grad
    assert (moved - x).abs().max() > 0
    assert moved.min() >= 0
    assert moved.max() <= 1


def test_the_attack_in_training_raises_the_loss_in_eval_mode(training_network):
    network = training_network
    x, labels = torch.rand(6, 1, 16, 16), torch.arange(6) % 4
    adversary = Adversary(norm="l2", epsilon=0.5, steps=3, relative_step=0.5, random_start=False)
    moved = attack_batch(network, x, labels, adversary, None)
    network.eval()
    with torch.no_grad():
        before = cross_entropy(network(x), labels, reduction="none")
        after = cross_entropy(network(moved), labels, reduction="none")
    assert (after > before).all()


def test_images_are_mirrored_where_told_and_not_changed_otherwise():
    x, mirrored = torch.rand(4, 1, 2, 3), torch.tensor([True, False, False, True])
    moved = mirror(x, mirrored)
    assert torch.equal(moved[mirrored], x[mirrored].flip(3))
    assert torch.equal(moved[~mirrored], x[~mirrored])


def test_about_half_of_the_images_are_mirrored_in_training(small_images, monkeypatch):
    drawn = []
    record = lambda x, mirrored: (drawn.append(mirrored), mirror(x, mirrored))[1]  # noqa: E731
    monkeypatch.setattr(training, "mirror", record)
    settings = {"epochs": 5, "learning_rate": 0.01, "batch_size": 20, "weight_decay": 0}
    images = read_split(small_images, "train")
    training.train(network(), images, None, seed=0, momentum=0.9, **settings)
    assert 70 < int(torch.cat(drawn).sum()) < 130
