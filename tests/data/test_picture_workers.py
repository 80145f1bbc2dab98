"""Processes that decode: the same bytes whatever their number, and no hang when one is killed."""

import io
import itertools
import subprocess
import sys

import numpy as np
import psutil
import pytest
from PIL import Image

from interference.data.decode import Place, decode
from interference.data.errors import DatasetError
from interference.data.images import run as build
from interference.data.workers import TASK, TASKS_PER_WORKER, Workers, cpus
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.xdist_group("imagenet")


@pytest.fixture
def file(layouts):
    return next((layouts["image-folder"] / "train").rglob("*.JPEG"))


def endless(file):
    return (Place(str(i), str(file)) for i in itertools.count())


def decoding(process: psutil.Process) -> list[psutil.Process]:
    """The processes that decode for another."""
    return [child for child in process.children() if "spawn_main" in " ".join(child.cmdline())]


def test_a_job_uses_the_cpus_that_it_was_given(monkeypatch):
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "7")
    assert cpus() == 7
    monkeypatch.delenv("SLURM_CPUS_PER_TASK")
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0, 3, 5})
    assert cpus() == 3


def test_what_snakemake_gives_is_taken_and_never_more_than_slurm_gives(monkeypatch):
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    assert cpus(1) == 1
    assert cpus(5) == 5
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "3")
    assert cpus(1) == 1
    assert cpus(5) == 3


def test_a_decoder_starts_no_threads():
    content = io.BytesIO()
    Image.effect_noise((300, 300), 50).convert("RGB").save(content, "AVIF")
    code = (
        "import os, sys, threading; from interference.data.decode import decode; "
        "from PIL import AvifImagePlugin; "
        "decode(sys.stdin.buffer.read(), 40, 32); print(AvifImagePlugin._get_default_max_threads())"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], input=content.getvalue(), capture_output=True, check=True
    )
    assert run.stdout.strip() == b"1"


def test_any_number_of_processes_gives_the_same_bytes(picture_data, tmp_path, monkeypatch):
    stores = []
    for number in ("1", "3"):
        monkeypatch.setenv("SLURM_CPUS_PER_TASK", number)
        folder = tmp_path / number
        data = picture_data("image-folder")
        build({"data": data, "checksums": None, "code": {}}, folder / "images.json")
        given = tmp_path / f"given-{number}" / "images.json"
        monkeypatch.delenv("SLURM_CPUS_PER_TASK")
        build({"data": data, "checksums": None, "code": {}}, given, int(number))
        assert given.read_bytes() == (folder / "images.json").read_bytes()
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        stores.append({path.relative_to(folder): path.read_bytes() for path in files})
    assert stores[0] == stores[1]


def test_pictures_come_in_order_and_few_are_in_memory(file):
    taken = []

    def places():
        for place in itertools.islice(endless(file), 200):
            taken.append(place.name)
            yield place

    expected, names = decode(file.read_bytes(), 40, 32), []
    with Workers(2, 40, 32) as workers:
        for task, decoded in workers.decode(places()):
            names += [place.name for place in task]
            assert len(taken) <= len(names) + 2 * TASKS_PER_WORKER * TASK
            assert decoded.bytes_read == len(task) * file.stat().st_size
            assert all(np.array_equal(pixels, expected) for pixels in decoded.pixels)
    assert names == [str(i) for i in range(200)]


def test_a_killed_process_is_an_error_and_no_hang(file):
    with Workers(2, 40, 32) as workers:
        tasks = workers.decode(endless(file))
        next(tasks)
        decoding(psutil.Process())[0].kill()
        with pytest.raises(DatasetError, match=r"one of 2 processes .* was killed.* more memory"):
            for _ in tasks:
                pass


def test_a_lost_file_ends_the_work_with_its_name(file, tmp_path):
    places = [Place("a", str(file)), Place("b", str(tmp_path / "gone"))]
    with pytest.raises(DatasetError, match="gone was there"), Workers(1, 40, 32) as workers:
        list(workers.decode(places))


ENDLESS = """
import itertools, sys
from interference.data.decode import Place
from interference.data.workers import Workers
if __name__ == "__main__":
    places = (Place("a", sys.argv[1]) for _ in itertools.count())
    with Workers(2, 40, 32) as workers:
        for _ in workers.decode(places):
            print("decoded", flush=True)
"""


def test_processes_end_when_their_parent_is_killed(file, tmp_path):
    script = tmp_path / "endless.py"
    script.write_text(ENDLESS)
    parent = subprocess.Popen([sys.executable, script, file], stdout=subprocess.PIPE, text=True)
    for _ in range(10):
        assert parent.stdout.readline() == "decoded\n"
    children = decoding(psutil.Process(parent.pid))
    assert children
    parent.kill()
    parent.communicate()
    gone, alive = psutil.wait_procs(children, timeout=PATIENCE)
    assert not alive
    assert len(gone) == len(children)


def test_a_process_that_decodes_loads_neither_torch_nor_zarr_nor_pyarrow():
    code = (
        "import sys, interference.data.decode; "
        "print([m for m in ('torch', 'zarr', 'pyarrow', 'pandas') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
