"""PGD (Madry et al. 2018), keeping the best iterate of each image over all restarts."""

from torch import Tensor

from interference.attacks.ascent import Ascent, ascend, better
from interference.attacks.draws import Draws
from interference.attacks.victim import Victim


def perturb(
    victim: Victim,
    x: Tensor,
    *,
    norm: str,
    epsilon: float,
    draws: Draws,
    steps: int,
    relative_step: float,
    random_start: bool,
    restarts: int,
    loss: str,
) -> Ascent:
    """Take ``steps`` steps of ``relative_step`` × epsilon, from ``restarts`` starts one after the other.

    x: (n, ...) in [0, 1].
    random_start: begin at uniform points of the ball; else at x.
    loss: a name of `losses.LOSSES`.
    """

    def once() -> Ascent:
        return ascend(
            victim.loss(loss),
            x,
            norm=norm,
            epsilon=epsilon,
            steps=steps,
            relative_step=relative_step,
            start=draws.in_ball(x.shape[1:], epsilon, norm) if random_start else None,
            keep_best=True,
        )

    found = once()
    for _ in range(restarts - 1):
        found = better(found, once())
    return found
