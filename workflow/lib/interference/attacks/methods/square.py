"""Square (Andriushchenko et al. 2020): random search by square patches, without a gradient.

It needs no more of a network than its margins, so that it finds what a masked gradient hides. A query
changes a square of each image, and stays where the margin rises; the squares' share of the image's area
falls with the queries. As in AutoAttack the share begins at 0.8, which the paper leaves open.
"""

import math

import torch
from torch import Tensor

from interference.attacks.ascent import Ascent, keep, unguided
from interference.attacks.draws import Draws
from interference.attacks.norms import TINY, norm_of, steepest
from interference.attacks.victim import Victim

FIRST_SHARE = 0.8
#: Queries, of 10,000, after which the share is halved (paper, §4.1).
HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
#: Uniform numbers per query, beside one per channel: the places of two squares, and a turn.
PLACES = 5


def share(query: int, queries: int) -> float:
    """Return the share of an image's area that a query changes, by the paper's schedule."""
    scaled = query / queries * 10_000
    return FIRST_SHARE / 2 ** sum(scaled > halving for halving in HALVINGS)


def perturb(
    victim: Victim, x: Tensor, *, norm: str, epsilon: float, draws: Draws, queries: int
) -> Ascent:
    """Ask for ``queries`` margins of each image. x: (n, channels, height, width) in [0, 1]."""
    channels, height, width = x.shape[1:]
    begin, change = {"l2": (_tiles, _move_mass), "linf": (_stripes, _paint)}[norm]
    best = begin(x, epsilon, draws)
    margins = victim.margin(best)
    numbers = draws.uniform(queries, PLACES + channels)
    for query in range(1, queries):
        side = round(math.sqrt(share(query - 1, queries) * height * width))
        ahead = change(x, best, epsilon, min(max(side, 1), height, width), numbers[:, query])
        best, margins = keep(best, margins, ahead, victim.margin(ahead))
    return unguided(best)._replace(losses=margins)


def _signs(numbers: Tensor) -> Tensor:
    return torch.where(numbers < 0.5, -1.0, 1.0)


def _window(numbers: Tensor, side: int, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Index one square per image: numbers (n, 2) in [0, 1) → indices of (n, side, side)."""
    edge = torch.arange(side, device=numbers.device)
    top, left = (
        (numbers[:, i] * (length - side + 1)).long().clamp_max(length - side)[:, None] + edge
        for i, length in enumerate((height, width))
    )
    image = torch.arange(len(numbers), device=numbers.device)
    return image[:, None, None], top[:, :, None], left[:, None, :]


# Linf: every pixel is ε away, as stripes at first; a query paints a square of one sign per channel.


def _stripes(x: Tensor, epsilon: float, draws: Draws) -> Tensor:
    channels, _, width = x.shape[1:]
    return (x + epsilon * _signs(draws.uniform(channels, 1, width))).clamp(0, 1)


def _paint(x: Tensor, best: Tensor, epsilon: float, side: int, numbers: Tensor) -> Tensor:
    window = _window(numbers[:, :2], side, *x.shape[2:])
    ahead, signs = best.permute(0, 2, 3, 1).clone(), _signs(numbers[:, PLACES:])
    clean = x.permute(0, 2, 3, 1)[window]
    ahead[window] = (clean + epsilon * signs[:, None, None, :]).clamp(0, 1)
    return ahead.permute(0, 3, 1, 2).contiguous()


# L2: a query takes the mass of one square and adds it to another, which gets two bumps of opposite sign.


def _bumps(side: int, device: torch.device) -> Tensor:
    """Return the paper's η of unit norm (§5): (side, side)."""
    halves = [_bump(side // 2, side), -_bump(side - side // 2, side)]
    return steepest(torch.cat(halves)[None], "l2")[0].to(device)


def _bump(height: int, width: int) -> Tensor:
    """Nested rectangles around the centre, the k-th of weight 1/k²: (height, width), of unit norm."""
    bump = torch.zeros(height, width)
    top, left = height // 2, width // 2
    for k in range(max(height, width) // 2 + 1):
        rows = slice(max(top - k, 0), min(top + k + 1, height))
        columns = slice(max(left - k, 0), min(left + k + 1, width))
        bump[rows, columns] += 1 / (k + 1) ** 2
    return bump / bump.norm().clamp_min(TINY)


def _of_norm(delta: Tensor, x: Tensor, epsilon: float) -> Tensor:
    return (x + epsilon * steepest(delta, "l2")).clamp(0, 1)


def _tiles(x: Tensor, epsilon: float, draws: Draws) -> Tensor:
    channels, height, width = x.shape[1:]
    side = max(height // 5, 1)
    rows, columns = height // side, max(width // side, 1)
    signs = _signs(draws.uniform(channels, rows, columns))
    delta = torch.zeros_like(x)
    tiles = torch.kron(signs, _bumps(side, x.device)[None, None])[..., :height, :width]
    delta[..., : tiles.shape[2], : tiles.shape[3]] = tiles
    return _of_norm(delta, x, epsilon)


def _move_mass(x: Tensor, best: Tensor, epsilon: float, side: int, numbers: Tensor) -> Tensor:
    channels, height, width = x.shape[1:]
    side = min(max(side, 3) | 1, height, width)
    to, source = (_window(numbers[:, i : i + 2], side, height, width) for i in (0, 2))
    delta = (best - x).permute(0, 2, 3, 1).clone()
    unused = (epsilon**2 - norm_of(delta, "l2") ** 2).clamp_min(0)[:, None] / channels
    touched = torch.zeros_like(delta[..., :1])
    touched[to] = touched[source] = 1
    mass = (unused + ((delta * touched) ** 2).sum((1, 2))).sqrt()  # per channel
    bumps = _bumps(side, x.device)
    turned = torch.where(numbers[:, 4, None, None] < 0.5, bumps.T, bumps)
    old = delta[to]
    old = old / old.flatten(1, 2).norm(dim=1).clamp_min(TINY)[:, None, None, :]
    new = turned[..., None] * _signs(numbers[:, PLACES:])[:, None, None, :] + old
    new = new / new.flatten(1, 2).norm(dim=1).clamp_min(TINY)[:, None, None, :]
    delta[source] = 0
    delta[to] = new * mass[:, None, None, :]
    return _of_norm(delta.permute(0, 3, 1, 2), x, epsilon)
