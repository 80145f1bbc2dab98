"""Snakemake's locks on an experiment's results, and which Snakemake made them.

A running Snakemake keeps two files in ``.snakemake/locks`` that list what it reads and what it
writes; nothing in them says who made them, and ``snakemake --unlock`` removes those of every other
Snakemake in the folder too. So the controller notes the locks of the Snakemake that it started
(name and time of change), and of a dead one removes those and no others.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

#: Name of a lock → time of its last change, nanoseconds since 1970.
Locks = Mapping[str, int]


def locks_on(results: str, folder: Path) -> dict[str, int]:
    """Locks in a working directory that name a file below ``results``, as Snakemake writes it."""
    held = {}
    for path in sorted(Path(folder, ".snakemake", "locks").glob("*.lock")):
        try:
            names = path.read_text(encoding="utf-8").splitlines()
            changed = path.stat().st_mtime_ns
        except FileNotFoundError:  # its Snakemake has ended
            continue
        if any(name.startswith(f"{results}/") for name in names):
            held[path.name] = changed
    return held


def foreign(held: Locks, own: Iterable[Locks]) -> list[str]:
    """Names of those locks that no controller of this run has noted. own: what each has noted."""
    noted = {lock for locks in own for lock in locks.items()}
    return [name for name, changed in held.items() if (name, changed) not in noted]


def remove(locks: Iterable[str], folder: Path) -> None:
    """Remove locks of a dead Snakemake."""
    for name in locks:
        Path(folder, ".snakemake", "locks", name).unlink(missing_ok=True)


def complaint(results: str, strange: Iterable[str], folder: Path) -> str:
    """The message about locks that are somebody else's."""
    names = ", ".join(str(Path(folder, ".snakemake", "locks", name)) for name in strange)
    return (
        f"{results} is locked by a Snakemake that no launch started ({names}), perhaps by hand on "
        "this or another machine. Where it runs, let it end or stop it; where you know that it is "
        f"dead, `snakemake --unlock` in {folder}. Then launch again"
    )
