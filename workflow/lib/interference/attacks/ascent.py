"""The one loop behind every gradient attack: start → gradient → step → project → clip.

An attack maximises a loss over a ball around each image, inside [0, 1]. The loop knows nothing of the
network: the loss is any function from images to one number per image, so that adversarial training
can use the same code before there is a trained model.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from interference.attacks.norms import norm_of, project, steepest

#: (n, ...) float32 in [0, 1] → (n,), one loss per image: a mean would underflow in low precision.
Loss = Callable[[Tensor], Tensor]


class Ascent(NamedTuple):
    """Result of an attack.

    images: (n, ...) float32 in [0, 1].
    zero_gradients: (n,) int64, the steps at which an image's gradient was exactly zero.
    losses: (n,) float64, what the best of several points was kept by, at these; −inf where nothing
        was compared.
    """

    images: Tensor
    zero_gradients: Tensor
    losses: Tensor


def unguided(images: Tensor) -> Ascent:
    """Return the result of a method that takes no gradient. images: (n, ...)."""
    none = torch.zeros(len(images), dtype=torch.int64, device=images.device)
    return Ascent(images, none, torch.full_like(none, -torch.inf, dtype=torch.float64))


def better(a: Ascent, b: Ascent) -> Ascent:
    """Return the result of the higher loss per image, the first where they are equal."""
    images, losses = keep(a.images, a.losses, b.images, b.losses)
    return Ascent(images, a.zero_gradients + b.zero_gradients, losses)


def keep(best: Tensor, best_loss: Tensor, x: Tensor, losses: Tensor) -> tuple[Tensor, Tensor]:
    """Return the images of the higher loss, and their losses: (n, ...), (n,) float64."""
    losses = losses.double()
    higher = losses > best_loss
    return (
        torch.where(higher.view(-1, *[1] * (x.dim() - 1)), x, best),
        torch.where(higher, losses, best_loss),
    )


def ascend(
    loss: Loss,
    x: Tensor,
    *,
    norm: str,
    epsilon: float,
    steps: int,
    relative_step: float,
    start: Tensor | None,
    keep_best: bool,
) -> Ascent:
    """Raise ``loss`` within ‖x' − x‖ ≤ epsilon and 0 ≤ x' ≤ 1 (Madry et al. 2018).

    x: (n, ...) float32 in [0, 1].
    norm: l2 or linf. epsilon: radius in pixel units; a step is ``relative_step`` × epsilon long.
    start: begin at x + start, a point of the ball, (n, ...); None begins at x.
    keep_best: return the iterate of the highest loss per image, the last iterate included (one
        more forward pass); else the last iterate.
    """
    current = x
    if start is not None:
        current = (x + start).clamp(0, 1)
    best, best_loss = current, torch.full((len(x),), -torch.inf, device=x.device).double()
    zero_gradients = torch.zeros(len(x), dtype=torch.int64, device=x.device)
    for _ in range(steps):
        current = current.detach().requires_grad_(True)
        losses = loss(current)
        (gradient,) = torch.autograd.grad(losses.sum(), current)
        current = current.detach()
        if keep_best:
            best, best_loss = keep(best, best_loss, current, losses.detach())
        zero_gradients += norm_of(gradient, "linf") == 0
        moved = current + relative_step * epsilon * steepest(gradient, norm)
        current = (x + project(moved - x, epsilon, norm)).clamp(0, 1)
    if keep_best:
        with torch.no_grad():
            current, best_loss = keep(best, best_loss, current, loss(current))
    return Ascent(current, zero_gradients, best_loss)
