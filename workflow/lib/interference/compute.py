"""The device and the random generators of a job; importing this sets one intra-op thread, and how freed
memory is kept.

Splitting a float reduction over threads changes its bytes, so parallelism comes from jobs.

glibc gives tensors of some megabytes back to the system when they are freed, and takes them anew, page
by page, when the next pass wants as many: a tenth of a network's CPU time. A job keeps what it has had.
"""

import ctypes

import torch

#: Options of glibc's mallopt (malloc.h): from how much at the end of the heap on it is given back, in
#: bytes, and how many allocations are mapped by themselves.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4


def _keep_freed_memory() -> None:
    """Have freed memory stay with the process; nothing where the C library is not glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_MMAP_MAX, 0)


torch.set_num_threads(1)
_keep_freed_memory()


def device() -> torch.device:
    """Return the first GPU that the job sees, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def generator(*seed: int) -> torch.Generator:
    """Return a CPU generator; different seeds, of any number of parts, give independent streams."""
    import numpy as np

    state = int(np.random.SeedSequence(list(seed)).generate_state(1, np.uint64)[0] >> 1)
    return torch.Generator().manual_seed(state)
