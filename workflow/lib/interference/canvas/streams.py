"""The independent random streams of a seed, and what each is for."""

import numpy as np

# The second part of a generator's seed. From 1: numpy takes the seeds (s,) and (s, 0) for the same.
(
    TRUNK, PRETRAINING, INIT, TRAINING, ATTACKED, THRESHOLDS, ACCURACY, PAIRS, NOISE, ROWS, SHUFFLED
) = range(1, 12)  # fmt: skip


def canvases(seed: int, purpose: int) -> int:
    """Return the seed of a composer's canvases for one purpose."""
    return int(np.random.SeedSequence([seed, purpose]).generate_state(1, np.uint64)[0])
