"""The device and the random generators of a job; importing this sets one intra-op thread.

Splitting a float reduction over threads changes its bytes, so parallelism comes from jobs.
"""

import torch

torch.set_num_threads(1)


def device() -> torch.device:
    """Return the first GPU that the job sees, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def generator(*seed: int) -> torch.Generator:
    """Return a CPU generator; different seeds, of any number of parts, give independent streams."""
    import numpy as np

    state = int(np.random.SeedSequence(list(seed)).generate_state(1, np.uint64)[0] >> 1)
    return torch.Generator().manual_seed(state)
