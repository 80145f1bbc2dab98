"""A dataset: two parts, with labels in memory and pixels on demand.

Pixels are asked for in an order and come in blocks, so that a folder of a million pictures is never
held in memory.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from interference.data.errors import DatasetError
from interference.data.listing import Named

#: Images per block of an array.
BLOCK = 256


@dataclass(frozen=True)
class Block:
    """Some images of a part, in the order in which they were asked for.

    pixels: (n, channels, height, width) uint8. indices: (n,) int64, in the part.
    names: of their files; empty where images are no files.
    corrupt: pictures that were asked for and cannot be read; the other fields are without them.
    """

    pixels: np.ndarray
    indices: np.ndarray
    names: list[str] = field(default_factory=list)
    corrupt: Named = field(default_factory=list)


class Part(Protocol):
    """The training or the test part of a dataset."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return the shape of an image: (channels, height, width)."""

    @property
    def labels(self) -> np.ndarray:
        """Return the labels: (N,) int64, in [0, classes)."""

    def stream(
        self,
        order: np.ndarray,
        count: int,
        pictures: dict | None,
        scratch: Path,
        workers: int | None = None,
    ) -> Iterator[Block]:
        """Yield the first ``count`` images of an order.

        order: (n,) int64, different indices in the part. pictures: the config's section of that name,
        None where images are arrays. scratch: a folder for temporary files.
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
    """Both parts of a dataset.

    class_names: one per class, in the order of the labels.
    untaken: by part, train or test, the entries among its images that are not taken.
    Raises DatasetError where the images of the two parts differ in shape.
    """

    train: Part
    test: Part
    class_names: list[str]
    untaken: dict[str, Named] = field(default_factory=lambda: {"train": [], "test": []})

    def __post_init__(self) -> None:
        if self.train.shape != self.test.shape:
            raise DatasetError(
                f"training images are {self.train.shape} and test images {self.test.shape}"
            )


def part_of(
    images: np.ndarray, labels: np.ndarray, *, classes: int, image_size: int | None, where: str
) -> Arrays:
    """Return a part whose images are in memory.

    images: (N, channels, height, width) uint8. labels: (N,) integers.
    image_size: pixels per side that `resized_crop` brings images to; None leaves them.
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
        pictures = map(_picture, images[indices])
        return np.stack([resized_crop(picture, image_size, image_size) for picture in pictures])

    return Arrays((channels, image_size, image_size), labels, resized)


def check_labels(labels: np.ndarray, classes: int, where: str) -> None:
    """Raise DatasetError where one of the labels, (N,) int64, is outside [0, classes)."""
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        raise DatasetError(
            f"{where}: labels from {labels.min()} to {labels.max()}, expected 0 to {classes - 1}"
        )


def _picture(image: np.ndarray) -> Image.Image:
    return Image.fromarray(image[0] if len(image) == 1 else image.transpose(1, 2, 0))


def scaled(width: int, height: int, shorter_side: int) -> tuple[int, int]:
    """Return width and height after the shorter of them is brought to ``shorter_side`` pixels."""
    shorter = min(width, height)
    if shorter == shorter_side:
        return width, height
    return int(shorter_side * width / shorter), int(shorter_side * height / shorter)


def too_large(width: int, height: int, resize: int) -> str | None:
    """Return why an image's shorter side cannot be brought to ``resize`` pixels; None where it can.

    The bound is pillow's for a decompression bomb, before and after the resize: a long thin image
    of few pixels may come to have many.
    """
    limit = Image.MAX_IMAGE_PIXELS
    assert limit is not None
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


def resized_crop(picture: Image.Image, resize: int, crop: int) -> np.ndarray:
    """Resize so that the shorter side has ``resize`` pixels, and keep ``crop`` in the centre.

    Bilinear with antialiasing; sides and offsets are rounded as by torchvision's Resize and
    CenterCrop on a pillow image, so that the values are theirs bit for bit.
    picture: grey (mode L) or RGB. crop: at most ``resize``.
    Returns (1 or 3, crop, crop) uint8.
    """
    width, height = scaled(*picture.size, resize)
    if (width, height) != picture.size:
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (round((side - crop) / 2) for side in (width, height))
    pixels = np.asarray(picture.crop((left, top, left + crop, top + crop)))
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
