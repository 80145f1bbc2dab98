"""Canvases: grids of real images in which every feature is known, and has private evidence.

A canvas has n cells, each a real image. Feature j is *on* when cell j shows its own class,
c_j = j mod classes, which it does with probability p, independent of all other cells; else the
cell shows an image of another class, each equally likely.

Features may also be *correlated*, six neighbours at a time (Elhage et al. 2022, "Correlated
features"): such a group is awake with probability 2p, and its features are on with probability ½,
independent, while it is. So each is on with probability p as before, and two of a group have the
correlation p (1 / 2p − 1) / (1 − p), which is 0.44 at p = 0.1.

Canvas i of a seed hangs on the seed and i alone: one PCG64 stream holds three numbers per cell
(label, other class, image), and numpy can go to any place of it. So a canvas is the same whatever
the batch that asks for it.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

#: Numbers per cell of the stream: which label, which other class, which image.
LABEL, CLASS, IMAGE = range(3)
#: Neighbours that are correlated, and how often one is on while its group is awake.
GROUP, AWAKE = 6, 0.5


@dataclass(frozen=True)
class Canvases:
    """A batch of canvases.

    images: (b, n, channels, side, side) float32 in [0, 1].
    labels: (b, n) bool, which features are on.
    """

    images: Tensor
    labels: Tensor


class Composer:
    """Composes canvases of a dataset's images.

    images: (N, channels, side, side) float32 in [0, 1]. labels: (N,) int64 in [0, classes).
    classes: how many of the classes are used, the first ones; at least 2.
    cells: n. density: p in [0, 1]. halved: bring cells to half their side, by means of 2 × 2 pixels.
    correlated: draw labels in groups, see the module; p is at most ½ then.
    Raises ValueError where a class has no image, there are fewer than two classes, or p is above ½
    and features are correlated.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        *,
        classes: int,
        cells: int,
        density: float,
        halved: bool,
        correlated: bool = False,
    ):
        counts = torch.bincount(labels, minlength=classes)[:classes].numpy()
        if classes < 2:
            raise ValueError(f"classes: {classes}; a feature that is off needs another class")
        if not counts.all():
            raise ValueError(
                f"no image of class {counts.argmin()}; give fewer classes than {classes}"
            )
        if correlated and density > AWAKE:
            raise ValueError(f"density: {density}; of correlated features it is at most {AWAKE}")
        self.images = avg_pool2d(images, 2) if halved else images
        #: Images in the order of their classes: those of class c are counts[c] from starts[c] on.
        self.order = labels.argsort(stable=True)
        self.counts, self.starts = counts, np.cumsum(counts) - counts
        self.classes, self.cells, self.density = classes, cells, density
        self.correlated = correlated

    def target(self) -> np.ndarray:
        """Return the class that turns each feature on: (n,) int64."""
        return np.arange(self.cells) % self.classes

    def pool(self) -> tuple[Tensor, Tensor]:
        """Return the images of the classes that are used, by class, and their labels."""
        counts = torch.from_numpy(self.counts)
        used = self.order[: counts.sum()]
        return self.images[used], torch.repeat_interleave(torch.arange(self.classes), counts)

    def labels(self, seed: int, first: int, count: int) -> Tensor:
        """Return the labels of the canvases ``first`` to ``first + count`` of a seed: (count, n)."""
        numbers = self._numbers(seed, first, count)[..., LABEL]
        if not self.correlated:
            return torch.from_numpy(numbers < self.density)
        awake = self._awake(seed, first, count)
        return torch.from_numpy((numbers < AWAKE) & awake)

    def compose(self, seed: int, first: int, count: int) -> Canvases:
        """Return the canvases ``first`` to ``first + count`` of a seed, features on with density p."""
        return self.given(seed, first, self.labels(seed, first, count))

    def given(self, seed: int, first: int, labels: Tensor) -> Canvases:
        """Return canvases ``first`` on of a seed with these labels, (b, n) bool.

        Cells whose label is that of `compose` show the same image.
        """
        numbers = self._numbers(seed, first, len(labels))
        shown = self._classes(numbers[..., CLASS], labels.numpy())
        place = (numbers[..., IMAGE] * self.counts[shown]).astype(np.int64)
        chosen = self.order[torch.from_numpy(self.starts[shown] + place)]
        return Canvases(self.images[chosen], labels)

    def _classes(self, numbers: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Which class each cell shows. numbers: in [0, 1), (b, n); labels: (b, n) bool."""
        target = self.target()
        further = 1 + (numbers * (self.classes - 1)).astype(np.int64)
        return np.where(labels, target, (target + further) % self.classes)

    def _awake(self, seed: int, first: int, count: int) -> np.ndarray:
        """Whether the group of each cell is awake, from a stream of its own: (count, n) bool."""
        groups = -(-self.cells // GROUP)
        stream = np.random.PCG64([seed, 1]).advance(first * groups)
        numbers = np.random.Generator(stream).random((count, groups))
        return (numbers < self.density / AWAKE)[:, np.arange(self.cells) // GROUP]

    def _numbers(self, seed: int, first: int, count: int) -> np.ndarray:
        """The stream's numbers of some canvases: (count, n, 3) float64 in [0, 1)."""
        width = self.cells * 3
        # A float64 takes one number of the stream.
        stream = np.random.PCG64(seed).advance(first * width)
        return np.random.Generator(stream).random((count, self.cells, 3))


def forced(labels: Tensor, feature: int, value: bool) -> Tensor:
    """Return the labels with one feature on, or off, in every canvas: (b, n) bool → (b, n)."""
    labels = labels.clone()
    labels[:, feature] = value
    return labels
