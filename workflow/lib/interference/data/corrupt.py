"""What becomes of pictures that cannot be read: the job is refused, or they are listed."""

import csv
from pathlib import Path

from interference.progress import say
from interference.store.files import StoreError, replacing

#: Pictures that an error names; the log names all.
NAMED = 5

#: Name of a part → (name, reason) of each of its pictures that cannot be read.
Corrupt = dict[str, list[tuple[str, str]]]


def settle(corrupt: Corrupt, pictures: dict) -> None:
    """Name each corrupt picture in the log, and refuse them where the config says so.

    pictures: the config's section, of which "corrupt" is skip or refuse.
    Raises StoreError that names the first few of all.
    """
    every = [entry for entries in corrupt.values() for entry in entries]
    for part, entries in corrupt.items():
        for name, reason in entries:
            say(f"corrupt, {part} part: {name}: {reason}")
    if every and pictures["corrupt"] == "refuse":
        raise StoreError(
            f"{len(every)} of the pictures asked for are corrupt: {some(every)}; the log names "
            "all; mend them, or leave them out with data.pictures.corrupt: skip"
        )


def some(entries: list[tuple[str, str]]) -> str:
    """The first few with their reasons, and how many more."""
    more = f"; and {len(entries) - NAMED} more" if len(entries) > NAMED else ""
    return "; ".join(f"{name} ({reason})" for name, reason in entries[:NAMED]) + more


def write(path: Path, corrupt: Corrupt) -> None:
    """A table as CSV: part (train or test), name and reason."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["part", "name", "reason"])
        for part, entries in corrupt.items():
            rows.writerows([part, name, reason] for name, reason in entries)
