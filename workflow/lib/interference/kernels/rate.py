"""The learning rate over training of networks on canvases and of the preprint's rivals."""

import math

#: Share of the steps over which the rate rises.
WARM = 0.05


def rate(highest: float, step: int, steps: int) -> float:
    """Return the rate at a step of 0 to steps − 1: it rises over the first `WARM` of them, and falls by a
    cosine."""
    done = step / steps
    return highest * min(1.0, done / WARM) * (1 + math.cos(math.pi * done)) / 2
