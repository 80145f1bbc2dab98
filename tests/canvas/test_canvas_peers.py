"""Least changes beside those of foolbox's DDN and FMN, with as many gradients per pair."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from interference.canvas import learn
from interference.canvas.family import Pool, read_family
from interference.canvas.minimum import flip, masks
from interference.canvas.pairs import as_pairs, choose
from tests.support import REPO
from tests.support.canvases import family_spec, member

pytestmark = pytest.mark.xdist_group("foolbox")  # whose process starts once, in one worker

#: The Python that has foolbox: `make peers`.
PEERS = Path(os.environ.get("INTERFERENCE_PEERS", REPO / ".venv-peers" / "bin" / "python"))
STEPS, STARTS, COUNT = 20, 2, 24
REGIONS = ["all", "own", "others"]
REGIMES = {"dense": {}, "sparse": {"detectors": 3, "hidden": 24}}


@pytest.fixture(scope="module")
def pairs(small_images, tmp_path_factory):
    """Networks and pairs by regime and region, those that foolbox found radii of beside them."""
    if not PEERS.exists():
        missing = f"{PEERS} is missing: make peers"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    folder = tmp_path_factory.mktemp("foolbox")
    found = {}
    for name, changes in REGIMES.items():
        spec = family_spec([member("m3", cells=6, dimensions=3)])
        spec["regime"] |= changes
        learn.run(spec, small_images, folder / f"{name}.json")
        (taught,), _ = read_family(folder / f"{name}.json")
        chosen = choose(Pool(small_images, "evaluation", spec).composer(6), 1, COUNT, 6)
        for region, cells in masks(chosen.feature, 6).items():
            found[name, region] = taught.network, as_pairs(taught, chosen, cells)
            torch.save(
                (taught.network, vars(found[name, region][1])), folder / f"{name}-{region}.pt"
            )
    environment = {n: v for n, v in os.environ.items() if not n.startswith("PYTHON")}
    done = subprocess.run(
        [PEERS, REPO / "tests" / "support" / "in_foolbox.py", folder, str(STEPS * STARTS)],
        env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {key: (*value, np.load(folder / f"{'-'.join(key)}.npz")) for key, value in found.items()}


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("regime", REGIMES)
def test_least_changes_are_as_short_as_those_of_foolbox(regime, region, pairs):
    network, given, theirs = pairs[regime, region]
    ours = flip(network, given, steps=STEPS, starts=STARTS, seed=0).radius.numpy()
    for attack in ("DDN", "FMN"):
        both = np.isfinite(ours) & np.isfinite(theirs[attack])
        assert both.sum() >= COUNT / 2, "too few pairs flip for a comparison"
        assert np.isfinite(ours).sum() >= np.isfinite(theirs[attack]).sum()
        assert ours[both].mean() <= 1.02 * theirs[attack][both].mean(), attack
