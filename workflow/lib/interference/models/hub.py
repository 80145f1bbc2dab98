"""Get a checkpoint's file: from a folder, or from the hub by its own client.

The client keeps a cache, resumes interrupted downloads, and reads HF_ENDPOINT (a mirror), HF_HOME
(the cache) and HF_HUB_OFFLINE. Its cache names a large file by the SHA-256 that the hub gave for it,
so a cached file is checked against that without asking the hub again.
"""

import re
from pathlib import Path

from interference.models.mends import mend
from interference.provenance import InterferenceError
from interference.store.files import sha256


class CheckpointError(InterferenceError):
    """A checkpoint is not there, cannot be downloaded, or is not what it must be."""


def obtain(source: dict) -> tuple[Path, str]:
    """Return the path of a checkpoint's file and its SHA-256, after downloading it if need be.

    source: format (madrylab or state_dict), file, sha256 (what it must be, or None), and for
    madrylab folder (that holds it, or None to download it), repository, revision.
    Raises CheckpointError where the file is missing, unreadable, or has another SHA-256 than the
    hub says or ``source`` asks for.
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
        checksum, cached = sha256(path), path.resolve().name
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be read: {error.strerror}; see to its permissions and its disk"
        ) from None
    of_hub = source["format"] == "madrylab" and re.fullmatch("[0-9a-f]{64}", cached)
    if of_hub and checksum != cached:
        raise CheckpointError(
            f"{path} has SHA-256 {checksum}, the hub says {cached}: it was damaged on the way or on disk; "
            f"remove {path.resolve()} and run again"
        )
    if source["sha256"] is not None and checksum != source["sha256"]:
        raise CheckpointError(
            f"{path} has SHA-256 {checksum} and {path.stat().st_size:,} bytes, models asks for "
            f"{source['sha256']}: fetch it again, or write what you trust"
        )
    return path, checksum


def download(repository: str, file: str, revision: str) -> Path:
    """Return a file's path in the client's cache, downloaded if need be. Raises CheckpointError."""
    import huggingface_hub

    try:
        return Path(huggingface_hub.hf_hub_download(repository, file, revision=revision))
    except Exception as error:  # the transport's own too, whichever library that is
        what, how = mend(error)
    raise CheckpointError(f"{file} of {repository} (revision {revision}): {what}; {how}")
