"""Toy models have the same bytes in the process that compiles their step and in those after it."""

import json
import os
import subprocess
import sys

from tests.support import REPO

#: Trains by every spec, whose kinds of attack and radius one compiled step serves; a hash of each.
SCRIPT = """
import hashlib, json, sys
from interference.toy.train import train
for name, spec in json.loads(sys.argv[1]).items():
    arrays = train(spec).arrays
    print(name, hashlib.sha256(arrays["W"].tobytes() + arrays["b"].tobytes()).hexdigest())
"""
GRADIENT = {"type": "gradient", "steps": 3, "relative_step": 0.5, "noise": 0.01}
ATTACKS = {"gradient": GRADIENT, "analytic": {"type": "analytic"}}


def spec_of(attack: dict, radius: str) -> dict:
    robust = {"relative_epsilon": 0.1, "radius": radius, "weight": 0.5, "attack": attack}
    return {
        "features": 100, "hidden": 20, "densities": [1.0, 0.1], "seeds": [0], "steps": 20,
        "batch_size": 64, "learning_rate": 0.003, "weight_decay": 0.01, "adversarial": robust,
    }  # fmt: skip


def test_training_has_the_same_bytes_from_fresh_and_from_cached_code(tmp_path):
    specs = json.dumps({
        f"{name}-{radius}": spec_of(attack, radius)
        for name, attack in ATTACKS.items()
        for radius in ("sample", "mean")
    })  # fmt: skip
    fresh, cached = (
        subprocess.run(
            [sys.executable, "-c", SCRIPT, specs], cwd=REPO, text=True, check=True,
            env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}, capture_output=True,
        ).stdout.splitlines()
        for _ in range(2)
    )  # fmt: skip
    assert any(tmp_path.rglob("*.nbc"))
    assert len({line.split()[1] for line in fresh}) == 4
    assert cached == fresh
