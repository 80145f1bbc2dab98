"""The worst of an ensemble: Auto-PGD on log-odds, then on the targeted DLR, then Square.

As AutoAttack (Croce & Hein 2020), with log-odds for cross-entropy and without FAB. An image that one
attack fools leaves the batch, so that the next sees only what is left; an image that none fools keeps
the point of the highest margin. Images that are mistaken without any attack are attacked by the first,
like all others.
"""

from functools import partial
from typing import Any

from torch import Tensor

from interference.attacks.ascent import Ascent, better
from interference.attacks.draws import Draws
from interference.attacks.methods import apgd, apgd_targeted, square
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
    queries: int,
) -> Ascent:
    """Attack the images with each attack in turn, while they are not mistaken. x: (n, ...) in [0, 1].

    steps, restarts: of each Auto-PGD; targets: of the targeted one; queries: of Square.
    """
    ball: dict[str, Any] = {"norm": norm, "epsilon": epsilon}
    ascent: dict[str, Any] = {"steps": steps, "restarts": restarts}
    members = (
        partial(apgd_targeted.perturb, **ball, **ascent, targets=targets),
        partial(square.perturb, **ball, queries=queries),
    )
    found = apgd.perturb(victim, x, **ball, draws=draws, **ascent, loss="log-odds")
    for perturb_left in members:
        left = (found.losses <= 0).nonzero().squeeze(1)
        if not len(left):
            break
        more = perturb_left(victim.select(left), x[left], draws=draws.select(left))
        best = better(Ascent(*(values[left] for values in found)), more)
        found = Ascent(*(a.index_copy(0, left, b) for a, b in zip(found, best, strict=True)))
    return found
