"""What an attack sees of a network: its logits, and the true classes of a batch."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from interference.attacks.ascent import Loss
from interference.attacks.losses import LOSSES, margin


@dataclass(frozen=True)
class Victim:
    """A classifier and the labels of the images that it is attacked on.

    logits: (n, ...) float32 images → (n, classes).
    labels: (n,) int64.
    """

    logits: Callable[[Tensor], Tensor]
    labels: Tensor

    def scores(self, x: Tensor) -> Tensor:
        """Return the logits in float64: (n, ...) → (n, classes)."""
        return self.logits(x).double()

    def loss(self, name: str) -> Loss:
        """Return a loss of `losses.LOSSES` as a function of the images. Raises KeyError."""
        of_logits = LOSSES[name]
        return lambda x: of_logits(self.scores(x), self.labels)

    def margin(self, x: Tensor) -> Tensor:
        """Return the margins, without a gradient, above zero where an image is mistaken: (n,)."""
        with torch.no_grad():
            return margin(self.scores(x), self.labels)

    def select(self, rows: Tensor) -> "Victim":
        """Return what an attack on some of the images sees. rows: (m,) int64."""
        return Victim(self.logits, self.labels[rows])
