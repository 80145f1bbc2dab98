"""One config, one result: byte for byte, on one core or two, and whether or not a run was killed.

The completed run used two cores. A second one, in another folder, uses one core, is killed with all
its processes somewhere in the middle of a job, and is then taken up again. All that both made must
agree, so one second run answers for the seed, the cores, the folder and the interruption at once.
"""

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.support.checkout import TINY, Checkout, contents

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]


def kill_in_the_middle(checkout: Checkout, seed: int) -> int:
    """Start a run and kill all of it within a seeded job; how many jobs had ended by then."""
    draw = random.Random(seed)
    jobs, delay = draw.randint(8, 30), draw.uniform(0.5, 2.0)
    process = subprocess.Popen(
        ["snakemake", "--configfile", TINY, "--cores", "1"],
        cwd=checkout.folder,
        env=checkout.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while len(list(checkout.records.iterdir())) < jobs:
            assert process.poll() is None, "the run ended before it could be killed"
            time.sleep(0.1)
        time.sleep(delay)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return jobs


@pytest.fixture(scope="module")
def resumed(tmp_path_factory) -> Iterator[Checkout]:
    """The tiny experiment on one core, killed once and taken up again."""
    checkout = Checkout.copy(tmp_path_factory.mktemp("resumed"))
    ended = kill_in_the_middle(checkout, seed=1)
    unlocked = checkout.snakemake("--unlock")
    assert unlocked.returncode == 0, unlocked.stdout
    left = checkout.plan("--rerun-incomplete").jobs
    assert left, f"nothing was left to do after {ended} jobs"
    done = checkout.snakemake("--cores", "1", "--rerun-incomplete")
    assert done.returncode == 0, done.stdout
    yield checkout
    shutil.rmtree(checkout.folder.parent)


def test_a_second_run_killed_and_resumed_on_one_core_has_the_same_bytes(completed, resumed):
    first, second = contents(completed.results), contents(resumed.results)
    assert first.keys() == second.keys()
    assert {name for name in first if first[name] != second[name]} == set()


def test_the_comparison_covers_every_kind_of_result(completed):
    names = contents(completed.results)
    kinds = {name.rsplit(".", 1)[-1] for name in names if ".zarr/c/" not in name}
    assert kinds == {"json", "parquet", "safetensors", "csv", "svg", "png"}
    assert any(".zarr/c/" in name for name in names)


def test_after_it_was_resumed_a_run_has_nothing_left_to_do(resumed):
    assert resumed.plan().jobs == set()
