"""Make the Fashion-MNIST subset that ships with the repository.

    python -m interference.data.subset SOURCE_FOLDER [OUTPUT]

The images of lowest rank are kept, in the order of the source: per class 1,200 of the train part
and 200 of the test part. An image's rank is the SHA-256 of the text
``fashion-mnist-subset PART INDEX``, which is as good as random and always the same.
"""

import argparse
import hashlib
import lzma
from pathlib import Path

import numpy as np

from interference.config.facts import RESOURCES
from interference.data.errors import DatasetError
from interference.data.fashion import FASHION_FILES, find_fashion
from interference.data.idx import idx_bytes, read_idx
from interference.store.files import replacing, sha256

#: Images per class that are kept.
PER_CLASS = {"train": 1_200, "test": 200}
NAME = "fashion-mnist-subset"


def select(labels: np.ndarray, part: str, per_class: int) -> np.ndarray:
    """Return the indices of the images to keep: ``per_class`` per class, ascending.

    labels: (N,) integers. part: train or test. Returns (classes * per_class,) int64.
    Raises DatasetError where a class has fewer.
    """
    ranks = np.array([_rank(part, index) for index in range(len(labels))])
    kept = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        if len(members) < per_class:
            raise DatasetError(
                f"{part}: {per_class} images of class {label} asked for, the source has "
                f"{len(members)}"
            )
        kept.append(members[np.argsort(ranks[members])[:per_class]])
    return np.sort(np.concatenate(kept))


def _rank(part: str, index: int) -> bytes:
    return hashlib.sha256(f"{NAME} {part} {index}".encode()).digest()


def make(source: Path, output: Path, per_class: dict[str, int]) -> None:
    """Write the four IDX files, compressed with xz, and SHA256SUMS into ``output``.

    source: a folder with Fashion-MNIST's four files. per_class: part → images to keep per class.
    Raises DatasetError where the source is missing, damaged or too small.
    """
    paths = find_fashion(source)
    files = []
    for part, (images, labels) in {"train": (0, 1), "test": (2, 3)}.items():
        all_labels = read_idx(paths[labels], axes=1)
        kept = select(all_labels, part, per_class[part])
        files.append(_write(output, FASHION_FILES[images], read_idx(paths[images], axes=3)[kept]))
        files.append(_write(output, FASHION_FILES[labels], all_labels[kept]))
    with replacing(output / "SHA256SUMS") as temporary:
        lines = [f"{sha256(file)}  {file.name}\n" for file in files]
        temporary.write_text("".join(lines), encoding="utf-8")


def _write(folder: Path, name: str, array: np.ndarray) -> Path:
    path = folder / f"{name}.xz"
    with replacing(path) as temporary:
        temporary.write_bytes(lzma.compress(idx_bytes(array), preset=9 | lzma.PRESET_EXTREME))
    return path


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m interference.data.subset")
    parser.add_argument("source", type=Path, help="folder with Fashion-MNIST's four IDX files")
    parser.add_argument("output", type=Path, nargs="?", default=RESOURCES / NAME)
    arguments = parser.parse_args()
    make(arguments.source, arguments.output, PER_CLASS)


if __name__ == "__main__":
    main()
