"""Bytes that stores will take, whether there is room for them, and whether they took what was said."""

import shutil
from pathlib import Path

from interference.progress import in_bytes
from interference.store.files import StoreError


def require(folder: Path, need: int) -> None:
    """Raises StoreError where the disk of ``folder`` has fewer free bytes than ``need``."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < need:
        raise StoreError(
            f"{folder}: {in_bytes(need)} are needed there while the job runs, {in_bytes(free)} are "
            "free; free some space, or store fewer rows"
        )


def check(store: Path, expected: int) -> None:
    """Raises StoreError where the shards of a store don't take the bytes that were predicted."""
    found = sum(file.stat().st_size for file in (store / "c").rglob("*") if file.is_file())
    if found != expected:
        raise StoreError(f"{store} takes {found} bytes, {expected} were predicted; run it again")
