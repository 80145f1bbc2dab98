"""Auto-PGD towards the most likely wrong classes, one after the other (Croce & Hein 2020, §4).

Its loss is the targeted DLR; of all targets and restarts the point of the highest margin stays.
"""

import torch
from torch import Tensor

from interference.attacks.ascent import Ascent, better
from interference.attacks.auto import auto_ascend
from interference.attacks.draws import Draws
from interference.attacks.losses import targeted_dlr
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
    targets: int,
) -> Ascent:
    """Take ``steps`` steps per target and restart, each from a uniform point of the ball.

    x: (n, ...) in [0, 1].
    targets: how many wrong classes, by the logits at x, the most likely first; fewer than classes.
    """
    with torch.no_grad():
        wrong = victim.scores(x).scatter(1, victim.labels[:, None], -torch.inf)

    def towards(target: Tensor) -> Ascent:
        return auto_ascend(
            victim,
            lambda logits: targeted_dlr(logits, victim.labels, target),
            x,
            norm=norm,
            epsilon=epsilon,
            steps=steps,
            start=draws.in_ball(x.shape[1:], epsilon, norm),
        )

    classes = wrong.topk(targets, dim=1).indices.T
    found, *others = (towards(target) for target in classes for _ in range(restarts))
    for other in others:
        found = better(found, other)
    return found
