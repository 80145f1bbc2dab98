"""Sparse inputs, and the independent random streams of a seed.

A feature is x = U[0, 1] with probability p, the *density* (1 − sparsity), else 0, and the mask is
independent of the value (Elhage et al. 2022, "Demonstrating Superposition"). One uniform u
gives all densities at once: x = ReLU(1 − u/p) is positive with probability p, and u/p is uniform
on [0, 1) where it is. So the densities and training modes of a seed see paired inputs, and seeds
stay independent.
"""

import numpy as np
from torch import Tensor

# Streams of one seed, the second part of a generator's seed. From 1: numpy takes the seeds (s,)
# and (s, 0) for the same.
INIT, TRAINING, TRAINING_NOISE, EVALUATION, EVALUATION_NOISE, EXAMPLE, REFIT = range(1, 8)


def stream(seed: int, purpose: int) -> np.random.Generator:
    """One of a seed's streams, for training: numpy's fills are faster, and their state is short."""
    return np.random.default_rng([seed, purpose])


def sparse_inputs(u: Tensor, densities: Tensor) -> Tensor:
    """Inputs at every density from shared uniforms.

    u: (..., n, B), uniform on [0, 1); densities: (D,) in (0, 1]. Returns (D, ..., n, B) in [0, 1].
    """
    steps = (-1 / densities).reshape(-1, *[1] * u.dim())
    return (u * steps).add_(1).relu_()
