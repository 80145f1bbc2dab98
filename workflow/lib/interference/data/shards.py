"""Choose the shards of a dataset by their names: those to read, and why the others are not taken.

A link to nothing, a tar that is compressed or a gap in the numbers would otherwise be pictures that
are missing without a word. Other files beside the shards, such as a README, are only logged.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from interference.data.corrupt import some
from interference.data.errors import DatasetError
from interference.data.listing import PICTURES, Named, few, inside, listing, printable, under
from interference.progress import say

_ENDINGS = ("parquet", "arrow", "tar", "tgz", "zip", *(ending[1:] for ending in PICTURES))
#: Names of files that may hold pictures, also of unfinished downloads and compressed tars.
_HOLDS_PICTURES = re.compile(rf".*\.({'|'.join(_ENDINGS)})(\.\w+)?", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Form:
    """How the shards of a layout are named; ``{word}`` stands for the word of a part.

    shown: as an error writes a name. shard: a pattern of a shard's whole name. like: a pattern of
    names that look like the part's, shard or not. number: a pattern with the groups prefix, number,
    rest and, where names say how many shards there are, total. words: part → its words, of which
    the first that any shard has is used.
    """

    dataset: str
    shown: str
    shard: str
    like: str
    number: str
    words: dict[str, tuple[str, ...]]

    def is_shard(self, name: str, word: str) -> bool:
        return bool(re.fullmatch(self.shard.format(word=word), name, re.DOTALL))

    def is_like(self, name: str, word: str) -> bool:
        return bool(re.fullmatch(self.like.format(word=word), name, re.DOTALL))


@dataclass(frozen=True)
class Shards:
    """By part, train or test: the files in the order of their names, and entries not taken."""

    files: dict[str, list[Path]]
    untaken: dict[str, Named]


def choose(form: Form, folders: list[Path]) -> Shards:
    """Return the shards of both parts, each from the first folder that has any.

    Raises DatasetError where a part has none that can be read, or a name is of both parts.
    """
    entries = {folder: [*_entries(folder)] for folder in folders if folder.is_dir()}
    chosen = {part: _first(form, entries, words, folders) for part, words in form.words.items()}
    shards = Shards({part: [] for part in chosen}, {part: [] for part in chosen})
    rest: list[str] = []
    for folder, of_folder in entries.items():
        prefix = "" if folder == folders[0] else folder.name
        for name, why in of_folder:
            part, reason = _place(form, chosen, folder, name, why)
            if part is None:
                if folder / name not in entries:
                    rest.append(name)
            elif reason is None:
                shards.files[part].append(folder / name)
            else:
                shards.untaken[part] += under(prefix, [(name, reason)])
    for part, (word, folder) in chosen.items():
        names = [name for name, _ in entries[folder] if form.is_shard(name, word)]
        prefix = "" if folder == folders[0] else folder.name
        shards.untaken[part] += under(prefix, [*_gaps(form, names)])
        if not shards.files[part]:
            raise DatasetError(
                f"{form.dataset}: no {form.shown.format(word=word)} in {folder} can be read: "
                f"{some(shards.untaken[part])}"
            )
    if rest:
        say(f"{folders[0]}: {len(rest)} names are not read: {few(sorted(map(printable, rest)))}")
    return shards


def _entries(folder: Path) -> Iterator[tuple[str, str | None]]:
    """Yield every name in a folder, and why it is no file; None for a file."""
    entries = listing(folder)
    yield from ((name, None) for name in entries.files)
    yield from entries.others
    yield from ((name, inside(folder / name)) for name in entries.folders)


def _first(
    form: Form,
    entries: dict[Path, list[tuple[str, str | None]]],
    words: tuple[str, ...],
    folders: list[Path],
) -> tuple[str, Path]:
    """Return the first word and folder for which there is a shard."""
    for word in words:
        for folder, names in entries.items():
            if any(form.is_shard(name, word) for name, _ in names):
                return word, folder
    wanted = " or ".join(form.shown.format(word=word) for word in words)
    raise DatasetError(f"{form.dataset}: no {wanted} in {' or '.join(map(str, folders))}")


def _place(
    form: Form, chosen: dict[str, tuple[str, Path]], folder: Path, name: str, why: str | None
) -> tuple[str | None, str | None]:
    """Return (the part that a name is of, why it is not taken); no part where it has no pictures."""
    parts = [
        part
        for part, (word, where) in chosen.items()
        if folder == where and form.is_shard(name, word)
    ]
    if len(parts) > 1:
        raise DatasetError(f"{form.dataset}: {folder / name} is named for both parts; rename it")
    if parts:
        return parts[0], why
    pictures = _HOLDS_PICTURES.fullmatch(name)
    for part, (word, where) in chosen.items():
        if form.is_like(name, word) and (pictures or why):
            elsewhere = f"the shards in {where} are read"
            other = f"its name is not {form.shown.format(word=word)}"
            return part, why or (elsewhere if form.is_shard(name, word) else other)
    known = [word for words in form.words.values() for word in words]
    if any(form.is_like(name, word) for word in known) or not pictures:
        return None, None
    return "train", why or "its name is of neither part"


def _gaps(form: Form, names: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the shards that are missing by the numbers of the others, and why."""
    numbers: dict[tuple[str, str, str | None], dict[int, str]] = defaultdict(dict)
    for name in names:
        if match := re.fullmatch(form.number, name, re.DOTALL):
            total = match.groupdict().get("total")
            numbers[match["prefix"], match["rest"], total][int(match["number"])] = match["number"]
    for (prefix, rest, total), present in numbers.items():
        if total is None and min(present) > 1:  # a stretch of a larger set, or not counted from 0
            continue
        expected = range(min(present), max(present)) if total is None else range(int(total))
        width = min(map(len, present.values()))
        for number in expected:
            if number not in present:
                yield f"{prefix}{number:0{width}d}{rest}", "no such file, by the others' numbers"
