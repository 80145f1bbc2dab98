"""Single images to be looked at: read one at a time, so that no byte of them hangs on batches."""

from collections.abc import Iterator

import numpy as np
import torch
from torch.nn.functional import interpolate

from interference.models.feeding import to_network
from interference.models.network import Network
from interference.store.stretch import Stretch

#: Pixels per side at most of an image that is shown.
SIDE = 96


def alone(pixels: Stretch, picked: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the images picked, (1, channels, height, width) each. picked: indices, of any shape."""
    for index in picked.ravel().tolist():
        yield pixels[index : index + 1]


def pictures(pixels: Stretch, picked: np.ndarray) -> np.ndarray:
    """Return images in [0, 1], averaged to at most `SIDE` pixels per side.

    Returns (*picked.shape, channels, height, width) float32.
    """
    channels, *sides = pixels.shape[1:]
    small = [min(SIDE, side) for side in sides]
    images = (to_network(torch.from_numpy(image)) for image in alone(pixels, picked))
    shown = [interpolate(image, small, mode="area").cpu().numpy() for image in images]
    return np.array(shown, np.float32).reshape(*picked.shape, channels, *small)


def predictions(network: Network, pixels: Stretch, picked: np.ndarray) -> np.ndarray:
    """Return the classes that the network sees, int64 of the shape of ``picked``."""
    images = (to_network(torch.from_numpy(image)) for image in alone(pixels, picked))
    return np.array([int(network(x).argmax(1)) for x in images], np.int64).reshape(picked.shape)


def in_bytes(shown: np.ndarray) -> np.ndarray:
    """Return pixels in [0, 1] as uint8, which those that came from there are again."""
    return np.rint(255 * shown).astype(np.uint8)
