"""Ranks: together they do what one does; one that dies ends the others; one alone starts nothing."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import distributed, nn

from interference.data.read import read_split
from interference.models import ranks, sgd, training
from interference.models.ranks import ALONE, RankError, Ranks
from interference.provenance import spec
from interference.store.files import sha256
from tests.support import in_ranks
from tests.support.in_ranks import CASES, network
from tests.support.slurm.configuration import free_ports
from tests.support.waiting import PATIENCE, wait_until

BIN = Path(sys.executable).parent


@contextmanager
def running(count: int, mode: str, images: Path, folder: Path) -> Iterator[subprocess.Popen]:
    """Ranks without a launcher that would look after them; none outlives the block."""
    folder.mkdir()
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_ports(1)[0])}
    process = subprocess.Popen(
        [sys.executable, in_ranks.__file__, mode, str(count), images, folder],
        env=os.environ | place | {"CUDA_VISIBLE_DEVICES": ""},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def statuses(process: subprocess.Popen) -> list[int]:
    """Of each rank, once all have ended."""
    said, _ = process.communicate(timeout=PATIENCE)
    return [int(status) for status in said.split()]


def test_gradients_are_those_of_one_rank_where_batch_statistics_are_frozen(
    small_images, tmp_path, monkeypatch
):
    count, folder = 3, tmp_path / "ranks"
    with running(count, "gradients", small_images, folder) as process:
        process.stdout.readline()
        ended = statuses(process)
        assert ended == [0] * count, [path.read_text() for path in folder.glob("*.log")]
    with monkeypatch.context() as patch:  # what it sets for all of a process
        patch.setattr(nn.BatchNorm2d, "train", nn.BatchNorm2d.train)
        patch.setattr(sgd.SGD, "step", sgd.SGD.step)
        in_ranks.gradients(small_images, tmp_path)
    for case in CASES:
        one = torch.load(tmp_path / f"{case}-0.pt")
        for rank in range(count):
            own = torch.load(folder / f"{case}-{rank}.pt")
            assert len(own["gradients"]) == len(one["gradients"]) >= 2
            for step, expected in zip(own["gradients"], one["gradients"]):
                for found, gradient in zip(step, expected):
                    norm = torch.linalg.vector_norm
                    assert norm(found - gradient) <= 1e-5 * norm(gradient), (case, rank)
            torch.testing.assert_close(own["loss"], one["loss"], rtol=1e-5, atol=0)


def test_a_killed_rank_ends_the_others_with_an_error(small_images, tmp_path):
    folder = tmp_path / "ranks"
    with running(3, "endless", small_images, folder) as process:
        children = [int(child) for child in process.stdout.readline().split()]
        wait_until(lambda: len(list(folder.glob("[0-2]"))) == 3, "all ranks train")
        os.kill(children[1], signal.SIGKILL)
        assert statuses(process) == [1, -signal.SIGKILL, 1]
    for rank in (0, 2):
        said = (folder / f"{rank}.log").read_text()
        assert f"rank {rank} of 3 lost another one" in said


# The verb, as a profile starts it on a workstation


def train(images: Path, output: Path, launcher: tuple[str, ...] = (), **changes: object):
    """Run the verb, under a launcher or alone; the process that has ended."""
    fields = {
        "network": {"architecture": "resnet18", "stem": "imagenet", "width": 16},
        "optimiser": {"batch_size": 20, "weight_decay": 5e-4, "momentum": 0.9},
        "schedule": {"epochs": 6, "learning_rate": 0.05},
        "attack": None,
        "model": {"model": "m", "model_norm": "clean", "model_epsilon": 0.0, "model_seed": 0},
    }
    text = spec(("interference.models.trunk",), **fields | changes)
    verb = [BIN / "interference", "models", "trunk", "--spec", text, "--data", images]
    return subprocess.run(
        [*launcher, *verb, "--output", output],
        env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def torchrun(count: int) -> tuple[str, ...]:
    return (f"{BIN}/torchrun", "--standalone", f"--nproc-per-node={count}", "--no-python")


def test_two_ranks_under_torchrun_learn_and_write_every_file_once(small_images, tmp_path):
    output = tmp_path / "m.json"
    done = train(small_images, output, torchrun(2))
    assert done.returncode == 0, done.stderr
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"m.json", "m.safetensors", "m.parquet"}
    log = pd.read_parquet(tmp_path / "m.parquet")
    assert log["step"].tolist() == list(range(12))
    assert log["loss"][-3:].mean() < 0.7 * log["loss"][:3].mean()
    manifest = json.loads(output.read_text())
    assert manifest["sha256"] == sha256(tmp_path / "m.safetensors")
    assert (manifest["ranks"], manifest["shared_statistics"]) == (2, False)
    for line in ("training steps: 12 of 12", "last batches", "batch statistics are a rank's own"):
        assert done.stderr.count(line) == 1, done.stderr


def test_more_ranks_than_a_batch_has_room_for_are_refused(small_images):
    settings = {"epochs": 1, "learning_rate": 0.05, "weight_decay": 0.0, "momentum": 0.9}
    with pytest.raises(RankError, match="a batch of 3 images is too small for 2 ranks") as error:
        training.train(
            network(),
            read_split(small_images, "train"),
            None,
            seed=0,
            ranks=Ranks(rank=0, count=2),
            batch_size=3,
            **settings,
        )
    assert "models.batch_size" in str(error.value)


def test_one_rank_under_a_launcher_writes_the_bytes_of_none(small_images, tmp_path):
    for name, launcher in (("alone", ()), ("launched", torchrun(1))):
        (tmp_path / name).mkdir()
        schedule = {"epochs": 1, "learning_rate": 0.05}
        done = train(small_images, tmp_path / name / "m.json", launcher, schedule=schedule)
        assert done.returncode == 0, done.stderr
        assert "rank" not in done.stderr
    for suffix in ("json", "safetensors", "parquet"):
        alone, launched = (tmp_path / name / f"m.{suffix}" for name in ("alone", "launched"))
        assert alone.read_bytes() == launched.read_bytes(), suffix


# One rank


@pytest.mark.parametrize(
    "environment", [{}, {"WORLD_SIZE": "1"}, {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "4"}]
)
def test_one_rank_starts_no_group_and_is_not_wrapped(environment, monkeypatch):
    for name in [name for name in os.environ if name.startswith("SLURM_")]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    model = network()
    with ranks.joined({}) as alone:
        assert alone == ALONE
        assert not distributed.is_initialized()
        assert alone.parallel(model) is model
        assert alone.facts == {}
