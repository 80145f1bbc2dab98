"""Foolbox's attacks on what is pickled in a folder, by the Python of .venv-peers (`make peers`)."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.support import REPO

#: The Python that has foolbox.
PEERS = Path(os.environ.get("INTERFERENCE_PEERS", REPO / ".venv-peers" / "bin" / "python"))


def in_foolbox(folder: Path, steps: int) -> dict[str, np.ndarray]:
    """What `in_foolbox.py` finds of every NAME.pt of a folder, by NAME; skips, on CI fails, without foolbox."""
    if not PEERS.exists():
        missing = f"{PEERS} is missing: make peers"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    environment = {n: v for n, v in os.environ.items() if not n.startswith("PYTHON")}
    done = subprocess.run(
        [PEERS, REPO / "tests" / "support" / "in_foolbox.py", folder, str(steps)],
        env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {path.stem: np.load(path) for path in sorted(folder.glob("*.npz"))}
