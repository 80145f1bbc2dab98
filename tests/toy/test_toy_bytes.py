"""Toy models have the same bytes in the process that compiles their step and in those after it."""

import os
import subprocess
import sys

import pytest

from tests.support import REPO

SCRIPT = """
import hashlib, json, sys
from interference.toy.train import train
arrays = train(json.loads(sys.argv[1])).arrays
print(hashlib.sha256(arrays["W"].tobytes() + arrays["b"].tobytes()).hexdigest())
"""
SPEC = """{"features": 100, "hidden": 20, "densities": [1.0, 0.1], "seeds": [0], "steps": 20,
"batch_size": 64, "learning_rate": 0.003, "weight_decay": 0.01, "adversarial": {"relative_epsilon": 0.1,
"radius": "RADIUS", "weight": 0.5, "attack": ATTACK}}"""
ATTACKS = {
    "gradient": '{"type": "gradient", "steps": 3, "relative_step": 0.5, "noise": 0.01}',
    "analytic": '{"type": "analytic"}',
}


@pytest.mark.parametrize("radius", ["sample", "mean"])
@pytest.mark.parametrize("attack", ATTACKS)
def test_training_has_the_same_bytes_from_fresh_and_from_cached_code(tmp_path, attack, radius):
    spec = SPEC.replace("RADIUS", radius).replace("ATTACK", ATTACKS[attack])
    fresh, *cached = (
        subprocess.run(
            [sys.executable, "-c", SCRIPT, spec], cwd=REPO, text=True, check=True,
            env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}, capture_output=True,
        ).stdout
        for _ in range(2)
    )  # fmt: skip
    assert any(tmp_path.rglob("*.nbc"))
    assert cached == [fresh]
