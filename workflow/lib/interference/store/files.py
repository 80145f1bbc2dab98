"""Files that appear under their final name only when they are whole.

Everything is written beside its final place under a unique temporary name and renamed. A job that
dies leaves a temporary name, which nothing reads.
"""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from interference.provenance import InterferenceError


class StoreError(InterferenceError):
    """A file or store is damaged, incomplete or not what its manifest says."""


def temporary_name(path: Path) -> Path:
    """Return a hidden name beside ``path`` that nothing else has, and that nothing reads."""
    return path.with_name(f".{path.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path that becomes ``path`` if the block ends well, and else is removed.

    A file replaces what stood there; a folder replaces a folder by way of a rename.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_name(path)
    try:
        yield temporary
        if temporary.is_file():  # some libraries make files that only their owner may read
            temporary.chmod(0o666 & ~_umask())
        if path.is_dir():
            old = temporary.with_name(f"{temporary.name}.old")
            path.rename(old)
            temporary.rename(path)
            shutil.rmtree(old)
        else:
            os.replace(temporary, path)
    except BaseException:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)
        raise


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


def write_json(path: Path, value: object) -> None:
    """Write ``value`` as readable JSON with sorted keys, atomically."""
    with replacing(path) as temporary:
        text = json.dumps(value, indent=1, sort_keys=True, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> dict:
    """Read a JSON object. Raises StoreError where it is missing or damaged."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StoreError(f"{path} is missing; run snakemake to make it") from None
    except ValueError as error:
        raise StoreError(f"{path} is damaged ({error}); remove it and run snakemake") from None


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
