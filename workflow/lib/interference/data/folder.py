"""A folder of pictures: ROOT/train/CLASS/* and ROOT/val/CLASS/* (or test), as pillow reads them."""

import os
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from interference.data.corrupt import some
from interference.data.dataset import Dataset
from interference.data.decode import Place
from interference.data.errors import DatasetError
from interference.data.listing import (
    PICTURES,
    Listing,
    Named,
    few,
    inside,
    listing,
    printable,
    under,
)
from interference.data.pictures import Pictures
from interference.progress import say

#: Names of the second part, in the order in which they are tried.
SECOND = ("val", "test")
#: Folders below a class folder that are searched for pictures.
DEPTH = 3


@dataclass(frozen=True)
class _Layout:
    """A part's folder.

    classes: name of a class → its folder's name as it is spelt on disk, and that folder's entries.
    untaken: entries beside the class folders. hidden: how many names start with a dot.
    """

    folder: Path
    classes: dict[str, tuple[str, Listing]]
    untaken: Named
    hidden: int


def read(dataset: str, root: Path, image_size: int) -> Dataset:
    """List the pictures; they are opened when their pixels are asked for.

    Classes are the folders' names, sorted; so are pictures within a class. A name in two Unicode
    forms, as macOS and Linux write `café`, is a single class: names are compared, sorted and shown
    in the composed form (NFC), and every folder is read under its own spelling. The second part is
    val, as ImageNet calls it, else test. A picture's name is CLASS/FILE. Pictures become RGB,
    (n, 3, image_size, image_size) uint8. Other entries are listed as not taken; names that start
    with a dot are counted in the log.
    Raises DatasetError where a folder is missing, empty or at another level, where there are fewer
    than two classes, where the two parts differ in classes.
    """
    train, test = (_layout(folder) for folder in _parts(root))
    _check_several(train)
    for part in (train, test):
        _check_depth(part)
    if train.classes.keys() != test.classes.keys():
        raise DatasetError(
            f"image-folder: classes of {root} differ between its parts ({_difference(train, test)})"
        )
    classes = sorted(train.classes)
    untaken = {"train": _untaken(train, classes), "test": _untaken(test, classes)}
    for part in (train, test):
        hidden = part.hidden + sum(entries.hidden for _, entries in part.classes.values())
        if hidden:
            say(f"{part.folder.name}: {hidden} names that start with a dot are left out")
    return Dataset(
        _part(train, classes, image_size), _part(test, classes, image_size), classes, untaken
    )


def _parts(root: Path) -> tuple[Path, Path]:
    """Return both parts' folders. Raises DatasetError where one is missing or a link to nothing."""
    there = [name for name in SECOND if os.path.lexists(root / name)]
    second = there[0] if there else "test"
    for part in ("train", second):
        if (root / part).is_dir():
            continue
        if os.path.lexists(root / part):
            what = "is no folder, or a symbolic link to none"
        else:
            what = "not found"
        raise DatasetError(
            f"image-folder: {root / part} {what}; it needs {root}/train/CLASS/* and "
            f"{root}/val/CLASS/* (or test/CLASS/*){_nearby(root)}"
        )
    entries = listing(root)
    rest = {*entries.folders, *entries.files, *dict(entries.others)} - {"train", second}
    if rest:
        say(f"{root}: train and {second} are read, not {few(sorted(map(printable, rest)))}")
    return root / "train", root / second


def _nearby(root: Path) -> str:
    """Return where the parts may lie instead, in words, or nothing."""
    if root.name in ("train", *SECOND) and (root.parent / "train").is_dir():
        return f"; data.root is one level too low: give {root.parent}"
    if not root.is_dir():
        return ""
    entries = listing(root)
    if deeper := [name for name in entries.folders if (root / name / "train").is_dir()]:
        return f"; data.root is one level too high: {few(deeper)} there has a train"
    return f"; it holds {few(entries.folders + entries.files) or 'nothing'}"


def _layout(folder: Path) -> _Layout:
    entries = listing(folder)
    classes: dict[str, tuple[str, Listing]] = {}
    for own in entries.folders:
        name = unicodedata.normalize("NFC", own)
        if name in classes:
            raise DatasetError(
                f"image-folder: {folder} has the class {name} twice, in two Unicode forms: "
                f"{classes[name][0]!a} and {own!a}; put their pictures in one of them"
            )
        classes[name] = own, listing(folder / own)
    beside = [(name, "a file beside the class folders") for name in entries.files]
    return _Layout(folder, classes, under("", entries.others + beside), entries.hidden)


def _check_several(part: _Layout) -> None:
    if len(part.classes) > 1:
        return
    beside = f"; not taken: {some(part.untaken)}" if part.untaken else ""
    if not part.classes:
        raise DatasetError(
            f"image-folder: {part.folder} has no class folders; it needs one per class, at least "
            f"two{beside}"
        )
    raise DatasetError(
        f"image-folder: {part.folder} has one class folder, {next(iter(part.classes))}, and a "
        f"network needs at least two classes to tell apart{_level(part)}{beside}"
    )


def _level(part: _Layout) -> str:
    """Return what to do about a part with a single class folder, in words."""
    ((own, entries),) = part.classes.values()
    if not entries.folders:
        return "; sort its pictures into one folder per class"
    return (
        f"; {own} itself holds the folders {few(entries.folders)}: if these are the classes, "
        f"data.root is one level too high; the classes must lie as {part.folder}/CLASS, so move "
        f"them up, or link {part.folder} to {part.folder / own}"
    )


def _check_depth(part: _Layout) -> None:
    """Raise DatasetError where pictures lie in folders within a class folder, and not in it."""
    for own, entries in part.classes.values():
        endings = {os.path.splitext(name)[1].lower() for name in entries.files}
        if endings & {*PICTURES}:
            continue
        for name in entries.folders:
            example, count = _below(part.folder / own / name)
            # files without an ending may be pictures: then the folder with more files decides
            if example and ("" not in endings or len(entries.files) < count):
                raise DatasetError(
                    f"image-folder: pictures of {part.folder / own} lie deeper than in it, such as "
                    f"{example}; they must lie as {part.folder}/CLASS/FILE: move them up into their "
                    "class folders, or give data.root a folder whose class folders are links to "
                    "where they lie"
                )


def _below(folder: Path) -> tuple[str | None, int]:
    """Return (a picture in or not far below a folder, how many lie beside it), by their names."""
    for where, folders, files in os.walk(folder):
        pictures = sorted(name for name in files if name.lower().endswith(PICTURES))
        if pictures:
            return os.path.join(where, pictures[0]), len(pictures)
        if len(Path(where).relative_to(folder).parts) >= DEPTH:
            folders.clear()
    return None, 0


def _difference(train: _Layout, test: _Layout) -> str:
    """Return in which classes the two parts differ, and what may be the reason."""
    only = {
        part.folder.name: sorted(part.classes.keys() - other.classes.keys())
        for part, other in ((train, test), (test, train))
    }
    reasons = [f"only in {part}: {few(names)}" for part, names in only.items() if names]
    loose = [{_loose(name): name for name in names} for names in only.values()]
    alike = [(loose[0][key], loose[1][key]) for key in loose[0] if key in loose[1]]
    if alike:
        reasons.append(
            "these differ only in letter case, spaces or compatible characters: "
            + few([f"{ours!r} and {theirs!r}" for ours, theirs in alike])
            + "; rename one of each"
        )
    for part in (train, test):
        if len(part.classes) == 1:
            reasons.append(f"{part.folder.name} has one class folder{_level(part)}")
        if part.untaken:
            reasons.append(f"not taken of {part.folder.name}: {some(part.untaken)}")
    return "; ".join(reasons)


def _loose(name: str) -> str:
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())


def _untaken(part: _Layout, classes: list[str]) -> Named:
    """Return a part's entries that are not taken. Raises DatasetError where a class is empty."""
    every = list(part.untaken)
    for own, entries in (part.classes[name] for name in classes):
        folders = [(name, inside(part.folder / own / name)) for name in entries.folders]
        of_class = under(own, entries.others + folders)
        if not entries.files:
            why = f"; not taken: {some(of_class)}" if of_class else ""
            raise DatasetError(f"image-folder: no pictures in {part.folder / own}{why}")
        every += of_class
    return every


def _part(part: _Layout, classes: list[str], image_size: int) -> Pictures:
    owns = [part.classes[name][0] for name in classes]
    pictures = [part.classes[name][1].files for name in classes]
    starts = np.cumsum([0, *map(len, pictures)])

    def locate(indices: np.ndarray, scratch: Path) -> Iterator[Place]:
        for index in indices:
            label = np.searchsorted(starts, index, side="right") - 1
            file = pictures[label][index - starts[label]]
            path = os.path.join(part.folder, owns[label], file)
            yield Place(printable(f"{owns[label]}/{file}"), path)

    labels = np.repeat(np.arange(len(classes), dtype=np.int64), np.diff(starts))
    return Pictures(part.folder.name, image_size, labels, locate)
