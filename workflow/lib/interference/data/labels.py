"""The checksum of labels, by which a reader knows that they belong to their images."""

import hashlib

import numpy as np


def labels_sha256(labels: np.ndarray) -> str:
    """Return the SHA-256 of labels (n,) as little-endian 64-bit numbers, hexadecimal."""
    return hashlib.sha256(labels.astype("<i8").tobytes()).hexdigest()
