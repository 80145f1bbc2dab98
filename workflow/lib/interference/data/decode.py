"""Read and decode pictures: what a worker process does, and all that it loads.

A worker gets the places of some pictures, reads them and returns pixels.
"""

import io
import os
import threading
import warnings
from multiprocessing import parent_process
from typing import NamedTuple

import numpy as np
from PIL import AvifImagePlugin, Image, UnidentifiedImageError

from interference.data.dataset import resized_crop, too_large
from interference.data.errors import DatasetError

# pillow's only decoder with threads of its own: it would take every CPU of the machine.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1

#: Bytes of an encoded picture at most: more than any within pillow's bound on pixels needs.
MOST_BYTES = 2**29


class Place(NamedTuple):
    """Where an encoded picture lies: ``length`` bytes of a file from ``offset`` on.

    name: what the dataset calls it. length: -1 reads to the file's end.
    """

    name: str
    path: str
    offset: int = 0
    length: int = -1


class Decoded(NamedTuple):
    """Some pictures, decoded.

    pixels: (n, 3, size, size) uint8, of those that are sound. reasons: one per picture, None
    where it is sound. bytes_read: of the encoded pictures.
    """

    pixels: np.ndarray
    reasons: list[str | None]
    bytes_read: int


class CorruptPicture(Exception):
    """The bytes are no picture, not a whole one, or one that 8-bit RGB cannot hold."""


def decode_all(places: list[Place], resize: int, size: int) -> Decoded:
    """Read and decode pictures in order. resize, size: pixels, as `decode` takes them.

    Raises DatasetError where a file cannot be read, or no memory is left for a picture.
    """
    squares: list[np.ndarray] = []
    reasons: list[str | None] = []
    bytes_read = 0
    for place in places:
        try:
            encoded = read(place)
            bytes_read += len(encoded)
            squares.append(decode(encoded, resize, size))
            reasons.append(None)
        except CorruptPicture as corrupt:
            reasons.append(str(corrupt))
        except MemoryError:  # of this machine, not of the picture: it is not skipped
            raise DatasetError(
                f"{place.name} ({place.path}): no memory is left to decode it; give the job more "
                "memory or fewer CPUs and run snakemake again, or take the picture away"
            ) from None
    pixels = np.stack(squares) if squares else np.empty((0, 3, size, size), np.uint8)
    return Decoded(pixels, reasons, bytes_read)


def read(place: Place) -> bytes:
    """Read an encoded picture.

    Raises CorruptPicture where there is no permission or it is too large, and DatasetError where
    reading fails: a failing disk must not pass for a bad picture.
    """
    try:
        with open(place.path, "rb") as file:
            length = place.length if place.length >= 0 else os.fstat(file.fileno()).st_size
            if length > MOST_BYTES:
                raise CorruptPicture(f"{length:,} bytes, more than {MOST_BYTES:,}")
            file.seek(place.offset)
            return file.read(place.length)
    except PermissionError:
        raise CorruptPicture("no permission to read it") from None
    except OSError as error:
        raise DatasetError(
            f"{place.path} was there and cannot be read ({error}); see to the disk, and run "
            "snakemake again"
        ) from None


def decode(encoded: bytes, resize: int, size: int) -> np.ndarray:
    """Decode a picture as RGB, resized and cropped by `resized_crop`: (3, size, size) uint8.

    As in torchvision's ImageFolder, an orientation in the EXIF data is ignored, an alpha channel
    is dropped, and grey, palette and CMYK become RGB as pillow converts them.
    Raises CorruptPicture with the reason: no bytes, no picture, cut short, damaged, more than
    8 bits per value, or too large by `too_large`, which the header tells before memory is taken.
    Raises MemoryError.
    """
    if not encoded:
        raise CorruptPicture("no bytes")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd EXIF data and palettes; torchvision takes them
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(encoded)) as picture:
                if picture.mode.startswith(("I", "F")):
                    raise CorruptPicture(f"more than 8 bits a value (mode {picture.mode})")
                _check_size(picture, resize)
                picture.load()
                _check_size(picture, resize)  # what was decoded may not be what the header says
                return resized_crop(picture.convert("RGB"), resize, size)
    except (CorruptPicture, MemoryError):
        raise
    except UnidentifiedImageError:  # its message holds an address in memory
        raise CorruptPicture("not a picture in a format that pillow reads") from None
    except Exception as error:  # a damaged picture can raise almost anything
        if "out of memory" in str(error):  # as a decoder of pillow's says it
            raise MemoryError from None
        raise CorruptPicture(f"{type(error).__name__}: {error}") from None


def _check_size(picture: Image.Image, resize: int) -> None:
    if reason := too_large(*picture.size, resize):
        raise CorruptPicture(reason)


def end_with_parent() -> None:
    """End this worker when its parent is killed: it would wait for work for ever."""
    parent = parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
