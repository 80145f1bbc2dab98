"""Auto-PGD (Croce & Hein 2020, Algorithm 1): ascent with momentum that chooses its own steps.

A step begins at 2 ε and is halved, image by image, at checkpoints where the loss rose in too few
steps since the last one, or where neither its step nor its best loss have changed since; then the
ascent goes on from the best point so far. Beyond the paper, what is returned is the point of the highest
margin of all that were seen, which is what counts, whatever loss the ascent followed. A gradient of zero
counts only of an image that is not mistaken yet: DLR is flat where the true class is third.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from interference.attacks.ascent import Ascent, keep
from interference.attacks.losses import margin
from interference.attacks.norms import norm_of, project, steepest
from interference.attacks.victim import Victim

#: The first step over ε, the share of a step that is new, and of steps that must raise the loss.
FIRST_STEP, NEW, RISING = 2.0, 0.75, 0.75


def checkpoints(steps: int) -> list[int]:
    """Return the steps after which Auto-PGD may halve its step, ascending (§3.2: ⌈p_j N⌉)."""
    shares = [0.0, 0.22]
    while shares[-1] < 1:
        shares.append(shares[-1] + max(shares[-1] - shares[-2] - 0.03, 0.06))
    return sorted({math.ceil(share * steps - 1e-9) for share in shares[1:] if share <= 1})


def auto_ascend(
    victim: Victim,
    loss: Callable[[Tensor], Tensor],
    x: Tensor,
    *,
    norm: str,
    epsilon: float,
    steps: int,
    start: Tensor,
) -> Ascent:
    """Raise ``loss`` within ‖x' − x‖ ≤ epsilon and 0 ≤ x' ≤ 1; return the points of highest margin.

    loss: logits (n, classes) float64 → (n,).
    x: (n, ...) float32 in [0, 1]. norm: l2 or linf. epsilon: radius in pixel units.
    start: begin at x + start, a point of the ball, (n, ...).
    """

    def inside(point: Tensor) -> Tensor:
        return (x + project(point - x, epsilon, norm)).clamp(0, 1)

    def each(values: Tensor) -> Tensor:
        return values.view(-1, *[1] * (x.dim() - 1))

    def look(point: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Losses, their gradient and margins."""
        point = point.detach().requires_grad_(True)
        scores = victim.scores(point)
        losses = loss(scores)
        (gradient,) = torch.autograd.grad(losses.sum(), point)
        margins = margin(scores.detach(), victim.labels)
        zero_gradients.add_((norm_of(gradient, "linf") == 0) & (margins <= 0))
        return losses.detach(), gradient, margins

    zero_gradients = torch.zeros(len(x), dtype=torch.int64, device=x.device)
    point = previous = (x + start).clamp(0, 1)
    losses, gradient, margins = look(point)
    top, top_losses, top_gradient = point, losses, gradient
    found, found_margins = point, margins
    step = torch.full_like(losses, FIRST_STEP * epsilon).to(x.dtype)
    rises, halved = torch.zeros_like(zero_gradients), torch.zeros_like(losses, dtype=torch.bool)
    checked, losses_checked, checks = 0, losses, checkpoints(steps)
    for number in range(1, steps + 1):
        ahead = inside(point + each(step) * steepest(gradient, norm))
        if number > 1:
            ahead = inside(point + NEW * (ahead - point) + (1 - NEW) * (point - previous))
        previous, point = point, ahead
        if number == steps:
            found, found_margins = keep(found, found_margins, point, victim.margin(point))
            break
        before = losses
        losses, gradient, margins = look(point)
        found, found_margins = keep(found, found_margins, point, margins)
        higher = losses > top_losses
        top = torch.where(each(higher), point, top)
        top_gradient = torch.where(each(higher), gradient, top_gradient)
        top_losses = torch.where(higher, losses, top_losses)
        rises += losses > before
        if number in checks:
            slow = rises < RISING * (number - checked)
            halved = slow | (~halved & (top_losses == losses_checked))
            step = torch.where(halved, step / 2, step)
            point = torch.where(each(halved), top, point)
            gradient = torch.where(each(halved), top_gradient, gradient)
            losses = torch.where(halved, top_losses, losses)
            checked, losses_checked, rises = number, top_losses, torch.zeros_like(rises)
    return Ascent(found, zero_gradients, found_margins)
