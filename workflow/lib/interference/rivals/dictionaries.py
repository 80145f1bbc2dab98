"""How alike the SAE dictionaries of two networks are, which need have no axis in common.

Latents are matched one to one by what they answer: each with the latent of the other dictionary whose
activations over common images correlate with its own, such that all matches together correlate most
(Hungarian method; Li et al. 2016, arXiv 1511.07543, section 3.2, of units). On images that they were not
matched on:

    matched        mean correlation of a latent with its match: 0 on average of dictionaries that have
                   nothing in common, 1 of equal ones, also permuted or of rotated units
    interference   correlation, over pairs of matched latents, of the cosine of their dictionary vectors in one
                   network with that of their matches in the other: whether what interferes here does so there
"""

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from interference.rivals.geometry import similarity
from interference.rivals.monosemantic import LIVING

#: Matches below which the cosines of their pairs say nothing: three have three pairs.
FEWEST = 4


def living(a: Tensor) -> Tensor:
    """Return whether latents are active on at least `LIVING` of the images: a (n, K) → (K,) bool."""
    return (a > 0).double().mean(0) >= LIVING


def standardised(a: Tensor) -> Tensor:
    """Return columns without their mean, of length 1; 0 where they are constant: (n, K) → (n, K) float64."""
    a = a.double()
    return torch.nn.functional.normalize(a - a.mean(0), dim=0)


def matches(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return the places of matched columns of a (n, K) and b (n, L), both `standardised`: two of (k,) int64,
    k the lesser of K and L."""
    rows, columns = linear_sum_assignment((a.mT @ b).numpy(), maximize=True)
    return torch.from_numpy(rows), torch.from_numpy(columns)


def matched(a: Tensor, b: Tensor) -> float:
    """Return the mean correlation of columns with their matches, at the same places: (n, k), both
    `standardised`. NaN of none."""
    return float((a * b).sum(0).mean())


def interference(a: Tensor, b: Tensor) -> float:
    """Return the correlation of the cosines of pairs of vectors with those of their matches.

    a: (d, k), b: (e, k), a vector per column. NaN of fewer than `FEWEST`, or where one has equal cosines.
    """
    if a.shape[1] < FEWEST:
        return float("nan")
    units = (torch.nn.functional.normalize(vectors.double(), dim=0) for vectors in (a, b))
    return similarity(*(unit.mT @ unit for unit in units))
