"""What a dataset is to the rest of the room: two parts, each with labels and pixels on demand.

Pixels are asked for in an order and come block by block, so that a folder of a million pictures
is never held in memory.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from interference.data.errors import DatasetError
from interference.data.listing import Named

#: Images of an array that are taken at once.
BLOCK = 256


@dataclass(frozen=True)
class Block:
    """Some images of a part, in the order in which they were asked for.

    pixels: (n, channels, height, width) uint8. indices: (n,) int64, in the part.
    names: of their files, none where images are no files.
    corrupt: (name, reason) of the pictures among them that cannot be read and are not in ``pixels``.
    """

    pixels: np.ndarray
    indices: np.ndarray
    names: list[str] = field(default_factory=list)
    corrupt: Named = field(default_factory=list)


class Part(Protocol):
    """The training or the test part of a dataset.

    shape: (channels, height, width) of an image. labels: (N,) int64, in [0, classes).
    """

    shape: tuple[int, int, int]
    labels: np.ndarray

    def stream(
        self,
        order: np.ndarray,
        count: int,
        pictures: dict | None,
        scratch: Path,
        workers: int | None = None,
    ) -> Iterator[Block]:
        """The first ``count`` images of an order.

        order: (N,) int64, a permutation of the part. pictures: the config's section of that name,
        None where images are arrays. scratch: a folder where temporary files may lie.
        workers: processes that decode pictures, as `workers.cpus` takes them.
        """


@dataclass(frozen=True)
class Arrays:
    """A part whose images are in memory.

    pixels: indices (n,) → the images there, (n, channels, height, width) uint8.
    """

    shape: tuple[int, int, int]
    labels: np.ndarray
    pixels: Callable[[np.ndarray], np.ndarray]

    def stream(
        self,
        order: np.ndarray,
        count: int,
        pictures: dict | None,
        scratch: Path,
        workers: int | None = None,
    ) -> Iterator[Block]:
        for start in range(0, count, BLOCK):
            indices = order[start : min(start + BLOCK, count)]
            yield Block(self.pixels(indices), indices)


@dataclass(frozen=True)
class Dataset:
    """class_names: one name per class, in the order of the labels.
    untaken: (name, reason) of what lies among the images of a part, train or test, and is not taken.

    Raises DatasetError where the images of the two parts differ in shape.
    """

    train: Part
    test: Part
    class_names: list[str]
    untaken: dict[str, Named] = field(default_factory=lambda: {"train": [], "test": []})

    def __post_init__(self):
        if self.train.shape != self.test.shape:
            raise DatasetError(
                f"training images are {self.train.shape} and test images {self.test.shape}"
            )


def part_of(
    images: np.ndarray, labels: np.ndarray, *, classes: int, image_size: int | None, where: str
) -> Arrays:
    """A part whose images are in memory.

    images: (N, channels, height, width) uint8. labels: (N,) integers.
    image_size: pixels a side that `fit` brings each image to; None leaves them.
    where: what an error names.
    Raises DatasetError where the counts differ, a label is outside [0, classes), or resized images
    would be too large.
    """
    labels = np.asarray(labels, dtype=np.int64)
    if len(images) != len(labels):
        raise DatasetError(f"{where}: {len(images)} images but {len(labels)} labels")
    check_labels(labels, classes, where)

    channels, height, width = images.shape[1:]
    if image_size is None or (height, width) == (image_size, image_size):
        return Arrays((channels, height, width), labels, lambda indices: images[indices])
    if reason := too_large(width, height, image_size):
        raise DatasetError(f"{where}: {reason}; give data.image_size: null")

    def resized(indices: np.ndarray) -> np.ndarray:
        return np.stack([fit(_picture(image), image_size, image_size) for image in images[indices]])

    return Arrays((channels, image_size, image_size), labels, resized)


def check_labels(labels: np.ndarray, classes: int, where: str) -> None:
    """labels: (N,) int64. Raises DatasetError where one is outside [0, classes)."""
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        raise DatasetError(
            f"{where}: labels from {labels.min()} to {labels.max()}, expected 0 to {classes - 1}"
        )


def _picture(image: np.ndarray) -> Image.Image:
    return Image.fromarray(image[0] if len(image) == 1 else image.transpose(1, 2, 0))


def scaled(width: int, height: int, shorter_side: int) -> tuple[int, int]:
    """Width and height after the shorter of them is brought to ``shorter_side`` pixels."""
    shorter = min(width, height)
    if shorter == shorter_side:
        return width, height
    return int(shorter_side * width / shorter), int(shorter_side * height / shorter)


def too_large(width: int, height: int, resize: int) -> str | None:
    """Why an image cannot be brought to ``resize`` pixels in bounded memory; None where it can.

    A long thin one of few pixels becomes one of many. The bound, before and after, is that of
    pillow for a decompression bomb.
    """
    limit = Image.MAX_IMAGE_PIXELS
    if not min(width, height):
        return f"{width} x {height} pixels: a side has none"
    if width * height > limit:
        return f"{width} x {height} pixels, more than {limit:,} in all"
    wide, high = scaled(width, height, resize)
    if wide * high > limit:
        return (
            f"{width} x {height} pixels would be {wide} x {high} after the resize, more than "
            f"{limit:,} in all"
        )
    return None


def fit(picture: Image.Image, resize: int, crop: int) -> np.ndarray:
    """Resize so that the shorter side has ``resize`` pixels, and keep ``crop`` in the centre.

    Bilinear with antialiasing; sides are cut and places rounded as by torchvision's Resize and
    CenterCrop on a picture of pillow, so that the values are theirs bit for bit.
    picture: grey (mode L) or RGB. crop: at most ``resize``.
    Returns (1 or 3, crop, crop) uint8.
    """
    width, height = scaled(*picture.size, resize)
    if (width, height) != picture.size:
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (round((side - crop) / 2) for side in (width, height))
    pixels = np.asarray(picture.crop((left, top, left + crop, top + crop)))
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
