"""Ranks: together they do what one does; one that dies ends the others; one alone starts nothing."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import distributed

from interference.data.read import read_split
from interference.models import ranks, training
from interference.models.ranks import ALONE, RankError, Ranks
from interference.provenance import spec
from interference.store.files import sha256
from tests.support import in_ranks
from tests.support.in_ranks import CASES, network
from tests.support.slurm.configuration import free_ports
from tests.support.waiting import PATIENCE, wait_until

RANK = [sys.executable, in_ranks.__file__]
BIN = Path(sys.executable).parent


def start(count: int, mode: str, images: Path, folder: Path) -> list[subprocess.Popen]:
    """Ranks as processes of their own, without a launcher that would look after them."""
    folder.mkdir()
    port = free_ports(1)[0]
    place = {"WORLD_SIZE": count, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    return [
        subprocess.Popen(
            [*RANK, mode, images, folder],
            env=os.environ
            | {name: str(value) for name, value in place.items()}
            | {"RANK": str(rank), "LOCAL_RANK": str(rank), "CUDA_VISIBLE_DEVICES": ""},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]


@pytest.fixture(scope="module")
def of_one(small_images, tmp_path_factory) -> Path:
    """The folder of what one rank computes."""
    folder = tmp_path_factory.mktemp("one") / "1"
    (process,) = start(1, "gradients", small_images, folder)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    return folder


def test_gradients_are_those_of_one_rank_where_batch_statistics_are_frozen(
    of_one, small_images, tmp_path
):
    count = 3
    processes = start(count, "gradients", small_images, tmp_path / "ranks")
    for process in processes:
        _, said = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, said
    for case in CASES:
        one = torch.load(of_one / f"{case}-0.pt")
        for rank in range(count):
            own = torch.load(tmp_path / "ranks" / f"{case}-{rank}.pt")
            assert len(own["gradients"]) == len(one["gradients"]) >= 2
            for step, expected in zip(own["gradients"], one["gradients"]):
                for found, gradient in zip(step, expected):
                    norm = torch.linalg.vector_norm
                    assert norm(found - gradient) <= 1e-5 * norm(gradient), (case, rank)
            torch.testing.assert_close(own["loss"], one["loss"], rtol=1e-5, atol=0)


def test_a_killed_rank_ends_the_others_with_an_error(small_images, tmp_path):
    folder = tmp_path / "ranks"
    processes = start(3, "endless", small_images, folder)
    try:
        wait_until(lambda: len(list(folder.iterdir())) == 3, "all ranks train")
        processes[1].send_signal(signal.SIGKILL)
        for rank in (0, 2):
            _, said = processes[rank].communicate(timeout=PATIENCE)
            assert processes[rank].returncode == 1
            assert f"rank {rank} of 3 lost another one" in said
    finally:
        for process in processes:
            process.kill()
            process.wait()


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
