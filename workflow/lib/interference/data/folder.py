"""A folder of pictures: ROOT/train/CLASS/* and ROOT/test/CLASS/*, in any format pillow reads."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from interference.data.dataset import Dataset, Part, fit
from interference.store.files import StoreError


def read(dataset: str, root: Path, image_size: int) -> Dataset:
    """List the pictures; they are opened when their pixels are asked for.

    Classes are the folders' names in sorted order, and so are pictures within a class; names that
    start with a dot are skipped. Pictures become RGB, (n, 3, image_size, image_size) uint8.
    Raises StoreError where a folder is missing or empty, where the two parts differ in classes,
    and, from ``pixels``, where a picture cannot be read.
    """
    for part in ("train", "test"):
        if not (root / part).is_dir():
            raise StoreError(
                f"image-folder: {root / part} not found; it needs {root}/train/CLASS/* and "
                f"{root}/test/CLASS/* (ImageNet calls the second part val: rename or link it)"
            )
    train, test = (_entries(root / part, files=False) for part in ("train", "test"))
    if train != test:
        only = {"train": sorted({*train} - {*test}), "test": sorted({*test} - {*train})}
        lists = "; ".join(
            f"only in {part}: {_some(names)}" for part, names in only.items() if names
        )
        raise StoreError(f"image-folder: classes of {root} differ between its parts ({lists})")
    if not train:
        raise StoreError(f"image-folder: {root / 'train'} has no class folders")
    return Dataset(
        _part(root / "train", train, image_size), _part(root / "test", train, image_size), train
    )


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


def _part(folder: Path, classes: list[str], image_size: int) -> Part:
    pictures = [_entries(folder / name, files=True) for name in classes]
    for name, found in zip(classes, pictures, strict=True):
        if not found:
            raise StoreError(f"image-folder: no pictures in {folder / name}")
    paths = [
        os.path.join(name, file)
        for name, found in zip(classes, pictures, strict=True)
        for file in found
    ]
    labels = np.repeat(np.arange(len(classes), dtype=np.int64), [len(found) for found in pictures])

    def pixels(indices: np.ndarray) -> np.ndarray:
        with ThreadPoolExecutor() as pool:
            return np.stack(
                list(
                    pool.map(lambda index: read_picture(folder / paths[index], image_size), indices)
                )
            )

    return Part((3, image_size, image_size), labels, pixels)


def read_picture(path: Path, image_size: int) -> np.ndarray:
    """One picture as (3, image_size, image_size) uint8; an alpha channel is dropped.

    Raises StoreError, naming the file, where pillow cannot read it or its values exceed 8 bits.
    """
    try:
        with Image.open(path) as picture:
            mode = picture.mode
            rgb = None if mode.startswith(("I", "F")) else picture.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise StoreError(f"{path} cannot be read as a picture ({error})") from None
    if rgb is None:
        raise StoreError(f"{path} has more than 8 bits a value (mode {mode}); convert it first")
    return fit(rgb, image_size)
