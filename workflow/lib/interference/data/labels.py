"""Labels as an experiment takes them, and the checksum that ties them to their images."""

import hashlib

import numpy as np

#: The stream that shuffles labels, beside that of the split.
SHUFFLED = 1
#: Of images that are not taken.
UNTAKEN = -1


def taken(
    labels: np.ndarray, classes: int | None, source: str | None, seed: tuple[int, ...]
) -> np.ndarray:
    """Return the labels that a part's images have in the experiment, UNTAKEN for those of other classes.

    labels: (N,) int64, the dataset's. classes: how many are taken, the first; None for all.
    source: None for the dataset's own; shuffled for these dealt out anew among the images taken, so that
    of each class there are as many.
    Returns (N,) int64; equal seeds give equal labels. Source: Zhang et al. 2017, section 2.1, there drawn
    one by one.
    """
    kept = np.flatnonzero(labels < classes) if classes is not None else np.arange(len(labels))
    given = np.full(len(labels), UNTAKEN)
    given[kept] = labels[kept]
    if source == "shuffled":
        given[kept] = np.random.default_rng((*seed, SHUFFLED)).permutation(labels[kept])
    return given


def labels_sha256(labels: np.ndarray) -> str:
    """Return the SHA-256 of labels (n,) as little-endian 64-bit numbers, hexadecimal."""
    return hashlib.sha256(labels.astype("<i8").tobytes()).hexdigest()
