"""Checks of disk space: room for what a job will write, and that it wrote what was predicted."""

import shutil
from pathlib import Path

from interference.progress import in_bytes
from interference.store.files import StoreError


def require(folder: Path, need: int) -> None:
    """Make ``folder``. Raises StoreError where its disk has fewer free bytes than ``need``."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < need:
        raise StoreError(
            f"{folder}: {in_bytes(need)} are needed there while the job runs, {in_bytes(free)} are "
            "free; free some space, or store fewer rows"
        )


def check(store: Path, expected: int) -> None:
    """Check the bytes that the shards of a store take. Raises StoreError where they differ."""
    taken = sum(file.stat().st_size for file in (store / "c").rglob("*") if file.is_file())
    if taken != expected:
        raise StoreError(f"{store} takes {taken} bytes, {expected} were predicted; run it again")
