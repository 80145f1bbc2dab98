"""The one loop behind every gradient attack: start → gradient → step → project → clip.

An attack maximises a loss over a ball around each image, inside [0, 1]. It knows nothing of the
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
    """

    images: Tensor
    zero_gradients: Tensor


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
            best, best_loss = _better(best, best_loss, current, losses.detach())
        zero_gradients += norm_of(gradient, "linf") == 0
        moved = current + relative_step * epsilon * steepest(gradient, norm)
        current = (x + project(moved - x, epsilon, norm)).clamp(0, 1)
    if keep_best:
        with torch.no_grad():
            current, _ = _better(best, best_loss, current, loss(current))
    return Ascent(current, zero_gradients)


def _better(best: Tensor, best_loss: Tensor, x: Tensor, losses: Tensor) -> tuple[Tensor, Tensor]:
    losses = losses.double()
    better = losses > best_loss
    return (
        torch.where(better.view(-1, *[1] * (x.dim() - 1)), x, best),
        torch.where(better, losses, best_loss),
    )
