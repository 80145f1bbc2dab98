"""The control: random noise with the same norm as an attack, matched after the clamp to [0, 1].

Clamping shortens a perturbation, so noise that is scaled before it comes out weaker than the
attack it is compared with. Here bisection finds, per image, the length along a random direction
for which ‖clamp(x + t·u) − x‖ = epsilon. Attacks have at most that norm, which makes the
control conservative.
"""

import torch
from torch import Tensor

from interference.attacks.ascent import Ascent, Loss
from interference.attacks.norms import norm_of

#: Halvings of the bracket: float32 has no more to give.
HALVINGS = 40


def perturb(
    loss: Loss,
    x: Tensor,
    *,
    norm: str,
    epsilon: float,
    generator: torch.Generator,
) -> Ascent:
    """Add noise of norm epsilon: Gaussian for L2, random signs for Linf. x: (n, ...) in [0, 1].

    The loss is not used. An image on which no multiple of its direction reaches the norm (nearly
    all pixels already at the bound that they are pushed to) gets the largest norm that one does.
    """
    direction = torch.randn(x.shape, generator=generator).to(x.device)
    if norm == "linf":
        direction = direction.sign()

    def moved(length: Tensor) -> Tensor:
        return (x + length.view(-1, *[1] * (x.dim() - 1)) * direction).clamp(0, 1)

    # At `high` every pixel that can move is at its bound, for directions of 1e-3 and more.
    low = torch.zeros(len(x), device=x.device)
    high = torch.full_like(low, 1e3)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        inside = norm_of(moved(middle) - x, norm) <= epsilon
        low, high = torch.where(inside, middle, low), torch.where(inside, high, middle)
    return Ascent(moved(low), torch.zeros(len(x), dtype=torch.int64, device=x.device))
