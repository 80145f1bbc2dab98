"""The least L2 change that is found to flip a prediction, within [0, 1].

DDN, decoupled direction and norm (Rony et al. 2019, algorithm 1): a step along the gradient is put on a
sphere around the image, which shrinks after a point that has flipped and grows after one that has not.
Four things differ. The first radius is the distance at which the loss, were it linear, would be 0, and
steps are in its unit, so that near and far boundaries take as many steps. Growth, once a point has
flipped, falls with the steps as their length does. The first half of the steps raises the log-odds of a
mistake, which is not yet bound to one class, the second the margin, whose gradient is the boundary's
normal. Bisection between image and best point ends it. What is found is an upper bound on the least norm.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from interference.attacks.losses import log_odds, margin
from interference.attacks.norms import norm_of, steepest
from interference.attacks.victim import Victim

#: Growth of the sphere's radius per step, and length of a step over the first radius: first and last.
GROWTH, LENGTH = (0.15, 0.01), (1.0, 0.01)
#: Halvings of the way from the image to the best point.
HALVINGS = 8
#: Keeps a division finite.
TINY = 1e-12


class Flip(NamedTuple):
    """What was found.

    images: (n, ...) float32 in [0, 1], each flipped; the image itself where nothing was found.
    radius: (n,) float32, the L2 norm of the change, else inf; 0 of what is mistaken as it is.
    """

    images: Tensor
    radius: Tensor


def least(victim: Victim, x: Tensor, *, steps: int) -> Flip:
    """Flip every image by the least change that is found, away from the victim's labels.

    x: (n, ...) float32 in [0, 1]. steps: passes forward and back.
    """
    delta, best = torch.zeros_like(x), torch.zeros_like(x)
    radius = torch.full((len(x),), torch.inf, device=x.device)
    sphere = unit = torch.ones_like(radius)
    for step in range(steps):
        delta.requires_grad_(True)
        scores = victim.scores(x + delta)
        raised = log_odds if step < steps / 2 else margin
        losses = raised(scores, victim.labels)
        (gradient,) = torch.autograd.grad(losses.sum(), delta)
        delta, flipped = delta.detach(), margin(scores.detach(), victim.labels) > 0
        best, radius = _shorter(best, radius, delta, flipped)
        if step == 0:
            sphere = unit = _first(losses.detach(), gradient)
        growth, length = (_annealed(ends, step / steps) for ends in (GROWTH, LENGTH))
        delta = delta + _like(length * unit, x) * steepest(gradient, "l2")
        grown = torch.where(
            radius.isfinite(), 1 + growth, 1 + GROWTH[0]
        )  # at full speed till it flips
        sphere = sphere * torch.where(flipped, 1 - growth, grown)
        delta = delta * _like(sphere / norm_of(delta, "l2").clamp(min=TINY), x)
        delta = (x + delta).clamp(0, 1) - x
    best, radius = _shorter(best, radius, delta, victim.margin(x + delta) > 0)
    return _bisected(victim, x, best, radius)


def _first(losses: Tensor, gradient: Tensor) -> Tensor:
    """How far the loss is from 0, to first order: (n,) float32; 1 where it has no slope."""
    distance = losses.abs().float() / norm_of(gradient, "l2")
    return torch.where(distance.isfinite() & (distance > 0), distance, 1.0)


def _annealed(ends: tuple[float, float], done: float) -> float:
    """From the first to the last value along half a cosine. done: share of the steps."""
    first, last = ends
    return last + (first - last) * (1 + math.cos(math.pi * done)) / 2


def _like(values: Tensor, x: Tensor) -> Tensor:
    return values.view(-1, *[1] * (x.dim() - 1))


def _shorter(best: Tensor, radius: Tensor, delta: Tensor, flipped: Tensor) -> tuple[Tensor, Tensor]:
    """Return the shorter of two changes, the second only where it flips."""
    length = norm_of(delta, "l2")
    shorter = flipped & (length < radius)
    return torch.where(_like(shorter, delta), delta, best), torch.where(shorter, length, radius)


def _bisected(victim: Victim, x: Tensor, best: Tensor, radius: Tensor) -> Flip:
    """The least share of each change that flips, by bisection."""
    high = torch.ones_like(radius)
    low = torch.zeros_like(high)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        flips = victim.margin((x + _like(middle, x) * best).clamp(0, 1)) > 0
        low, high = torch.where(flips, low, middle), torch.where(flips, middle, high)
    images = (x + _like(high, x) * best).clamp(0, 1)
    return Flip(images, torch.where(radius.isfinite(), norm_of(images - x, "l2"), radius))
