"""Auto-PGD (Croce & Hein 2020) on one loss; of all restarts the point of the highest margin stays."""

from torch import Tensor

from interference.attacks.ascent import Ascent, better
from interference.attacks.auto import auto_ascend
from interference.attacks.draws import Draws
from interference.attacks.losses import LOSSES
from interference.attacks.victim import Victim


def perturb(
    victim: Victim,
    x: Tensor,
    *,
    norm: str,
    epsilon: float,
    draws: Draws,
    steps: int,
    restarts: int,
    loss: str,
) -> Ascent:
    """Take ``steps`` steps from each of ``restarts`` uniform points of the ball. x: (n, ...) in [0, 1].

    loss: a name of `losses.LOSSES`.
    """

    def once() -> Ascent:
        return auto_ascend(
            victim,
            lambda logits: LOSSES[loss](logits, victim.labels),
            x,
            norm=norm,
            epsilon=epsilon,
            steps=steps,
            start=draws.in_ball(x.shape[1:], epsilon, norm),
        )

    found = once()
    for _ in range(restarts - 1):
        found = better(found, once())
    return found
