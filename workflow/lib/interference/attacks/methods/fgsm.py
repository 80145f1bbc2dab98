"""FGSM: one full step, no random start (Goodfellow et al. 2015; L2 form as in Foolbox)."""

from torch import Tensor

from interference.attacks.ascent import Ascent, ascend
from interference.attacks.draws import Draws
from interference.attacks.victim import Victim


def perturb(victim: Victim, x: Tensor, *, norm: str, epsilon: float, draws: Draws) -> Ascent:
    """Take one step of length epsilon, which is PGD with one step. x: (n, ...) in [0, 1]."""
    return ascend(
        victim.loss("log-odds"),
        x,
        norm=norm,
        epsilon=epsilon,
        steps=1,
        relative_step=1.0,
        start=None,
        keep_best=False,
    )
