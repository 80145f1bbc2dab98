"""The control: random noise with the same norm as an attack, matched after the clamp to [0, 1].

Attacks have at most that norm, which makes the control conservative.
"""

from torch import Tensor

from interference.attacks.ascent import Ascent, unguided
from interference.attacks.draws import Draws
from interference.attacks.matching import along
from interference.attacks.victim import Victim


def perturb(victim: Victim, x: Tensor, *, norm: str, epsilon: float, draws: Draws) -> Ascent:
    """Add noise of norm epsilon: Gaussian for L2, random signs for Linf. x: (n, ...) in [0, 1]."""
    direction = draws.normal(*x.shape[1:])
    if norm == "linf":
        direction = direction.sign()
    return unguided(along(x, direction, epsilon, norm))
