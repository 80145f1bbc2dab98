"""Pictures that cannot be read and other entries that are not taken: refused, or listed."""

import csv
from pathlib import Path

from interference.data.errors import DatasetError
from interference.data.listing import Named
from interference.progress import say
from interference.store.files import replacing

#: Entries that an error names; the log names all.
NAMED = 5

#: Name of a part → its pictures that cannot be read, or its entries that are not taken.
Corrupt = dict[str, Named]


def settle(corrupt: Corrupt, pictures: dict) -> None:
    """Log every picture that cannot be read. Raises DatasetError where the config refuses them.

    pictures: the config's section, of which "corrupt" is skip or refuse.
    """
    _settle(corrupt, pictures, "corrupt", "{} of the pictures asked for are corrupt")


def settle_untaken(untaken: Corrupt, pictures: dict) -> None:
    """Do the same with entries that are not taken, before any picture is decoded."""
    _settle(untaken, pictures, "not taken", "{} entries of the dataset's folder are not taken")


def _settle(entries: Corrupt, pictures: dict, word: str, sentence: str) -> None:
    every = [entry for of_part in entries.values() for entry in of_part]
    for part, of_part in entries.items():
        for name, reason in of_part:
            say(f"{word}, {part} part: {name}: {reason}")
    if every and pictures["corrupt"] == "refuse":
        raise DatasetError(
            f"{sentence.format(len(every))}: {some(every)}; the log names "
            "all; mend them, or leave them out with data.pictures.corrupt: skip"
        )


def some(entries: Named) -> str:
    """Return the first few entries with their reasons, and how many more there are."""
    more = f"; and {len(entries) - NAMED} more" if len(entries) > NAMED else ""
    return "; ".join(f"{name} ({reason})" for name, reason in entries[:NAMED]) + more


def write(path: Path, corrupt: Corrupt) -> None:
    """Write a CSV with the columns part (train or test), name and reason."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["part", "name", "reason"])
        for part, entries in corrupt.items():
            rows.writerows([part, name, reason] for name, reason in entries)
