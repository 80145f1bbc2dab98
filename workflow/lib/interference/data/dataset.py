"""What a dataset is to the rest of the room: two parts, each with labels and pixels on demand.

Pixels are asked for by index, so that a folder of a million pictures is never held in memory.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from interference.store.files import StoreError


@dataclass(frozen=True)
class Part:
    """The training or the test part of a dataset.

    shape: (channels, height, width) of an image.
    labels: (N,) int64, in [0, classes).
    pixels: indices (n,) → the images there, (n, channels, height, width) uint8.
    """

    shape: tuple[int, int, int]
    labels: np.ndarray
    pixels: Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Dataset:
    """class_names: one name a class, in the order of the labels.

    Raises StoreError where the images of the two parts differ in shape.
    """

    train: Part
    test: Part
    class_names: list[str]

    def __post_init__(self):
        if self.train.shape != self.test.shape:
            raise StoreError(
                f"training images are {self.train.shape} and test images {self.test.shape}"
            )


def part_of(
    images: np.ndarray, labels: np.ndarray, *, classes: int, image_size: int | None, where: str
) -> Part:
    """A part whose images are in memory.

    images: (N, channels, height, width) uint8. labels: (N,) integers.
    image_size: pixels a side that `fit` brings each image to; None leaves them.
    where: what an error names.
    Raises StoreError where the counts differ or a label is outside [0, classes).
    """
    labels = np.asarray(labels, dtype=np.int64)
    if len(images) != len(labels):
        raise StoreError(f"{where}: {len(images)} images but {len(labels)} labels")
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        raise StoreError(
            f"{where}: labels from {labels.min()} to {labels.max()}, expected 0 to {classes - 1}"
        )

    channels, height, width = images.shape[1:]
    if image_size is None or (height, width) == (image_size, image_size):
        return Part((channels, height, width), labels, lambda indices: images[indices])

    def resized(indices: np.ndarray) -> np.ndarray:
        return np.stack([fit(_picture(image), image_size) for image in images[indices]])

    return Part((channels, image_size, image_size), labels, resized)


def _picture(image: np.ndarray) -> Image.Image:
    return Image.fromarray(image[0] if len(image) == 1 else image.transpose(1, 2, 0))


def fit(picture: Image.Image, size: int) -> np.ndarray:
    """Resize so that the shorter side has ``size`` pixels, and crop the centre.

    Bilinear with antialiasing. picture: grey (mode L) or RGB.
    Returns (1 or 3, size, size) uint8.
    """
    width, height = picture.size
    shorter = min(width, height)
    if shorter != size:
        width, height = (int(size * side / shorter) for side in (width, height))
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - size) // 2, (height - size) // 2
    pixels = np.asarray(picture.crop((left, top, left + size, top + size)))
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
