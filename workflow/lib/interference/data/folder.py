"""A folder of pictures: ROOT/train/CLASS/* and ROOT/val/CLASS/* (or test), as pillow reads them."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from interference.data.dataset import Dataset
from interference.data.decode import Place
from interference.data.pictures import Pictures
from interference.store.files import StoreError


def read(dataset: str, root: Path, image_size: int) -> Dataset:
    """List the pictures; they are opened when their pixels are asked for.

    Classes are the folders' names in sorted order, and so are pictures within a class; names that
    start with a dot are skipped. The second part is val, as ImageNet calls it, else test. A
    picture's name is CLASS/FILE. Pictures become RGB, (n, 3, image_size, image_size) uint8.
    Raises StoreError where a folder is missing or empty, where the two parts differ in classes.
    """
    second = "val" if (root / "val").is_dir() else "test"
    for part in ("train", second):
        if not (root / part).is_dir():
            raise StoreError(
                f"image-folder: {root / part} not found; it needs {root}/train/CLASS/* and "
                f"{root}/val/CLASS/* (or test/CLASS/*)"
            )
    train, test = (_entries(root / part, files=False) for part in ("train", second))
    if train != test:
        only = {"train": sorted({*train} - {*test}), second: sorted({*test} - {*train})}
        lists = "; ".join(
            f"only in {part}: {_some(names)}" for part, names in only.items() if names
        )
        raise StoreError(f"image-folder: classes of {root} differ between its parts ({lists})")
    if not train:
        raise StoreError(f"image-folder: {root / 'train'} has no class folders")
    parts = (_part(root / part, train, image_size) for part in ("train", second))
    return Dataset(*parts, train)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more


def _entries(folder: Path, *, files: bool) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(
            entry.name
            for entry in entries
            if not entry.name.startswith(".") and (entry.is_file() if files else entry.is_dir())
        )


def _part(folder: Path, classes: list[str], image_size: int) -> Pictures:
    pictures = [_entries(folder / name, files=True) for name in classes]
    for name, found in zip(classes, pictures, strict=True):
        if not found:
            raise StoreError(f"image-folder: no pictures in {folder / name}")
    starts = np.cumsum([0, *map(len, pictures)])

    def locate(indices: np.ndarray, scratch: Path) -> Iterator[Place]:
        for index in indices:
            label = np.searchsorted(starts, index, side="right") - 1
            file = pictures[label][index - starts[label]]
            path = os.path.join(folder, classes[label], file)
            yield Place(_printable(f"{classes[label]}/{file}"), path)

    labels = np.repeat(np.arange(len(classes), dtype=np.int64), np.diff(starts))
    return Pictures(folder.name, image_size, labels, locate)


def _printable(name: str) -> str:
    """A file's name as a table can hold it: bytes that are no UTF-8 become U+FFFD."""
    return name.encode(errors="surrogateescape").decode(errors="replace")
