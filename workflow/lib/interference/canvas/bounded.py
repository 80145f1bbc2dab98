"""Attacks within a radius: what networks are taught against, and what moves the proxies of the ruler.

Each canvas has one feature under attack, whose logit is pushed to the wrong side by projected
gradient ascent (`attacks.ascent`) within an L2 ball and a mask of cells.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from interference.attacks.ascent import Loss, ascend
from interference.canvas.minimum import masks
from interference.canvas.network import Network

#: Length of a step over the radius and the number of steps: 2.5 in all.
REACH = 2.5
#: Straight-through slope of units that are off: without it a feature whose detectors are all off has
#: no gradient.
SLOPE = 0.3


@dataclass(frozen=True)
class Adversary:
    """epsilon: L2 radius in pixel units, 0 for none. steps: of the ascent. cells: which may change,
    of a feature drawn per canvas: all, own or others."""

    epsilon: float
    steps: int
    cells: str


def drawn(labels: Tensor, generator: torch.Generator) -> Tensor:
    """Draw a feature per canvas, in turn one that is on, where there is one, and one that is off.

    labels: (b, n) bool. Returns (b,) int64.
    """
    turn = (torch.arange(len(labels)) % 2 == 0) & labels.any(1) | labels.all(1)
    return (
        torch.where(turn[:, None], labels, ~labels)
        .float()
        .multinomial(1, generator=generator)[:, 0]
    )


def attacked(
    network: Network, images: Tensor, labels: Tensor, feature: Tensor, adversary: Adversary
) -> Tensor:
    """Return the canvases with the features' logits moved to the wrong side.

    images: (b, n, channels, side, side) in [0, 1]; labels: (b, n) bool; feature: (b,) int64.
    """
    if adversary.epsilon == 0:
        return images
    feature = feature[:, None]
    wrong = 1 - 2 * labels.gather(1, feature).squeeze(1).float()

    def loss(logits: Tensor) -> Tensor:
        return wrong * logits.gather(1, feature).squeeze(1)

    mask = masks(feature[:, 0], labels.shape[1])[adversary.cells]
    if adversary.cells == "own":
        with torch.no_grad():
            rest = (network.contributions(images) * ~mask[..., None]).sum(1)

        def of_cell(x: Tensor) -> Tensor:
            return loss(network.decode(rest + network.contribution(x, feature[:, 0], SLOPE)))

        changed = images.clone()
        changed[mask] = _ascended(of_cell, images[mask], adversary)
        return changed
    mask = mask[:, :, None, None, None]
    return _ascended(
        lambda x: loss(network(torch.where(mask, x, images), SLOPE)), images, adversary
    )


def _ascended(loss: Loss, x: Tensor, adversary: Adversary) -> Tensor:
    return ascend(
        loss,
        x,
        norm="l2",
        epsilon=adversary.epsilon,
        steps=adversary.steps,
        relative_step=REACH / adversary.steps,
        start=None,
        keep_best=False,
    ).images
