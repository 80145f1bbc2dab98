"""Pictures in tars as the webdataset library writes them, which are indexed and never unpacked.

ROOT/*train*-NNNN.tar and ROOT/*val*-NNNN.tar (else *test*-NNNN.tar), uncompressed. Members
KEY.jpg (jpeg, png) with KEY.cls, a whole number as text, or KEY.json with one under ``label``.
"""

import json
import tarfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from interference.data.dataset import Dataset, check_labels
from interference.data.decode import Place
from interference.data.errors import DatasetError
from interference.data.listing import Named, printable, under
from interference.data.pictures import Pictures
from interference.data.shards import Form, choose
from interference.progress import say, track

PICTURES = ("jpg", "jpeg", "png")
FORM = Form(
    dataset="image-webdataset",
    shown="*{word}*-NNNN.tar",
    shard=r"(.*[-_.])?{word}.*-\d+\.tar",
    like=r"(.*[-_.])?{word}.*",
    number=r"(?P<prefix>.*-)(?P<number>\d{1,6})(?P<rest>\.tar)",
    words={"train": ("train",), "test": ("val", "test")},
)


@dataclass(frozen=True)
class Index:
    """The n pictures of a tar.

    offsets, lengths, labels: (n,) int64; bytes from the tar's start, bytes, classes.
    untaken: its other members, except those that belong to a picture that is taken.
    hidden: how many members' names start with a dot.
    """

    path: Path
    names: list[str]
    offsets: np.ndarray
    lengths: np.ndarray
    labels: np.ndarray
    untaken: Named = field(default_factory=list)
    hidden: int = 0


def read(dataset: str, root: Path, image_size: int) -> Dataset:
    """Index the tars; pictures are read from where they lie when their pixels are asked for.

    Tars are in the order of their names, pictures in that of the tar. A picture's name is
    TAR/MEMBER. Classes have no names but their numbers. A tar that cannot be read, a picture
    without a label, and a label without a picture are listed as not taken.
    Raises DatasetError where a tar is missing, damaged or without any labelled picture, or has two
    pictures of the same key.
    """
    shards = choose(FORM, [root])
    train, test = shards.files.values()
    tars = track([*train, *test], total=len(train) + len(test), label="tars indexed")
    indexes = [index(tar) for tar in tars]
    parts = indexes[: len(train)], indexes[len(train) :]
    classes = 1 + max(int(tar.labels.max()) for tar in parts[0])
    names = [str(label) for label in range(classes)]
    for of_part, untaken in zip(parts, shards.untaken.values(), strict=True):
        for tar in of_part:
            untaken += under(tar.path.name, tar.untaken)
    if hidden := sum(tar.hidden for tar in indexes):
        say(f"{root}: {hidden} members whose names start with a dot are left out")
    of_train, of_test = (_part(part, classes, image_size) for part in parts)
    return Dataset(of_train, of_test, names, shards.untaken)


def index(path: Path) -> Index:
    """Find the pictures of a tar and their labels. Raises DatasetError as `read` does."""
    pictures: dict[str, tarfile.TarInfo] = {}
    labels: dict[str, int] = {}
    others: dict[str, list[str]] = defaultdict(list)  # key → members that are no picture or label
    untaken: Named = []
    hidden = 0
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                key, kind = _key(member.name)
                if member.isdir():
                    continue
                if member.name.rpartition("/")[2].startswith("."):
                    hidden += 1
                elif not member.isfile():
                    untaken.append((member.name, "a link or a device in a tar"))
                elif kind in PICTURES:
                    if key in pictures:
                        raise DatasetError(f"{path}: {key} has two pictures")
                    pictures[key] = member
                elif kind == "cls" or (kind == "json" and key not in labels):
                    content = tar.extractfile(member)
                    assert content is not None  # only links and devices have none
                    label = _label(content.read(), kind)
                    if label is None:
                        others[key].append(member.name)
                    else:
                        labels[key] = label
                else:
                    others[key].append(member.name)
            untaken += _after(path, tar.offset)
    except (tarfile.TarError, OSError) as error:
        raise DatasetError(f"{path} is damaged ({error}); fetch it again") from None
    alone = sorted(pictures.keys() ^ labels.keys())
    taken = [key for key in pictures if key in labels]
    if not taken:
        what = "it holds no pictures"
        if alone:
            what = f"{alone[0]} has no label or no picture, nor has any other key both"
        raise DatasetError(
            f"{path}: {what}; it needs KEY.jpg with KEY.cls, a whole number, or KEY.json with one "
            "under label"
        )
    for key in alone:
        if key in pictures:
            untaken.append((pictures[key].name, "a picture without a label that is a whole number"))
        else:
            untaken.append((key, f"a label without a picture that is {', '.join(PICTURES)}"))
    for key in others.keys() - pictures.keys() - labels.keys():
        untaken += [(name, "neither a picture nor a label of one") for name in others[key]]
    return Index(
        path,
        [pictures[key].name for key in taken],
        np.array([pictures[key].offset_data for key in taken]),
        np.array([pictures[key].size for key in taken]),
        np.array([labels[key] for key in taken]),
        sorted(untaken),
        hidden,
    )


def _after(path: Path, offset: int) -> Named:
    """Return what is wrong with a tar's end, at which tarfile stops without a word.

    Raises DatasetError where it is damage and no end.
    """
    with path.open("rb") as file:
        file.seek(offset)
        block = file.read(tarfile.BLOCKSIZE)
        if not block:
            return [("", "the tar has no mark at its end: it may be cut short")]
        if len(block) < tarfile.BLOCKSIZE or any(block):
            raise DatasetError(
                f"{path} is damaged (byte {offset:,} starts neither a member nor the end); "
                "fetch it again"
            )
        while more := file.read(2**20):
            if any(more):
                return [("", "more follows the tar's end: are these several, one after another?")]
    return []


def _key(name: str) -> tuple[str, str]:
    """Return a member's name up to the first dot of its file, and the rest in small letters."""
    folder, slash, file = name.rpartition("/")
    stem, _, kind = file.partition(".")
    return folder + slash + stem, kind.lower()


def _label(content: bytes, kind: str) -> int | None:
    """Return the whole number in a .cls or .json, None where there is none."""
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
            name = printable(f"{tar.path.name}/{tar.names[row]}")
            yield Place(name, str(tar.path), int(tar.offsets[row]), int(tar.lengths[row]))

    labels = np.concatenate([tar.labels for tar in tars])
    return Pictures(tars[0].path.stem.rpartition("-")[0], image_size, labels, locate)
