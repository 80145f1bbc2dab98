"""The benchmarks run, and their rows hold what they say; no time is asserted."""

import json

import numpy as np
import pytest
import torch

from interference.store.arrays import writing
from interference.store.files import write_json
from tests.benchmarks import attacks, extraction, gpu, images, quality, rows, saes, toy


def test_the_toy_benchmark_writes_a_row_a_case(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows.write("toy", toy.rows(densities=2, batches=(16,), rounds=1))
    written = json.loads((tmp_path / "results/benchmarks/toy.json").read_text())
    assert [entry["case"] for entry in written] == ["clean-b16", "adversarial-b16"]
    for entry in written:
        assert set(entry) == {"case", "ours", "peer", "peer_name", "ratio", "floor_fraction"}
        assert entry["ratio"] == pytest.approx(entry["ours"] / entry["peer"], rel=1e-2)
        assert 0 < entry["floor_fraction"] < 1


@pytest.mark.parametrize("mode", toy.FLOP)
def test_the_peer_trains_the_same_models(mode):
    # From the same weights on the same distribution, both reach the same loss.
    spec = {
        "features": 100, "hidden": 20, "densities": [0.4, 0.1], "seeds": [0], "batch_size": 64,
        "learning_rate": 0.003, "weight_decay": 0.0,
        "adversarial": {"relative_epsilon": 0.1, "radius": "sample", "weight": 0.5,
                        "attack": toy.ATTACK},
    }  # fmt: skip
    torch.manual_seed(0)
    ours, peer = toy.Ours(spec, mode), toy.Peer(spec, mode)
    for _ in range(600):
        ours.step(), peer.step()
    norms = [torch.from_numpy(ours.state.arrays["W"]), peer.parameters[0].detach()]
    ours_norm, peer_norm = (W.square().sum(dim=(1, 2)) for W in norms)
    torch.testing.assert_close(ours_norm, peer_norm, rtol=0.03, atol=0)


def test_the_images_benchmark_has_two_rows_a_number_of_workers(monkeypatch):
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1")  # put back at the end
    found = list(images.rows(classes=2, per_class=20, workers=(1,), rounds=1))
    assert [entry["case"] for entry in found] == ["decode-workers1", "read-workers1"]
    for entry in found:
        assert set(entry) == {"case", "ours", "peer", "peer_name", "ratio", "floor_fraction"}
        assert 0 < entry["floor_fraction"] < 1
    assert found[1]["ratio"] > found[0]["ratio"]  # a store is read faster than it is made


class Slow(saes.Ours):
    """A peer for tests: ours, with each step made twice."""

    name = "slow"

    def step(self, x):
        super().step(x), super().step(x)


def test_the_sae_benchmark_has_a_row_a_case_and_library(monkeypatch):
    monkeypatch.setattr(saes, "ROUNDS", 1)
    monkeypatch.setattr(saes, "FVU_STEPS", 3)
    found = list(saes.rows([Slow], sizes=[(8, 64)], batches=[32], fvu_sizes=[(8, 64)]))
    case = "topk-d8-h64-b32-dead"
    expected = [case + name for name in ("0", "0-sweep6", "25", "25-sweep6")] + ["fvu-d8-h64"]
    assert [entry["case"] for entry in found] == expected
    for entry in found:
        assert set(entry) == {"case", "ours", "peer", "peer_name", "ratio", "floor_fraction"}
        assert entry["peer_name"] == "slow"
        assert entry["ours"] > 0
    single, sweep = found[0], found[1]
    assert sweep["peer"] == pytest.approx(single["peer"] / saes.MEMBERS, rel=1e-2)
    assert found[-1]["ratio"] > 1  # more steps: a lower FVU


def test_without_peers_there_is_nothing_to_compare():
    assert list(saes.rows([], sizes=[(8, 64)], batches=[32], fvu_sizes=[])) == []


class Untrained(quality.Ours):
    """A library for tests: ours, which hardly moves at any rate."""

    name = "untrained"

    def set_rate(self, rate):
        super().set_rate(1e-9 * rate)


def test_quality_compares_seed_by_seed_at_the_librarys_best_rate(tmp_path, monkeypatch):
    rng, layer = np.random.default_rng(0), tmp_path / "layer3"
    layer.mkdir()
    manifest = {}
    for name, shape in (("train", (512, 8)), ("heldout", (40, 2, 8))):
        with writing(layer / f"rows.{name}.zarr", shape, "float32", {}) as writer:
            writer.append(rng.standard_normal(shape).astype(np.float32) ** 3)
        manifest[name] = writer.manifest()
    write_json(layer / "rows.json", manifest)
    monkeypatch.setattr(quality, "ROWS", tmp_path)
    found = list(
        quality.results((Untrained, quality.Ours), ("layer3",), (4,), (0, 1), (0.005, 1e-7))
    )
    untrained, ours = found
    assert untrained["difference_high"] < 0 < untrained["fvu"] < untrained["peer_fvu"]
    assert ours["peer_rate"] == 0.005  # 1e-7 trains nothing
    assert ours["difference_low"] <= ours["fvu"] - ours["peer_fvu"] <= ours["difference_high"]
    with pytest.raises(SystemExit, match="run `make run` first"):
        next(quality.results((), ("layer1",)))


def test_the_extraction_benchmark_has_a_row_a_layer():
    found = list(extraction.rows(images=6, size=32, positions={"layer2": 2, "layer4": 1}, rounds=1))
    assert [entry["case"] for entry in found] == ["layer2-32px", "layer4-32px"]
    for entry in found:
        assert set(entry) == {"case", "ours", "peer", "peer_name", "ratio", "floor_fraction"}
        assert entry["ratio"] == pytest.approx(entry["ours"] / entry["peer"], abs=2e-3)
        assert entry["floor_fraction"] == entry["ratio"]


class OnADevice(Slow):
    """A peer for tests, told where to train."""

    def __init__(self, *sizes, device):
        super().__init__(*sizes)


def test_the_benchmark_of_a_gpu_has_rows_of_every_kind_of_job():
    found = list(
        gpu.rows(
            [OnADevice], sizes=[(8, 64)], batches=[32], densities=2, toy_batches=(16,), images=6,
            size=32, positions={"layer2": 2}, large=64, rounds=1,
        )
    )  # fmt: skip
    expected = ["toy-b16", "layer2-32px", "pgd-32px", "train-32px"]
    expected += [f"topk-d8-h64-b32-dead{dead}-sweep6" for dead in (0, 25)]
    expected += [f"{name}-d8-h64-b32-dead0-sweep6" for name in gpu.SWEEPS if name != "topk"]
    assert [entry["case"] for entry in found] == expected
    for entry in found:
        assert set(entry) == {"case", "ours", "peer", "peer_name", "ratio", "floor_fraction"}
        assert entry["ours"] > 0
        assert entry["floor_fraction"] > 0


def test_the_attacks_benchmark_has_a_row_per_attack_norm_and_peer():
    torch.manual_seed(0)
    body = torch.nn.Linear(64, 5).requires_grad_(False)
    x, labels = torch.rand(12, 1, 8, 8), torch.arange(12) % 5
    labels[:6] = body(x[:6].flatten(1)).argmax(1)
    network = lambda x: body(x.flatten(1))  # noqa: E731

    def peer(network, name, norm):
        return attacks.ours(network, name, norm) if name != "fgsm" else None

    found = list(attacks.rows({"ourselves": peer}, network, x, labels, rounds=1, speed_images=6))
    expected = [f"{name}-{norm}" for norm in ("l2", "linf") for name in ("pgd", "apgd", "square")]
    assert [entry["case"] for entry in found] == expected
    for entry in found:
        assert entry["peer_name"] == "ourselves"
        assert (entry["accuracy"], entry["loss"]) == (entry["peer_accuracy"], entry["peer_loss"])
        assert entry["accuracy"] < (network(x).argmax(1) == labels).double().mean()
