"""SGD with Nesterov momentum and its one-cycle rate: `torch.optim`'s numbers, not its import.

A `torch.optim` optimiser imports torch's compiler at its first step, 1.4 CPU seconds a job. The
update itself is torch's own function.
"""

import math

import torch
from torch import Tensor
from torch.optim.sgd import sgd

#: The rate rises over this share of the steps, from its peak over the second number, and ends at
#: where it began over the third (Smith & Topin 2018, with torch's defaults).
RISE, PEAK_OVER_FIRST, FIRST_OVER_LAST = 0.3, 25.0, 1e4


def one_cycle(step: int, steps: int, peak: float) -> float:
    """The rate at a step of 0 to ``steps`` - 1: a cosine up to the peak, and one down."""
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
        """Move, and forget the gradients."""
        sgd(
            self.parameters,
            [parameter.grad for parameter in self.parameters],
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
