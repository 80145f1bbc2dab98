"""SGD with Nesterov momentum and its one-cycle rate: `torch.optim`'s numbers, not its import.

A `torch.optim` optimiser imports torch's compiler at its first step, 1.4 CPU seconds per job. The
update itself is torch's own function.
"""

import math

import torch
from torch import Tensor
from torch.optim.sgd import sgd

#: Share of the steps over which the rate rises; peak over first rate; first over last rate (Smith &
#: Topin 2018, with torch's defaults).
RISE, PEAK_OVER_FIRST, FIRST_OVER_LAST = 0.3, 25.0, 1e4


def one_cycle(step: int, steps: int, peak: float) -> float:
    """Return the rate at a step of 0 to ``steps`` - 1: a cosine up to the peak, and one down."""
    first = peak / PEAK_OVER_FIRST
    turn, end = RISE * steps - 1, steps - 1
    if step <= turn:
        return _cosine(first, peak, step / turn)
    return _cosine(peak, first / FIRST_OVER_LAST, (step - turn) / (end - turn))


def _cosine(first: float, last: float, share: float) -> float:
    return last + (first - last) / 2 * (math.cos(math.pi * share) + 1)


class SGD:
    """Updates parameters in place from their gradients; the rate is given at each step."""

    def __init__(self, parameters: list[Tensor], *, momentum: float, weight_decay: float):
        self.parameters, self.momentum, self.weight_decay = parameters, momentum, weight_decay
        self._velocity: list[Tensor | None] = [None] * len(parameters)

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Move the parameters by their gradients, which are then forgotten. All must have one."""
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        assert len(gradients) == len(self.parameters)
        sgd(
            self.parameters,
            gradients,
            self._velocity,
            weight_decay=self.weight_decay,
            momentum=self.momentum,
            lr=rate,
            dampening=0,
            nesterov=self.momentum > 0,
            maximize=False,
        )
        for parameter in self.parameters:
            parameter.grad = None
