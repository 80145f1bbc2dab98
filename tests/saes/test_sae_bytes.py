"""The bytes of training follow from the source alone, not from when or how it was compiled."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support import REPO

# Trains one member of each type whose steps have kernels of their own, between allocations that
# move its arrays, and prints a hash of all that training changed.
SCRIPT = """
import hashlib, sys
import numpy as np
from tests.support.sweeps import members_of, step_of

moves = np.random.default_rng(int(sys.argv[1]))
for name in ("matryoshka", "jumprelu"):
    member, _ = members_of(name, 52, 104)
    step = step_of(member).step
    rows, held = np.random.default_rng(1), []
    for number in range(60):
        held.append(np.empty(int(moves.integers(1, 100_000))))
        step(rows.standard_normal((64, 52)).astype(np.float32), 3e-3, number / 60)
    digest = hashlib.sha256()
    for _, array in sorted(member.arrays().items()):
        digest.update(array.tobytes())
    print(name, digest.hexdigest())
"""


def trained(cache: Path, seed: int) -> str:
    """What the script prints in a process of its own, with compiled code from ``cache``."""
    variables = {"NUMBA_CACHE_DIR": str(cache), "PYTHONHASHSEED": str(seed)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(seed)], cwd=REPO, text=True,
        env={**os.environ, **variables}, capture_output=True, check=True,
    )  # fmt: skip
    return done.stdout


def test_training_has_the_same_bytes_from_fresh_and_from_cached_code(tmp_path):
    fresh = trained(tmp_path, seed=0)
    assert any(tmp_path.rglob("*.nbc")), "nothing was cached: the next run compiles again"
    assert fresh.count("\n") == 2
    for seed in (1, 2):
        assert trained(tmp_path, seed) == fresh
