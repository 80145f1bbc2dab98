"""Get a checkpoint's file: from a folder, or from the hub by its own client.

The client keeps a cache, resumes what broke off, and knows HF_ENDPOINT (a mirror), HF_HOME (the
cache) and HF_HUB_OFFLINE. Its cache names a large file by the SHA-256 that the hub gave for it, so
what lies there is checked against the hub's word without asking again.
"""

import re
from pathlib import Path

from interference.models.mends import mend
from interference.provenance import InterferenceError
from interference.store.files import sha256


class CheckpointError(InterferenceError):
    """A checkpoint cannot be had, or is not what it must be."""


def obtain(source: dict) -> tuple[Path, str]:
    """Where the file lies, and its SHA-256.

    source: file, sha256 (what it must be, or None), and of the hub's: folder (where it lies, or None:
    download it), repository, revision.
    Raises CheckpointError where it cannot be had, is another than the hub says or than asked for.
    """
    if source["format"] != "madrylab":
        path = Path(source["file"])
    elif source["folder"] is not None:
        path = Path(source["folder"]) / source["file"]
    else:
        path = download(source["repository"], source["file"], source["revision"])
    if not path.is_file():
        what = "this is a folder" if path.is_dir() else "there is no such file"
        raise CheckpointError(f"{path}: {what}; put the file there, or mend its path in models")
    try:
        found, told = sha256(path), path.resolve().name
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be read: {error.strerror}; see to its permissions and its disk"
        ) from None
    if source["format"] == "madrylab" and re.fullmatch("[0-9a-f]{64}", told) and found != told:
        raise CheckpointError(
            f"{path} has SHA-256 {found}, the hub says {told}: it was damaged on the way or on disk; "
            f"remove {path.resolve()} and run again"
        )
    if source["sha256"] is not None and found != source["sha256"]:
        raise CheckpointError(
            f"{path} has SHA-256 {found} and {path.stat().st_size:,} bytes, models asks for "
            f"{source['sha256']}: fetch it again, or write what you trust"
        )
    return path, found


def download(repository: str, file: str, revision: str) -> Path:
    """The file in the client's cache, downloaded where it is not there. Raises CheckpointError."""
    import huggingface_hub

    try:
        return Path(huggingface_hub.hf_hub_download(repository, file, revision=revision))
    except Exception as error:  # the transport's own too, whichever library that is
        what, how = mend(error)
    raise CheckpointError(f"{file} of {repository} (revision {revision}): {what}; {how}")
