"""Pairs of a canvas and a feature, the same for all networks that are compared, and their flips."""

from dataclasses import dataclass

import torch
from torch import Tensor

from interference.canvas.compose import Composer
from interference.canvas.family import Member
from interference.canvas.minimum import Flips, Pairs, flip, masks

#: Pairs that are attacked at once, whatever is asked for: sums in float32 hang on it.
BATCH = 36


@dataclass(frozen=True)
class Chosen:
    """Canvases, and the feature of each that is to flip.

    images: (P, n, channels, side, side) float32 in [0, 1]. feature: (P,) int64. on: (P,) bool.
    """

    images: Tensor
    feature: Tensor
    on: Tensor


def choose(composer: Composer, seed: int, count: int, read: int) -> Chosen:
    """Return the first ``count`` canvases of a seed, with the first ``read`` features in turn.

    A feature is on in one of its canvases and off in the next; all others are as drawn.
    """
    rows = torch.arange(count)
    feature = rows % read
    on = (feature + rows // read) % 2 == 0
    labels = composer.labels(seed, 0, count)
    labels[rows, feature] = on
    return Chosen(composer.given(seed, 0, labels).images, feature, on)


def as_pairs(member: Member, chosen: Chosen, cells: Tensor) -> Pairs:
    """Return what the attack takes. cells: (P, n) bool, those that may change."""
    return Pairs(
        chosen.images,
        torch.arange(len(chosen.feature)),
        chosen.feature,
        member.thresholds[chosen.feature],
        cells,
    )


def right(member: Member, chosen: Chosen, images: Tensor) -> Tensor:
    """Return whether a network reads the feature of each canvas right: (P,) bool.

    images: (P, n, …), the canvases, or what has become of them.
    """
    logits = [
        member.network(part).gather(1, feature[:, None]).squeeze(1)
        for part, feature in zip(images.split(BATCH), chosen.feature.split(BATCH))
    ]
    return (torch.cat(logits) > member.thresholds[chosen.feature]) == chosen.on


def flips(member: Member, chosen: Chosen, region: str, spec: dict, seed: int) -> Flips:
    """Flip every pair by its least change in a region: all, own or others.

    spec: steps and starts of the search. seed: of its random starts.
    """
    cells = masks(chosen.feature, member.network.shape.cells)[region]
    pairs = as_pairs(member, chosen, cells)
    found = [
        flip(
            member.network,
            Pairs(**{name: value[rows] for name, value in vars(pairs).items()}),
            steps=spec["steps"],
            starts=spec["starts"],
            seed=seed,
        )
        for rows in torch.arange(len(chosen.feature)).split(BATCH)
    ]
    return Flips(
        torch.cat([part.images for part in found]), torch.cat([part.radius for part in found])
    )
