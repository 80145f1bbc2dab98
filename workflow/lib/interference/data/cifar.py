"""CIFAR-10 and CIFAR-100 as their authors publish them and torchvision lays them out.

The files are Python 2 pickles of a dict with bytes keys. A pickle can name any function to call,
so these are read by an unpickler that admits the three names a numpy array needs and no other.
"""

import io
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from interference.data.dataset import Arrays, Dataset, part_of
from interference.data.errors import DatasetError

#: What a pickled numpy array names; numpy 2 moved the first.
ADMITTED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
}


@dataclass(frozen=True)
class Layout:
    """Names of the files of a dataset, and the keys of labels and class names in them."""

    folder: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    meta: str
    labels: bytes
    names: bytes


LAYOUTS = {
    "cifar10": Layout(
        "cifar-10-batches-py",
        tuple(f"data_batch_{i}" for i in range(1, 6)),
        ("test_batch",),
        "batches.meta",
        b"labels",
        b"label_names",
    ),
    "cifar100": Layout(
        "cifar-100-python", ("train",), ("test",), "meta", b"fine_labels", b"fine_label_names"
    ),
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ADMITTED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is no part of CIFAR")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def unpickle(path: Path) -> dict:
    """Read the dict in a CIFAR file, without running anything that the file names.

    Raises DatasetError where the file is damaged or holds anything but plain values and arrays.
    """
    try:
        value = _Unpickler(io.BytesIO(path.read_bytes()), encoding="bytes").load()
    except Exception as error:  # a damaged pickle can raise almost anything
        raise DatasetError(f"{path} is not a CIFAR file ({error}); fetch it again") from None
    if not isinstance(value, dict):
        raise DatasetError(f"{path} is not a CIFAR file (it holds no dict); fetch it again")
    return value


def read(dataset: str, root: Path, image_size: int | None) -> Dataset:
    """Read ``dataset`` (cifar10 or cifar100) under ``root``: images (N, 3, 32, 32) uint8.

    image_size: pixels per side to resize to, None to keep 32.
    Raises DatasetError where a file is missing, damaged or not what CIFAR is.
    """
    layout = LAYOUTS[dataset]
    folder = root / layout.folder
    wanted = (*layout.train, *layout.test, layout.meta)
    missing = [name for name in wanted if not (folder / name).is_file()]
    if missing:
        raise DatasetError(
            f"{dataset}: {', '.join(missing)} not found in {folder}; "
            f"torchvision.datasets.{dataset.upper()}({str(root)!r}, download=True) puts them there"
        )
    names = unpickle(folder / layout.meta).get(layout.names)
    if not isinstance(names, list) or not all(isinstance(name, bytes) for name in names):
        raise DatasetError(f"{folder / layout.meta} has no list {layout.names.decode()}")

    def part(files: tuple[str, ...]) -> Arrays:
        batches = [_batch(folder / name, layout.labels) for name in files]
        return part_of(
            np.concatenate([images for images, _ in batches]),
            np.concatenate([labels for _, labels in batches]),
            classes=len(names),
            image_size=image_size,
            where=str(folder),
        )

    return Dataset(part(layout.train), part(layout.test), [name.decode() for name in names])


def _batch(path: Path, key: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Read one file: images (N, 3, 32, 32) uint8 and labels (N,) int64."""
    batch = unpickle(path)
    data, labels = batch.get(b"data"), batch.get(key)
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape[1:] != (3072,):
        raise DatasetError(f"{path} has no uint8 array `data` of 3072 columns")
    if not isinstance(labels, list) or not all(isinstance(label, int) for label in labels):
        raise DatasetError(f"{path} has no list of numbers `{key.decode()}`")
    if len(data) != len(labels):
        raise DatasetError(f"{path}: {len(data)} images but {len(labels)} labels")
    return data.reshape(-1, 3, 32, 32), np.array(labels, dtype=np.int64)
