"""A folder's entries: files, folders, and why any other entry is neither.

A listing that asks only for files drops a link to nothing, a pipe or a folder without a word. Here
every such entry has a name and a reason, and `images.run` refuses or lists them as it does corrupt
pictures. Names that start with a dot (.DS_Store) are left out on purpose and only counted.
"""

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from interference.data.errors import DatasetError

#: (name, reason) of entries that are not taken, or of pictures that cannot be read.
Named = list[tuple[str, str]]

#: How the names of pictures end, in small letters.
PICTURES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp", ".gif")

#: What ``stat`` says of a link to nothing; other failures are the disk's or the permissions'.
_NOWHERE = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)
_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@dataclass(frozen=True)
class Listing:
    """A folder's entries, every list in the order of the names.

    folders, files: names, also of links to folders and files. others: (name, reason) of the rest.
    hidden: how many names start with a dot; they are in none of the lists.
    """

    folders: list[str]
    files: list[str]
    others: Named
    hidden: int


def listing(folder: Path) -> Listing:
    """List a folder. Raises DatasetError where it cannot be listed, or the disk fails."""
    folders: list[str] = []
    files: list[str] = []
    others: Named = []
    hidden = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    hidden += 1
                elif (reason := _reason(entry)) is not None:
                    others.append((entry.name, reason))
                else:
                    (folders if entry.is_dir() else files).append(entry.name)
    except OSError as error:
        raise DatasetError(
            f"{error.filename or folder} cannot be listed ({error.strerror}); see to its owner and "
            "mode, and to the disk"
        ) from None
    return Listing(sorted(folders), sorted(files), sorted(others), hidden)


def _reason(entry: os.DirEntry) -> str | None:
    """Return why an entry is neither a file nor a folder; None where it is either."""
    try:
        if entry.is_file() or entry.is_dir():
            return None
        return _KINDS.get(stat.S_IFMT(entry.stat().st_mode), "no regular file")
    except OSError as error:
        if error.errno in _NOWHERE:
            return f"a symbolic link to nothing: {printable(os.readlink(entry.path))}"
        if error.errno == errno.ELOOP:
            return "a symbolic link that leads back to itself"
        if error.errno in (errno.EACCES, errno.EPERM):
            return "no permission to look at it"
        raise


def inside(folder: Path) -> str:
    """Return how many entries a folder that is not taken has, in words."""
    try:
        count = sum(1 for _ in os.scandir(folder))
    except OSError as error:
        return f"a folder that cannot be listed: {error.strerror}"
    return f"a folder, whose {count} entries are not taken"


def under(prefix: str, entries: Named) -> Named:
    """Return entries with ``prefix``/ before their names, `printable`; either may be empty."""
    return [(printable(f"{prefix}/{name}".strip("/")), why) for name, why in entries]


def printable(name: str) -> str:
    """Return a file's name as a table can hold it: bytes that are no UTF-8 become U+FFFD."""
    return name.encode(errors="surrogateescape").decode(errors="replace")


def few(names: list[str]) -> str:
    """Return the first five names, and how many more there are."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
