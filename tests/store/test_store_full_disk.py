"""A full disk: nothing under a final name, and one line of text instead of a traceback."""

import errno
import os
import subprocess

import numpy as np
import pytest

from interference.cli import main as cli
from interference.store.arrays import writing
from interference.store.files import StoreError, write_json
from interference.store.tables import write_table
from interference.store.tensors import write_tensors


@pytest.fixture
def full(tmp_path):
    """A folder on a file system of 64 kB, or a skip where mounting is not allowed."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small file system")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


NOISE = np.random.default_rng(0).standard_normal((100_000, 4))


def write_store(folder):
    with writing(folder / "x.zarr", NOISE.shape, "float64", {}) as writer:
        writer.append(NOISE)


WRITERS = {
    "json": lambda folder: write_json(folder / "x.json", {"a": "x" * 200_000}),
    "parquet": lambda folder: write_table(folder / "x.parquet", {"a": NOISE[:, 0]}, {}),
    "safetensors": lambda folder: write_tensors(folder / "x.safetensors", {"w": NOISE}, {}),
    "zarr": write_store,
}


@pytest.mark.parametrize("kind", WRITERS)
def test_a_full_disk_leaves_nothing_behind(full, kind):
    with pytest.raises((OSError, StoreError)):
        WRITERS[kind](full)
    assert list(full.iterdir()) == []


@pytest.mark.parametrize("kind", WRITERS)
def test_a_full_disk_is_one_line_on_the_command_line(full, kind, monkeypatch, capsys):
    monkeypatch.setattr(cli, "app", lambda: WRITERS[kind](full))
    with pytest.raises(SystemExit) as end:
        cli.main()
    message = capsys.readouterr().err
    assert end.value.code == 1
    assert "the disk is full; free some space and run snakemake again" in message
    assert message.count("\n") == 1


@pytest.mark.parametrize(
    ("number", "mend"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EDQUOT, "quota"),
        (errno.EACCES, "permission"),
        (errno.EROFS, "read-only"),
    ],
)
def test_errors_of_the_system_say_what_to_do(monkeypatch, capsys, number, mend):
    def fail():
        raise OSError(number, os.strerror(number), "some/file")

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as end:
        cli.main()
    message = capsys.readouterr().err
    assert end.value.code == 1
    assert message.startswith("error: some/file: ")
    assert mend in message
    assert message.count("\n") == 1


def test_a_damaged_store_is_one_line_on_the_command_line(monkeypatch, capsys):
    def fail():
        raise StoreError("x.zarr is damaged; remove it and run snakemake")

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit):
        cli.main()
    message = capsys.readouterr().err
    assert message == "error: x.zarr is damaged; remove it and run snakemake\n"


def test_a_bug_keeps_its_traceback(monkeypatch):
    def fail():
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(ZeroDivisionError):
        cli.main()
