"""An interrupted fit ends with the bytes of one that was not; a finished member is not trained again."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from interference.provenance import canonical
from interference.saes import fit as fit_module
from interference.saes.fit import TrainingError
from interference.saes.fit import run as fit
from interference.saes.state import State
from interference.saes.stepper import compiled
from interference.store.files import StoreError
from interference.store.tensors import read_tensors
from tests.support.sweeps import SETTINGS, D, members_of, spec, step_of, type_of, write_rows

COMPILED = {name: compiled(type_of(name)) for name in SETTINGS}
SUFFIXES = (".json", ".parquet", ".safetensors")
STEPS = 20  # of one seed of `spec()`


@pytest.fixture
def rows(tmp_path):
    return write_rows(tmp_path / "rows.json")


def results(output):
    return [output.with_suffix(suffix).read_bytes() for suffix in SUFFIXES]


def kept(folder, kind):
    return sorted(folder.glob(f".*.{kind}.safetensors"))


def count_steps(monkeypatch, stop_at=None):
    """A list that grows by each member's step; the step after ``stop_at`` of them is interrupted."""
    seen = []
    for module in COMPILED.values():
        if "step" not in vars(module.Step):  # inherited: patched where it is defined
            continue

        def step(self, *arguments, real=module.Step.step):
            if len(seen) == stop_at:
                raise KeyboardInterrupt
            real(self, *arguments)
            seen.append(self)

        monkeypatch.setattr(module.Step, "step", step)
    return seen


@pytest.mark.parametrize("name", COMPILED)
def test_arrays_are_all_that_training_changes(name):
    a, b = (members_of(name, seed=seed)[0] for seed in (0, 1))
    step, other = step_of(a), step_of(b)
    start = {n: array.copy() for n, array in a.arrays().items()}
    batches = np.random.default_rng(0).standard_normal((9, 3, D)).astype(np.float32)
    changed = set()
    for x in batches[:5]:
        step.step(x, 1e-2, 0.1)
        changed |= {n for n, array in a.arrays().items() if not np.array_equal(array, start[n])}
    assert changed == set(start)
    for n, array in b.arrays().items():
        assert not any(np.shares_memory(array, own) for own in a.arrays().values())
        array[...] = a.arrays()[n]
    b.adam.steps = a.adam.steps
    for x in batches[5:]:
        step.step(x, 1e-2, 0.1)
        other.step(x, 1e-2, 0.1)
    for n, array in b.arrays().items():
        assert array.tobytes() == a.arrays()[n].tobytes()


@pytest.mark.parametrize("name", COMPILED)
@pytest.mark.parametrize(
    ("turn", "done"),
    [*((1, done) for done in (0, 1, 2, 17, 39, 40, 41, 55, 79)), (8, 15), (8, 27), (8, 70)],
)
def test_an_interrupted_fit_ends_with_the_same_bytes(tmp_path, rows, monkeypatch, name, turn, done):
    fit(spec(name), rows, tmp_path / "whole" / "sae.json")
    output = tmp_path / "cut" / "sae.json"
    monkeypatch.setattr(fit_module, "TURN", turn)
    monkeypatch.setattr(fit_module, "CHECKPOINT_INTERVAL", 0.0)
    with monkeypatch.context() as patch:
        count_steps(patch, stop_at=done)
        with pytest.raises(KeyboardInterrupt):
            fit(spec(name), rows, output)
    assert not output.parent.exists() or {p.name[0] for p in output.parent.iterdir()} == {"."}
    seen = count_steps(monkeypatch)
    fit(spec(name), rows, output)
    # a turn is of two members: the first of them is done again where the second was cut off
    if turn == 1:
        assert len(seen) == 4 * STEPS - done // 2 * 2
    assert results(output) == results(tmp_path / "whole" / "sae.json")
    assert kept(output.parent, "checkpoint") == []
    assert len(kept(output.parent, "member")) == 4


def test_a_checkpoint_of_several_steps_ago_is_as_good(tmp_path, rows, monkeypatch):
    fit(spec(seeds=[0]), rows, tmp_path / "whole" / "sae.json")
    output = tmp_path / "cut" / "sae.json"
    monkeypatch.setattr(fit_module, "TURN", 1)
    monkeypatch.setattr(fit_module, "CHECKPOINT_INTERVAL", 0.0)
    real = State.save

    def every_seventh(self, seed, steps, members):
        if steps % 7 == 0:
            real(self, seed, steps, members)

    monkeypatch.setattr(State, "save", every_seventh)
    with monkeypatch.context() as patch:
        count_steps(patch, stop_at=35)
        with pytest.raises(KeyboardInterrupt):
            fit(spec(seeds=[0]), rows, output)
    (checkpoint,) = kept(output.parent, "checkpoint")
    assert read_tensors(checkpoint)[1]["steps"] == 14
    fit(spec(seeds=[0]), rows, output)
    assert results(output) == results(tmp_path / "whole" / "sae.json")


PROGRAM = """
import json, sys
from pathlib import Path
from interference.saes import fit
fit.CHECKPOINT_INTERVAL = 0.02
fit.run(json.loads(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
"""


def test_a_process_killed_three_times_ends_with_the_same_bytes(tmp_path, rows):
    steps = 8000
    job, output = spec(rows=50 * steps), tmp_path / "killed" / "sae.json"
    fit(json.loads(canonical(job)), rows, tmp_path / "whole" / "sae.json")
    command = [sys.executable, "-c", PROGRAM, canonical(job), str(rows), str(output)]
    draw = random.Random(3)
    moments = sorted((draw.randrange(2), draw.randrange(steps // 2)) for _ in range(3))
    assert len({seed for seed, _ in moments}) == 2
    reached = (-1, 0)
    for moment in moments:
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            deadline = time.monotonic() + 120
            while reached < moment and time.monotonic() < deadline:
                assert process.poll() is None, process.stderr.read()
                for checkpoint in kept(output.parent, "checkpoint"):
                    cursor = read_tensors(checkpoint)[1]
                    reached = (cursor["seed"], cursor["steps"])
                time.sleep(0.01)
            os.kill(process.pid, signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
        assert moment <= reached < (1, steps)
        assert not output.exists()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "seed 0: 2 members are there already" in done.stderr
    assert "seed 1: going on from step" in done.stderr
    assert results(output) == results(tmp_path / "whole" / "sae.json")


@pytest.mark.parametrize(
    ("first", "then", "trained"),
    [
        (spec(), spec(k=[2, 3, 4]), 2),
        (spec(), spec(k=[4]), 0),
        (spec(), spec(k=[4, 2]), 0),
        (spec(), spec(seeds=[5, 1, 0]), 2),
        (spec(), spec(k=[1, 2, 4], seeds=[0, 1, 2]), 5),
        (spec("relu_l1"), spec("relu_l1", l1=[0.1, 0.2, 0.4]), 2),
        (spec(), spec(aux_weight=0.5), 4),
        (spec(), spec(rows=1050), 4),
        (spec(), spec() | {"layer": "stem", "code": {"digest": "another"}}, 4),
    ],
)
def test_a_sweep_trains_only_members_that_are_new(
    tmp_path, rows, monkeypatch, first, then, trained
):
    output = tmp_path / "grown" / "sae.json"
    fit(first, rows, output)
    seen = count_steps(monkeypatch)
    fit(then, rows, output)
    assert len({id(step) for step in seen}) == trained
    assert len(seen) == trained * (then["training"]["rows"] // 50)
    fit(then, rows, tmp_path / "whole" / "sae.json")
    assert results(output) == results(tmp_path / "whole" / "sae.json")


@pytest.mark.parametrize("interrupted", [False, True])
def test_members_and_checkpoints_of_other_rows_are_not_taken_up(
    tmp_path, rows, monkeypatch, interrupted
):
    monkeypatch.setattr(fit_module, "CHECKPOINT_INTERVAL", 0.0)
    output = tmp_path / "a" / "sae.json"
    if interrupted:
        with monkeypatch.context() as patch:
            count_steps(patch, stop_at=20)
            with pytest.raises(KeyboardInterrupt):
                fit(spec(), rows, output)
    else:
        fit(spec(), rows, output)
    write_rows(rows, train=np.random.default_rng(7).standard_normal((400, D)))
    fit(spec(), rows, output)
    fit(spec(), rows, tmp_path / "b" / "sae.json")
    assert results(output) == results(tmp_path / "b" / "sae.json")
    assert kept(output.parent, "checkpoint") == []


def test_a_member_lost_between_a_checkpoint_and_the_end_is_trained_again(
    tmp_path, rows, monkeypatch
):
    fit(spec(), rows, tmp_path / "whole" / "sae.json")
    monkeypatch.setattr(fit_module, "CHECKPOINT_INTERVAL", 0.0)
    output = tmp_path / "cut" / "sae.json"
    with monkeypatch.context() as patch:
        count_steps(patch, stop_at=60)  # in the second seed
        with pytest.raises(KeyboardInterrupt):
            fit(spec(), rows, output)
    kept(output.parent, "member")[0].unlink()
    fit(spec(), rows, output)
    assert results(output) == results(tmp_path / "whole" / "sae.json")


@pytest.mark.parametrize("byte", [0.5, 0.99])
def test_a_damaged_member_is_told(tmp_path, rows, byte):
    output = tmp_path / "a" / "sae.json"
    fit(spec(), rows, output)
    member = kept(output.parent, "member")[0]
    content = bytearray(member.read_bytes())
    content[int(byte * len(content))] ^= 1
    member.write_bytes(content)
    with pytest.raises(StoreError, match=r"member\.safetensors is damaged.*snakemake"):
        fit(spec(), rows, output)


def test_a_member_that_diverged_is_told_and_not_kept(tmp_path, rows, monkeypatch):
    def diverge(self, *_):
        self.member.parameters["w_dec"][3, 2] = np.inf

    monkeypatch.setattr(COMPILED["topk"].Step, "step", diverge)
    with pytest.raises(TrainingError, match=r"training diverged at k = 2: lower the rate"):
        fit(spec(), rows, tmp_path / "a" / "sae.json")
    assert not (tmp_path / "a").exists()
