"""What attacks raise: one loss per image from logits, in float64.

Each is higher the nearer an image is to being mistaken, and none loses its gradient where a network
is sure. z are the logits, y the true class, π their order, the largest first.
"""

from collections.abc import Callable

import torch
from torch import Tensor

#: (n, classes) float64, (n,) int64 → (n,) float64.
LogitLoss = Callable[[Tensor, Tensor], Tensor]


def _true(logits: Tensor, labels: Tensor) -> Tensor:
    return logits.gather(1, labels[:, None]).squeeze(1)


def _others(logits: Tensor, labels: Tensor) -> Tensor:
    return logits.scatter(1, labels[:, None], -torch.inf)


def log_odds(logits: Tensor, labels: Tensor) -> Tensor:
    """log((1 − p_y) / p_y).

    It orders points as cross-entropy −log p_y does, and its gradient has the same direction, but not
    the factor 1 − p_y, which is zero in floating point where a network is sure: there an attack on
    cross-entropy stands still.
    """
    return _others(logits, labels).logsumexp(1) - _true(logits, labels)


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    """max_{j≠y} z_j − z_y: above zero exactly where the network is mistaken."""
    return _others(logits, labels).amax(1) - _true(logits, labels)


def dlr(logits: Tensor, labels: Tensor) -> Tensor:
    """The margin over z_π1 − z_π3, for three classes or more (Croce & Hein 2020, eq. 6)."""
    top = logits.topk(3, dim=1).values
    return margin(logits, labels) / (top[:, 0] - top[:, 2]).clamp_min(1e-12)


def targeted_dlr(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    """(z_t − z_y) / (z_π1 − (z_π3 + z_π4) / 2), for four classes or more (Croce & Hein 2020, eq. 7).

    targets: (n,) int64, the class t that each image shall be taken for.
    """
    top = logits.topk(4, dim=1).values
    scale = (top[:, 0] - (top[:, 2] + top[:, 3]) / 2).clamp_min(1e-12)
    return (_true(logits, targets) - _true(logits, labels)) / scale


#: By the names that a config has.
LOSSES: dict[str, LogitLoss] = {"log-odds": log_odds, "margin": margin, "dlr": dlr}
