"""Pictures in tars as the webdataset library writes them; they are indexed, never unpacked.

ROOT/*train*-NNNN.tar and ROOT/*val*-NNNN.tar (else *test*-NNNN.tar), uncompressed. Members
KEY.jpg (jpeg, png) with KEY.cls, a whole number as text, or KEY.json with one under ``label``.
"""

import json
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from interference.data.dataset import Dataset, check_labels
from interference.data.decode import Place
from interference.data.pictures import Pictures
from interference.progress import track
from interference.store.files import StoreError

PICTURES = ("jpg", "jpeg", "png")


@dataclass(frozen=True)
class Index:
    """Where the pictures of one tar lie: names, offsets, lengths and labels of n pictures."""

    path: Path
    names: list[str]
    offsets: np.ndarray
    lengths: np.ndarray
    labels: np.ndarray


def read(dataset: str, root: Path, image_size: int) -> Dataset:
    """Index the tars; pictures are read from where they lie when their pixels are asked for.

    Tars are in the order of their names, pictures in that of the tar. A picture's name is
    TAR/MEMBER. Classes have no names but their numbers.
    Raises StoreError where tars are missing or damaged, a picture has no label or a label no
    picture, or a key stands twice in a tar.
    """
    train, test = _tars(root, "train"), _tars(root, "val", "test")
    tars = track([*train, *test], total=len(train) + len(test), label="tars indexed")
    indexes = [index(tar) for tar in tars]
    parts = indexes[: len(train)], indexes[len(train) :]
    classes = 1 + max(int(tar.labels.max()) for tar in parts[0])
    names = [str(label) for label in range(classes)]
    return Dataset(*(_part(part, classes, image_size) for part in parts), names)


def _tars(root: Path, *words: str) -> list[Path]:
    for word in words:
        found = [
            path for path in root.glob("*.tar") if re.search(rf"(^|[-_.]){word}.*-\d+$", path.stem)
        ]
        if found:
            return sorted(found)
    wanted = " or ".join(f"*{word}*-NNNN.tar" for word in words)
    raise StoreError(f"image-webdataset: no {wanted} in {root}")


def index(path: Path) -> Index:
    """Where the pictures of a tar lie, and their labels. Raises StoreError as `read` does."""
    pictures: dict[str, tarfile.TarInfo] = {}
    labels: dict[str, int] = {}
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                key, kind = _key(member.name)
                if not member.isfile():
                    continue
                if kind in PICTURES:
                    if key in pictures:
                        raise StoreError(f"{path}: {key} has two pictures")
                    pictures[key] = member
                elif kind == "cls" or (kind == "json" and key not in labels):
                    label = _label(tar.extractfile(member).read(), kind)
                    if label is not None:
                        labels[key] = label
    except (tarfile.TarError, OSError) as error:
        raise StoreError(f"{path} is damaged ({error}); fetch it again") from None
    alone = sorted(pictures.keys() ^ labels.keys())
    if alone or not pictures:
        what = f"{alone[0]} has no label or no picture" if alone else "it holds no pictures"
        raise StoreError(
            f"{path}: {what}; it needs KEY.jpg with KEY.cls, a whole number, or KEY.json with one "
            "under label"
        )
    return Index(
        path,
        [member.name for member in pictures.values()],
        np.array([member.offset_data for member in pictures.values()]),
        np.array([member.size for member in pictures.values()]),
        np.array([labels[key] for key in pictures]),
    )


def _key(name: str) -> tuple[str, str]:
    """A member's name up to the first dot of its file, and the rest in small letters."""
    folder, slash, file = name.rpartition("/")
    stem, _, kind = file.partition(".")
    return folder + slash + stem, kind.lower()


def _label(content: bytes, kind: str) -> int | None:
    """The whole number that a .cls or .json holds, None where it holds none."""
    try:
        value = json.loads(content)
    except ValueError:
        return None
    if kind == "json":
        value = value.get("label") if isinstance(value, dict) else None
    return value if type(value) is int else None


def _part(tars: list[Index], classes: int, image_size: int) -> Pictures:
    for tar in tars:
        check_labels(tar.labels, classes, str(tar.path))
    starts = np.cumsum([0, *(len(tar.names) for tar in tars)])

    def locate(indices: np.ndarray, scratch: Path) -> Iterator[Place]:
        for picture in indices:
            number = np.searchsorted(starts, picture, side="right") - 1
            tar, row = tars[number], picture - starts[number]
            name = f"{tar.path.name}/{tar.names[row]}"
            yield Place(name, str(tar.path), int(tar.offsets[row]), int(tar.lengths[row]))

    labels = np.concatenate([tar.labels for tar in tars])
    return Pictures(tars[0].path.stem.rpartition("-")[0], image_size, labels, locate)
