"""Files: atomic, readable by whom the umask says, and told when they are damaged."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from interference.store.files import StoreError, read_json, replacing, sha256, write_json
from interference.store.tables import read_columns, write_table
from interference.store.tensors import read_tensors, write_tensors

WRITERS = {
    "x.json": lambda path: write_json(path, {"a": [1.5, None], "b": "ä"}),
    "x.parquet": lambda path: write_table(path, {"a": np.arange(2000.0), "b": "text"}, {}),
    "x.safetensors": lambda path: write_tensors(path, {"w": np.ones((50, 20))}, {"k": 1}),
}
READERS = {"x.json": read_json, "x.parquet": read_columns, "x.safetensors": read_tensors}


@pytest.fixture(params=WRITERS)
def file(request, tmp_path):
    return tmp_path / request.param


def test_json_comes_back_equal(tmp_path):
    value = {"b": [1, 2.5, None, True], "a": {"ü": "é"}}
    write_json(tmp_path / "x.json", value)
    assert read_json(tmp_path / "x.json") == value


def test_not_a_number_is_never_written_as_json(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "x.json", {"a": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_tables_come_back_equal_and_scalars_are_repeated(tmp_path):
    columns = {"i": np.arange(5), "x": np.linspace(0, 1, 5), "name": list("abcde"), "seed": 3}
    write_table(tmp_path / "x.parquet", columns, {})
    found = read_columns(tmp_path / "x.parquet")
    assert list(found) == list(columns)
    np.testing.assert_array_equal(found["i"], columns["i"])
    np.testing.assert_array_equal(found["x"], columns["x"])
    assert found["name"].tolist() == columns["name"]
    assert found["seed"].tolist() == [3] * 5


def test_columns_of_different_length_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"differ in length: \[2, 3\]"):
        write_table(tmp_path / "x.parquet", {"a": np.arange(2), "b": np.arange(3)}, {})


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3, 4)])
def test_tensors_come_back_with_their_shape_and_spec(tmp_path, shape):
    array = np.asarray(np.random.default_rng(0).standard_normal(shape))
    strided = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    write_tensors(tmp_path / "x.safetensors", {"w": array, "s": strided}, {"a": [1, "ü"]})
    arrays, spec = read_tensors(tmp_path / "x.safetensors")
    assert spec == {"a": [1, "ü"]}
    assert arrays["w"].shape == shape
    np.testing.assert_array_equal(arrays["w"], array)
    np.testing.assert_array_equal(arrays["s"], strided)


def test_equal_values_give_equal_bytes(file):
    WRITERS[file.name](file)
    first = sha256(file)
    WRITERS[file.name](file)
    assert sha256(file) == first


def test_a_missing_file_is_told(file):
    with pytest.raises(StoreError, match=f"{file.name} is missing; run snakemake"):
        READERS[file.name](file)


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9])
def test_a_truncated_file_is_told(file, share):
    WRITERS[file.name](file)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(StoreError, match=f"{file.name} is damaged.*snakemake"):
        READERS[file.name](file)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00rubbish" * 20, b"\0" * 400])
def test_a_file_of_something_else_is_told(file, content):
    file.write_bytes(content)
    with pytest.raises(StoreError, match=f"{file.name} is damaged"):
        READERS[file.name](file)


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_modes_follow_the_umask(file, umask):
    before = os.umask(umask)
    try:
        WRITERS[file.name](file)
        assert file.stat().st_mode & 0o777 == 0o666 & ~umask
        assert os.umask(umask) == umask
    finally:
        os.umask(before)


def test_an_exception_keeps_the_old_file(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})

    def interrupted():
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert read_json(path) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_a_block_that_writes_nothing_is_an_error_and_leaves_nothing(tmp_path):
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "x"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_two_writers_of_one_file_never_share_a_temporary_name(tmp_path):
    path = tmp_path / "x.json"
    with replacing(path) as a, replacing(path) as b:
        assert a != b
        a.write_text("1")
        b.write_text("1")
    assert path.read_text() == "1"


def test_a_folder_replaces_a_folder(tmp_path):
    path = tmp_path / "x"
    for name in ("old", "new"):
        with replacing(path) as temporary:
            temporary.mkdir()
            (temporary / name).touch()
    assert [p.name for p in path.iterdir()] == ["new"]
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_a_folder_is_replaced_although_a_job_died_in_the_middle_of_replacing_it(
    tmp_path, monkeypatch
):
    path = tmp_path / "x.zarr"

    def make(name):
        with replacing(path) as temporary:
            temporary.mkdir()
            (temporary / name).touch()

    make("first")
    with monkeypatch.context() as patch:  # killed before it could remove the old folder
        patch.setattr("interference.store.files.shutil.rmtree", lambda *_, **__: None)
        make("second")
    make("third")
    assert [p.name for p in path.iterdir()] == ["third"]


KILLED = """
import sys, time
import numpy as np
from pathlib import Path
from interference.store.arrays import writing
from interference.store.files import replacing
folder = Path(sys.argv[1])
with writing(folder / "x.zarr", (200_000, 64), "float32", {}) as writer:
    with replacing(folder / "x.json") as temporary:
        temporary.write_text("{")
        writer.append(np.ones((150_000, 64), "float32"))
        print("half", flush=True)
        time.sleep(60)
"""


def test_a_killed_job_leaves_no_final_name(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as job:
        assert job.stdout.readline() == "half\n"
        job.send_signal(signal.SIGKILL)
    names = [p.name for p in tmp_path.iterdir()]
    assert names  # what it had begun
    assert all(name.startswith(".") for name in names)


def test_a_reader_never_sees_half_a_file(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {"value": 0})
    pid = os.fork()
    if pid == 0:
        for i in range(300):
            write_json(path, {"value": i, "padding": "x" * 20_000})
        os._exit(0)
    stop = time.monotonic() + 20
    while os.waitpid(pid, os.WNOHANG) == (0, 0) and time.monotonic() < stop:
        assert "value" in json.loads(path.read_text())
