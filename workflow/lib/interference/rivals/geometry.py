"""How class vectors lie beside each other: frames that are forced on a classifier, and Gram matrices.

A readout W z + b gives the same predictions when one vector is added to all rows of W. So class vectors
are compared centred, and by cosines, since lengths are no directions.

The forced frame is harmonic: class j at place p_j of a ring of C has, for frequencies k = 1, 2, …, the
coordinates cos(2π k p_j / C) and sin(2π k p_j / C), m in all, and at length 1. In two dimensions that is
a polygon, in C − 1 a simplex, and between them a tight frame of equal norms whose cosines hang on the
distance along the ring alone. *Which* classes are neighbours is drawn once per frame, the same for all
seeds; a seed turns the frame at random, which leaves its Gram matrix as it is.

Source: harmonic frames, Goyal, Kovačević & Kelner 2001, "Quantized frame expansions with erasures".
"""

import math

import torch
from torch import Tensor

from interference.compute import generator
from interference.rivals.streams import FRAME, TURN


def harmonic(classes: int, width: int) -> Tensor:
    """Return unit vectors on a ring of classes: (C, m) float32, rows that add up to 0.

    width: m ≤ C − 1; an odd one needs an even number of classes, for the alternating coordinate.
    Raises ValueError for other widths.
    """
    if not 1 < width < classes or (width % 2 and classes % 2):
        raise ValueError(f"no harmonic frame of {classes} vectors in {width} dimensions")
    place = torch.arange(classes, dtype=torch.float64)
    angles = [2 * math.pi * k * place / classes for k in range(1, width // 2 + 1)]
    rows = [wave(angle) for angle in angles for wave in (torch.cos, torch.sin)]
    if width % 2:
        rows.append((1 - 2 * (place % 2)) / math.sqrt(2))
    return (torch.stack(rows, 1) / math.sqrt(width / 2)).float()


def forced(classes: int, width: int, frame: int, seed: int) -> Tensor:
    """Return the class vectors of one frame, turned at random by a seed: (C, m) float32."""
    places = torch.randperm(classes, generator=generator(frame, FRAME))
    return harmonic(classes, width)[places] @ turn(width, generator(seed, TURN, frame, width))


def turn(size: int, draw: torch.Generator) -> Tensor:
    """Return a random orthogonal matrix, each alike (Mezzadri 2007, section 5): (size, size)."""
    Q, R = torch.linalg.qr(torch.randn(size, size, generator=draw))
    return Q * R.diagonal().sign()


def cosines(W: Tensor) -> Tensor:
    """Return the cosines of centred class vectors: (..., C, m) → (..., C, C) float64."""
    W = W.double()
    centred = W - W.mean(-2, keepdim=True)
    unit = centred / centred.norm(dim=-1, keepdim=True)
    return unit @ unit.mT


def nearest(gram: Tensor) -> Tensor:
    """Return the class whose vector is nearest to each class's: (..., C, C) → (..., C) int64."""
    own = torch.eye(gram.shape[-1], dtype=torch.bool)
    return gram.masked_fill(own, -torch.inf).argmax(-1)


def similarity(a: Tensor, b: Tensor) -> float:
    """Return the correlation of two Gram matrices over pairs of classes; NaN where one is constant.

    a, b: (C, C).
    """
    above = torch.triu_indices(len(a), len(a), offset=1)
    x, y = (gram[above[0], above[1]].double() for gram in (a, b))
    x, y = x - x.mean(), y - y.mean()
    # What float32 makes of equal cosines is no geometry.
    if min(x.abs().max(), y.abs().max()) < 1e-5:
        return math.nan
    return float((x @ y) / (x.norm() * y.norm()))
