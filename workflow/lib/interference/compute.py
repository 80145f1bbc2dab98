"""One intra-op thread, and the device.

Splitting a float reduction over threads changes its bytes, so parallelism comes from jobs.
"""

import torch

torch.set_num_threads(1)


def device() -> torch.device:
    """The first GPU that the job sees, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def generator(*seed: int) -> torch.Generator:
    """A CPU generator; different seeds, of one or of several parts, give independent streams."""
    import numpy as np

    state = int(np.random.SeedSequence(list(seed)).generate_state(1, np.uint64)[0] >> 1)
    return torch.Generator().manual_seed(state)
