"""Training reaches what theory says, and gives the same bytes for the same spec."""

import copy
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from interference.provenance import canonical
from interference.store.files import read_json, sha256
from interference.store.tensors import read_tensors
from interference.toy import compiled, stacked
from interference.toy import train as train_module
from interference.toy.measures import interference
from interference.toy.model import encode, loss
from interference.toy.state import ARRAYS, index, initial
from interference.toy.train import run as fit
from interference.toy.train import train

ONE_STEP = {"type": "gradient", "steps": 1, "relative_step": 1.0, "noise": 0.01}
SPEC = {
    "features": 20,
    "hidden": 5,
    "densities": [1.0, 0.4, 0.1],
    "seeds": [0, 1, 2],
    "steps": 60,
    "batch_size": 24,
    "learning_rate": 0.003,
    "weight_decay": 0.0,
    "adversarial": {
        "relative_epsilon": 0.1,
        "radius": "sample",
        "weight": 0.5,
        "attack": ONE_STEP,
    },
}


def chosen(spec, **parts):
    """The rows of a spec's stack whose density and seed are among ``parts``."""
    table = index(spec)
    return [i for i in range(len(table["seed"])) if all(table[k][i] in v for k, v in parts.items())]


def weights(spec):
    arrays = train(spec).arrays
    return torch.from_numpy(arrays["W"]), torch.from_numpy(arrays["b"])


def test_the_dense_model_reaches_the_exact_error_of_pca():
    # Dense inputs have covariance I/12 and mean 1/2, which b absorbs: the best rank-m
    # reconstruction leaves n − m of n directions, an error of (n − m)/n · 1/12 a feature.
    spec = SPEC | {"features": 100, "hidden": 20, "densities": [1.0], "seeds": [0]}
    W, b = weights(spec | {"steps": 3000, "batch_size": 64})
    x = torch.rand(1, 100, 20_000, generator=torch.Generator().manual_seed(5))
    error = loss(W[:1], b[:1], encode(W[:1], x), x).item()
    assert error == pytest.approx(80 / 100 / 12, rel=0.01)  # 0.0667


def test_adam_with_decay_agrees_with_torch():
    # The gradients are those of the trainer itself: W moves by AdamW of the clean loss.
    spec = SPEC | {"densities": [0.4], "seeds": [0], "weight_decay": 0.1, "learning_rate": 0.01}
    state = initial(spec)
    W, b = (torch.from_numpy(state.arrays[name][:1].copy()).requires_grad_() for name in "Wb")
    reference = torch.optim.AdamW([W, b], lr=0.01, weight_decay=0.1)
    ours = compiled.Stepper(spec, state)
    for _ in range(20):
        uniforms, normals = state.draw(spec)
        x = (1 - torch.from_numpy(uniforms) / 0.4).relu()
        reference.zero_grad()
        ((W.mT @ (W @ x) + b.unsqueeze(-1)).relu() - x).square().mean().backward()
        reference.step()
        ours.step(uniforms, normals)
    for name, theirs in (("W", W), ("b", b)):
        found = torch.from_numpy(state.arrays[name][:1])
        torch.testing.assert_close(found, theirs.detach(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("attack", [ONE_STEP, {"type": "analytic"}], ids=["gradient", "analytic"])
@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_the_compiled_and_the_stacked_steps_agree(attack, kind):
    spec = SPEC | {"weight_decay": 0.01, "adversarial": SPEC["adversarial"] | {"attack": attack}}
    state = initial(spec)
    state.arrays = {name: state.arrays[name].astype(kind) for name in ARRAYS}
    other = copy.deepcopy(state)
    ours = compiled.Stepper(spec, state)
    theirs = stacked.Stepper(spec, other, torch.device("cpu"))
    for _ in range(30):
        uniforms, normals = (draw.astype(kind) for draw in state.draw(spec))
        ours.step(uniforms, normals)
        theirs.step(uniforms, normals)
    theirs.synchronise()
    tolerance = 1e-10 if kind is np.float64 else 1e-4
    for name in ARRAYS:
        gap = np.linalg.norm(state.arrays[name] - other.arrays[name])
        assert gap <= tolerance * np.linalg.norm(other.arrays[name])


def test_models_of_a_seed_start_from_the_same_weights_and_half_their_density():
    arrays = initial(SPEC).arrays
    for seed in SPEC["seeds"]:
        same = arrays["W"][chosen(SPEC, seed=[seed])]
        assert (same == same[0]).all()
    for density in SPEC["densities"]:
        assert (arrays["b"][chosen(SPEC, density=[density])] == np.float32(density) / 2).all()
    assert not np.array_equal(arrays["W"][0], arrays["W"][1])


def test_the_same_spec_gives_the_same_bytes(tmp_path):
    for run in ("first", "second"):
        fit(SPEC, tmp_path / run / "models.json")
    for name in ("models.json", "models.safetensors"):
        first, second = ((tmp_path / run / name).read_bytes() for run in ("first", "second"))
        assert first == second


@pytest.mark.parametrize("parts", [{"seed": [1]}, {"seed": [2, 0]}, {"density": [0.4]}], ids=str)
def test_a_model_does_not_depend_on_which_others_train_beside_it(parts):
    whole = train(SPEC).arrays
    fewer = SPEC | {{"seed": "seeds", "density": "densities"}[k]: v for k, v in parts.items()}
    found, table = train(fewer).arrays, index(fewer)
    for row in range(len(table["seed"])):
        (same,) = [i for i in chosen(SPEC, density=[table["density"][row]], seed=[table["seed"][row]])
                   if index(SPEC)["mode"][i] == table["mode"][row]]  # fmt: skip
        assert all(np.array_equal(found[name][row], whole[name][same]) for name in ARRAYS)


def test_the_manifest_describes_the_weights_beside_it(tmp_path):
    output = tmp_path / "models.json"
    fit(SPEC | {"steps": 1}, output)
    manifest, stored = read_json(output), output.with_suffix(".safetensors")
    tensors, spec = read_tensors(stored)
    assert manifest["sha256"] == sha256(stored)
    assert manifest["spec"] == spec == SPEC | {"steps": 1}
    assert tensors["W"].shape == (18, 5, 20)
    assert tensors["b"].shape == (18, 20)
    models = {tuple(row) for row in zip(tensors["mode"], tensors["density"], tensors["seed"])}
    assert models == {(m, d, s) for m in (0, 1) for d in SPEC["densities"] for s in SPEC["seeds"]}


def test_adversarial_training_lowers_the_interference_of_sparse_models():
    spec = SPEC | {"densities": [0.1], "steps": 1500, "batch_size": 64}
    clean, robust = interference(weights(spec)[0]).chunk(2)
    assert (robust < clean).all()


@pytest.mark.parametrize("steps_done", [1, 30, 59])
def test_interrupted_training_ends_with_the_same_bytes(tmp_path, monkeypatch, steps_done):
    fit(SPEC, tmp_path / "whole" / "models.json")
    monkeypatch.setattr(train_module, "CHECKPOINT_INTERVAL", 0.0)
    real, seen = compiled.Stepper.step, []

    def failing(self, *draws):
        if len(seen) == steps_done:
            raise KeyboardInterrupt
        seen.append(None)
        real(self, *draws)

    output = tmp_path / "cut" / "models.json"
    monkeypatch.setattr(compiled.Stepper, "step", failing)
    with pytest.raises(KeyboardInterrupt):
        fit(SPEC, output)
    assert [path.name[0] for path in output.parent.iterdir()] == ["."]
    monkeypatch.setattr(
        compiled.Stepper, "step", lambda self, *d: (seen.append(None), real(self, *d))
    )
    fit(SPEC, output)
    assert len(seen) == SPEC["steps"]  # none was done twice
    assert sorted(p.name for p in output.parent.iterdir()) == ["models.json", "models.safetensors"]
    for path in output.parent.iterdir():
        assert path.read_bytes() == (tmp_path / "whole" / path.name).read_bytes()


def test_a_killed_process_leaves_a_checkpoint_to_go_on_from(tmp_path):
    spec = SPEC | {"steps": 20_000}
    output = tmp_path / "models.json"
    program = (
        "import json, sys\nfrom pathlib import Path\nfrom interference.toy import train\n"
        "train.CHECKPOINT_INTERVAL = 0.1\ntrain.run(json.loads(sys.argv[1]), Path(sys.argv[2]))\n"
    )
    command = [sys.executable, "-c", program, canonical(spec), str(output)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".*.checkpoint.safetensors")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not output.exists()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "going on from step" in done.stderr
    tensors, _ = read_tensors(output.with_suffix(".safetensors"))
    expected = train(spec).arrays
    assert all(np.array_equal(tensors[name], expected[name]) for name in "Wb")


def test_training_of_another_spec_starts_afresh(tmp_path, monkeypatch):
    monkeypatch.setattr(train_module, "CHECKPOINT_INTERVAL", 0.0)
    output = tmp_path / "models.json"
    monkeypatch.setattr(
        train_module, "write_json", lambda *_: (_ for _ in ()).throw(OSError("full"))
    )
    with pytest.raises(OSError, match="full"):
        fit(SPEC | {"learning_rate": 0.1}, output)
    monkeypatch.undo()
    fit(SPEC, output)
    tensors, _ = read_tensors(output.with_suffix(".safetensors"))
    assert np.array_equal(tensors["W"], train(SPEC).arrays["W"])
    assert not list(tmp_path.glob(".*"))
