"""What importing `interference.compute` does to a process."""

import os
import platform
import subprocess
import sys
from functools import cache

import pytest

#: Pages of an allocation as large as a layer's activations of a batch.
PAGES = 10_000
#: What a user may have set.
THREADS = {"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}
#: The C library may need a few rounds until a freed piece is large enough for the next.
PROGRAM = """
import resource, sys
import torch
if sys.argv[1] == "job":
    import interference.compute
def rounds(count):
    for _ in range(count):
        torch.zeros({pages} * resource.getpagesize(), dtype=torch.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
warm = rounds(10)
print(rounds(10) - warm, torch.get_num_threads())
"""


@cache
def repeated(kind: str) -> tuple[int, int]:
    """Pages taken from the system by ten tensors, one after the other, after ten as large; and threads."""
    program = PROGRAM.format(pages=PAGES)
    output = subprocess.run(
        [sys.executable, "-c", program, kind],
        check=True, capture_output=True, text=True, env=os.environ | THREADS,
    ).stdout  # fmt: skip
    pages, threads = map(int, output.split())
    return pages, threads


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="other C libraries keep memory their way"
)
def test_a_job_takes_the_memory_of_its_passes_from_the_system_once():
    assert repeated("job")[0] < repeated("torch alone")[0] / 10


def test_a_job_has_one_thread_whatever_its_environment_says():
    assert repeated("torch alone")[1] == 2
    assert repeated("job")[1] == 1
