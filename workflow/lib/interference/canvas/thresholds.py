"""Evidence on balanced canvases, each feature's equal-error threshold, and its balanced accuracy.

Every canvas is composed twice, with all features on and with all off. As the bottleneck is a sum
over cells, that gives, at the price of two canvases, each feature's logit with the feature on and
off while all others are as drawn: balanced labels for every feature at once.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from interference.canvas.compose import Composer
from interference.canvas.network import Network

#: Canvases of one pass, whatever is asked for: sums in float32 hang on it.
BATCH = 100


@dataclass(frozen=True)
class Evidence:
    """What the cells of some canvases add to the bottleneck, on and off.

    on, off: (b, n, m) float32, where a cell shows its class, and where it shows another.
    labels: (b, n) bool, which of them the canvas has.
    """

    on: Tensor
    off: Tensor
    labels: Tensor

    def shown(self) -> Tensor:
        """Return the contributions of the cells as the canvases have them: (b, n, m)."""
        return torch.where(self.labels[..., None], self.on, self.off)


@dataclass(frozen=True)
class Balanced:
    """Logits of every feature on balanced canvases. on, off: (b, n) float32."""

    on: Tensor
    off: Tensor


@torch.no_grad()
def evidence(network: Network, composer: Composer, seed: int, count: int) -> Evidence:
    """Return the evidence on the first ``count`` canvases of a seed."""
    on, off, drawn = [], [], []
    for first in range(0, count, BATCH):
        labels = composer.labels(seed, first, min(BATCH, count - first))
        every = torch.ones_like(labels)
        on.append(network.contributions(composer.given(seed, first, every).images))
        off.append(network.contributions(composer.given(seed, first, ~every).images))
        drawn.append(labels)
    return Evidence(torch.cat(on), torch.cat(off), torch.cat(drawn))


@torch.no_grad()
def balanced(network: Network, seen: Evidence) -> Balanced:
    """Return the logit of each feature with it on and off, all others as the canvases have them."""
    shown = seen.shown()
    others = shown.sum(1, keepdim=True) - shown
    on, off = (network.decode(others + own).diagonal(dim1=1, dim2=2) for own in (seen.on, seen.off))
    return Balanced(on, off)


def equal_error(logits: Balanced) -> Tensor:
    """Return each feature's threshold τ, of nearest rates of misses and of false alarms: (n,).

    A feature is taken to be on where its logit is above τ. Of several thresholds the least; τ lies
    halfway between the logits around it, so that it is none of them.
    """
    values = torch.cat([logits.on, logits.off]).sort(0).values.T.contiguous()
    cuts = (values[:, 1:] + values[:, :-1]) / 2
    on, off = (each.sort(0).values.T.contiguous() for each in (logits.on, logits.off))
    misses = torch.searchsorted(on, cuts, right=True) / on.shape[1]
    alarms = 1 - torch.searchsorted(off, cuts, right=True) / off.shape[1]
    best = (misses - alarms).abs().argmin(1, keepdim=True)
    return cuts.gather(1, best).squeeze(1)


def accuracy(logits: Balanced, thresholds: Tensor) -> Tensor:
    """Return each feature's balanced accuracy: the mean of its rights on and off, (n,)."""
    rights = torch.stack([logits.on > thresholds, logits.off <= thresholds])
    return rights.float().mean(1).mean(0)
