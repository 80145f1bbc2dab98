"""Removal of hidden files that jobs keep among an experiment's results; never of a result."""

import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from interference.plan.steps import ROOMS
from interference.provenance import InterferenceError

#: Names of a trainer's checkpoint and of a finished member of an SAE sweep.
KEPT = re.compile(r"\..+\.[0-9a-f]{16}\.(checkpoint|member)\.safetensors")
#: Names of what a job has begun to write (`store.files.replacing`).
TEMPORARY = re.compile(r"\..+\.\d+-[0-9a-f]{8}(\.old)?")
#: Seconds without a change after which no job is writing to a temporary file any more.
STALE_AFTER = 3600.0


def hidden(results: Path) -> Iterator[Path]:
    """Checkpoints, members and temporary files and folders of an experiment, in a fixed order."""
    for room in sorted(ROOMS):
        for folder, folders, files in os.walk(results / room):
            named = sorted([*folders, *files])
            yield from (
                Path(folder, name)
                for name in named
                if TEMPORARY.fullmatch(name) or (KEPT.fullmatch(name) and name in files)
            )
            folders[:] = sorted(n for n in folders if not n.startswith(".") and ".zarr" not in n)


def parts(path: Path) -> list[os.stat_result]:
    """Sizes and times of a file, or of a folder and all in it. Raises FileNotFoundError."""
    inside = path.rglob("*") if path.is_dir() and not path.is_symlink() else ()
    return [part.lstat() for part in (path, *inside)]


def clean(
    results: Annotated[Path, typer.Argument(help="An experiment's results: results/NAME.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list them.")] = False,
) -> None:
    """Remove checkpoints, finished SAE members and stale temporary files, and say their bytes."""
    logged = {path.name for path in results.glob("logs/*") if path.is_dir()}
    if not logged or logged - set(ROOMS):
        raise InterferenceError(
            f"{results} is not an experiment's results: no logs of "
            f"{', '.join(sorted(ROOMS))} there; name a folder such as results/NAME"
        )
    total = 0
    for path in hidden(results):
        try:
            stats = parts(path)
        except FileNotFoundError:  # a job has just finished with it
            continue
        size = sum(part.st_size for part in stats)
        age = time.time() - max(part.st_mtime for part in stats)
        if TEMPORARY.fullmatch(path.name) and age < STALE_AFTER:
            print(f"{size:>15,} B  {path}: left, it changed {age:.0f} s ago")
            continue
        print(f"{size:>15,} B  {path}")
        total += size
        if not dry_run:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    print(f"{total:>15,} B  {'could be' if dry_run else 'were'} removed")
