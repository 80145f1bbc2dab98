"""Training of a stack: Adam, at a rate that rises over the first twentieth of the steps and falls by a
cosine; clean, or half on clean images and half on the same images under attack."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from interference.attacks.ascent import ascend
from interference.attacks.losses import log_odds
from interference.kernels.adam import EPS, adam_tensors, corrections
from interference.kernels.rate import rate
from interference.rivals.network import Stack

#: Length of an attack's steps over its radius, all together.
REACH = 2.5


@dataclass(frozen=True)
class Attack:
    """norm: l2 or linf. epsilon: radius in pixel units, 0 for none. steps: along the gradient."""

    norm: str
    epsilon: float
    steps: int


def descend(
    parameters: Iterable[Tensor], loss: Callable[[], Tensor], steps: int, highest: float
) -> None:
    """Lower a loss in place, which is drawn anew for each step. highest: of the rates (`kernels.rate`)."""
    moved = [each.requires_grad_() for each in parameters]
    means, squares = ([torch.zeros_like(each) for each in moved] for _ in range(2))
    for step in range(steps):
        gradients = torch.autograd.grad(loss(), moved)
        first, second = corrections(step + 1)
        size = rate(highest, step, steps)
        with torch.no_grad():
            for arrays in zip(moved, gradients, means, squares):
                adam_tensors(*arrays, size * second / first, EPS * second)
    for each in moved:
        each.requires_grad_(False)


def attacked(
    stack: Stack,
    x: Tensor,
    labels: Tensor,
    attack: Attack,
    *,
    keep_best: bool = False,
    targeted: bool = False,
) -> Tensor:
    """Return the images that each network is attacked with: x (S, n, pixels), labels (S, n).

    keep_best: whether the worst images on the way are returned, not the last. targeted: whether labels are
    classes that images shall be taken for, not those that they are of.
    """
    if attack.epsilon == 0:
        return x
    sign = -1 if targeted else 1

    def loss(flat: Tensor) -> Tensor:
        logits = stack(flat.view_as(x)).flatten(0, 1)
        return sign * log_odds(logits.double(), labels.flatten())

    return ascend(
        loss,
        x.flatten(0, 1),
        norm=attack.norm,
        epsilon=attack.epsilon,
        steps=attack.steps,
        relative_step=REACH / attack.steps,
        start=None,
        keep_best=keep_best,
    ).images.view_as(x)


class Pool:
    """A split's images by class.

    pixels: (N, pixels) float32 in [0, 1], in the order of classes. labels: (N,) int64.
    """

    def __init__(self, images: Tensor, labels: Tensor):
        order = labels.argsort(stable=True)
        self.pixels, self.labels = images.flatten(1)[order], labels[order]

    def first(self, classes: Tensor) -> Tensor:
        """Return how many images the first classes have: (S,) → (S,)."""
        return torch.searchsorted(self.labels, classes)

    def batch(self, classes: Tensor, size: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return images of each network's classes and their labels: (S, size, pixels), (S, size).

        Networks of equally many classes see the same images.
        """
        shares = torch.rand(size, generator=draw, dtype=torch.float64)
        rows = (shares * self.first(classes)[:, None]).long()
        return self.pixels[rows], self.labels[rows]


class Pools:
    """Images of each network's own, with labels of their own.

    pixels: (S, N, pixels) float32 in [0, 1]. labels: (S, N) int64.
    """

    def __init__(self, pixels: Tensor, labels: Tensor):
        self.pixels, self.labels = pixels, labels

    def batch(self, classes: Tensor, size: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return images of each network's and their labels, at the same places for all: as `Pool.batch`."""
        rows = torch.randint(self.labels.shape[1], (size,), generator=draw)
        return self.pixels[:, rows], self.labels[:, rows]


def teach(
    stack: Stack,
    pool: Pool | Pools,
    training: dict,
    attack: Attack,
    draw: torch.Generator,
    learned: Tensor | None = None,
) -> None:
    """Teach a stack in place, by cross-entropy; in half of the loss under attack, if there is one.

    training: steps, batch_size, learning_rate. draw: of the batches. learned: (S,) bool, whether class
    vectors and biases are; None for all.
    """
    kept = None if learned is None else ~learned[:, None, None]

    def frozen(values: Tensor) -> Tensor:
        return values if kept is None else torch.where(kept, values.detach(), values)

    def loss() -> Tensor:
        x, labels = pool.batch(stack.classes, training["batch_size"], draw)
        seen = Stack(stack.U, stack.u, stack.A, frozen(stack.W), frozen(stack.b), stack.classes)
        total = _cross_entropy(seen(x), labels)
        if attack.epsilon == 0:
            return total
        return (total + _cross_entropy(seen(attacked(stack, x, labels, attack)), labels)) / 2

    parameters = stack.parameters().values()
    descend(parameters, loss, training["steps"], training["learning_rate"])


def _cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Summed over networks, a mean over images: each network's gradient is its own."""
    return cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum") / labels.shape[1]
