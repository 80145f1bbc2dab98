"""Fashion-MNIST (Xiao et al. 2017): the shipped subset, and the whole from its IDX files."""

from pathlib import Path

import numpy as np

from interference.config.facts import DATASETS, RESOURCES
from interference.data.dataset import Arrays, Dataset, part_of
from interference.data.errors import DatasetError
from interference.data.idx import read_idx
from interference.store.files import sha256

#: The four files, images before labels, train before test.
FASHION_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
FASHION_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def read(dataset: str, root: Path | None, image_size: int | None) -> Dataset:
    """Read the subset that ships with the repository, or the whole from its files under ``root``.

    image_size: pixels per side to resize to, None to keep 28.
    Raises DatasetError where files are missing, damaged or contradict each other.
    """
    if DATASETS[dataset].embedded:
        return read_embedded(RESOURCES / dataset, image_size)
    assert root is not None
    return read_fashion(find_fashion(root), image_size)


def read_embedded(folder: Path, image_size: int | None) -> Dataset:
    """Read Fashion-MNIST files that ship with the repository, after `check_sums`."""
    check_sums(folder)
    return read_fashion([folder / f"{name}.xz" for name in FASHION_FILES], image_size)


def check_sums(folder: Path) -> None:
    """Check every file that SHA256SUMS names (the format of `sha256sum`).

    Raises DatasetError where one is missing or has another checksum.
    """
    for line in (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines():
        expected, name = line.split(maxsplit=1)
        path = folder / name
        if not path.is_file():
            raise DatasetError(f"{path} is missing; restore it with git checkout")
        if sha256(path) != expected:
            raise DatasetError(f"{path} is not what SHA256SUMS says; restore it with git checkout")


def find_fashion(root: Path) -> list[Path]:
    """Find the four files, plain or .gz, in ``root`` or in torchvision's folder there.

    Raises DatasetError where one is missing.
    """
    folders = (root, root / "FashionMNIST" / "raw")
    paths = {
        name: path
        for name in FASHION_FILES
        for folder in reversed(folders)
        for path in (folder / f"{name}.gz", folder / name)
        if path.is_file()
    }
    missing = [name for name in FASHION_FILES if name not in paths]
    if missing:
        raise DatasetError(
            f"fashion-mnist: {', '.join(missing)} (plain or .gz) not found in "
            f"{' or '.join(map(str, folders))}; "
            f"torchvision.datasets.FashionMNIST({str(root)!r}, download=True) puts them there, or "
            "the Debian package dataset-fashion-mnist in /usr/share/datasets/fashion-mnist"
        )
    return [paths[name] for name in FASHION_FILES]


def read_fashion(paths: list[Path], image_size: int | None) -> Dataset:
    """Read the four files, in the order of `FASHION_FILES`: images (N, 1, height, width) uint8.

    Raises DatasetError where a file is damaged, or images and labels differ in number.
    """

    def part(images: Path, labels: Path) -> Arrays:
        return part_of(
            read_idx(images, axes=3)[:, np.newaxis],
            read_idx(labels, axes=1),
            classes=len(FASHION_CLASSES),
            image_size=image_size,
            where=f"{images} and {labels.name}",
        )

    return Dataset(part(*paths[:2]), part(*paths[2:]), list(FASHION_CLASSES))
