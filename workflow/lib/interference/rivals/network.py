"""The one network of both rivals, many of them at once.

    h = ReLU(x U + u)      hidden units, H; Bereska et al. count features here
    z = h A                the bottleneck, m dimensions (Stevinson et al.); without it z = h
    logits = z Wᵀ + b      a row of W per class, its class vector

A stack holds S networks of equal H; every array has S in front. Fewer dimensions than the widest of the
stack are columns of A and W that are 0, and stay so, since each has the other as its gradient. Classes
that a network has not have the logit −∞.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

#: Variance that a layer's start hands on: twice where ReLU takes half of it.
GAINS = {"U": 2.0, "A": 1.0, "W": 1.0}


@dataclass(frozen=True)
class Stack:
    """S networks.

    U: (S, pixels, H). u: (S, 1, H). A: (S, H, m), None without a bottleneck. W: (S, C, m or H).
    b: (S, 1, C). classes: (S,) int64, how many classes each has, the first ones.
    """

    U: Tensor
    u: Tensor
    A: Tensor | None
    W: Tensor
    b: Tensor
    classes: Tensor

    def parameters(self) -> dict[str, Tensor]:
        """Return what is learned, or stored, by name."""
        named = {"U": self.U, "u": self.u, "A": self.A, "W": self.W, "b": self.b}
        return {name: value for name, value in named.items() if value is not None}

    def __len__(self) -> int:
        return len(self.U)

    def __getitem__(self, rows: list[int]) -> "Stack":
        """Return some of the networks."""
        chosen = {name: value[rows] for name, value in self.parameters().items()}
        return Stack(A=chosen.pop("A", None), **chosen, classes=self.classes[rows])

    def hidden(self, x: Tensor) -> Tensor:
        """Return h: (S, n, pixels) → (S, n, H) ≥ 0."""
        return torch.baddbmm(self.u, x, self.U).relu()

    def read(self, h: Tensor) -> Tensor:
        """Return the logits of hidden units: (S, n, H) → (S, n, C)."""
        z = h if self.A is None else h @ self.A
        logits = torch.baddbmm(self.b, z, self.W.mT)
        missing = torch.arange(self.W.shape[1]) >= self.classes[:, None, None]
        return logits.masked_fill(missing, -torch.inf)

    def __call__(self, x: Tensor) -> Tensor:
        return self.read(self.hidden(x))

    def alike(self, x: Tensor) -> Tensor:
        """Return the logits of the same images for all networks: (n, pixels) → (S, n, C)."""
        return self(x.expand(len(self), *x.shape))


def joined(stacks: list[Stack]) -> Stack:
    """Return the networks of several stacks of one shape, in order."""
    names = stacks[0].parameters()
    arrays = {name: torch.cat([stack.parameters()[name] for stack in stacks]) for name in names}
    classes = torch.cat([stack.classes for stack in stacks])
    return Stack(A=arrays.pop("A", None), **arrays, classes=classes)


def repeated(start: dict[str, Tensor], classes: Tensor) -> Stack:
    """Return networks without a bottleneck, all of one start. start: of `drawn`; classes: of each, (S,)."""
    arrays = {name: array.repeat(len(classes), 1, 1) for name, array in start.items()}
    return Stack(**arrays, A=None, classes=classes)


def drawn(
    pixels: int, hidden: int, width: int | None, classes: int, generator: torch.Generator
) -> dict[str, Tensor]:
    """Return the start of one network, arrays without S in front, Gaussian of variance gain / inputs.

    width: m, or None without a bottleneck.
    """
    shapes = {"U": (pixels, hidden)} | ({} if width is None else {"A": (hidden, width)})
    arrays = {name: torch.empty(shape) for name, shape in shapes.items()}
    arrays["W"] = torch.empty(classes, hidden if width is None else width)
    for name, array in arrays.items():
        inputs = array.shape[1] if name == "W" else array.shape[0]
        array.normal_(std=(GAINS[name] / inputs) ** 0.5, generator=generator)
    return arrays | {"u": torch.zeros(1, hidden), "b": torch.zeros(1, classes)}
