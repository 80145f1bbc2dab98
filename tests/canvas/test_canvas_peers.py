"""Least changes beside those of foolbox's DDN and FMN, with as many gradients per pair."""

import numpy as np
import pytest
import torch

from interference.canvas import learn
from interference.canvas.family import Pool, read_family
from interference.canvas.minimum import flip, masks
from interference.canvas.pairs import as_pairs, choose
from tests.support.canvases import family_spec, member
from tests.support.peers import in_foolbox

pytestmark = pytest.mark.xdist_group("foolbox")  # whose process starts once, in one worker

STEPS, STARTS, COUNT = 20, 2, 24
REGIONS = ["all", "own", "others"]
REGIMES = {"dense": {}, "sparse": {"detectors": 3, "hidden": 24}}


@pytest.fixture(scope="module")
def pairs(small_images, tmp_path_factory):
    """Networks and pairs by regime and region, those that foolbox found radii of beside them."""
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
    theirs = in_foolbox(folder, STEPS * STARTS)
    return {key: (*value, theirs["-".join(key)]) for key, value in found.items()}


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
