"""A planted dose is found at its size, and where there is none, or cells are permuted, none is."""

import math

import numpy as np
import torch

from interference.canvas.minimum import Pairs, flip, masks
from tests.support.canvases import handmade, pairs_near, tight_frame

N = 12
SEARCH = {"steps": 8, "starts": 1, "seed": 0}


def radii(network, *, cell_of=None):
    """Mean log radii by region; cell_of: the cell that is taken for each feature's own."""
    feature = torch.arange(N)
    own = feature if cell_of is None else cell_of
    pairs = pairs_near(network, torch.ones(N, N, dtype=torch.bool), feature, away=0.02, spread=0.1)
    return {
        name: flip(
            network,
            Pairs(pairs.images, pairs.canvas, pairs.feature, pairs.threshold, cells),
            **SEARCH,
        ).radius.double()
        for name, cells in masks(own, N).items()
    }


def interference(network):
    found = radii(network)
    return float((found["all"] / found["own"]).log().mean())


def slope(doses, values):
    return np.polyfit(np.log(doses), values, 1)[0]


def test_a_planted_dose_is_found_as_minus_half_its_log():
    doses = [1.2, 1.5, 2, 3, 6]
    terms = [interference(handmade(tight_frame(N, round(N / dose)))) for dose in doses]
    assert math.isclose(slope(doses, terms), -0.5, rel_tol=0.01)


def test_own_sensitivity_alone_is_no_interference():
    gains = [1.0, 2.0, 3.0, 6.0]
    networks = [handmade(gain * torch.eye(N)) for gain in gains]
    own = [float(radii(network)["own"].log().mean()) for network in networks]
    assert slope(gains, own) < -1.5
    assert abs(slope(gains, [interference(network) for network in networks])) < 1e-3


def test_under_permuted_cells_orthogonal_features_have_no_own_cell():
    found = radii(handmade(torch.eye(N)), cell_of=(torch.arange(N) + 5) % N)
    assert found["own"].isinf().all()
    torch.testing.assert_close(found["others"], found["all"], rtol=1e-4, atol=0)


def test_under_permuted_cells_a_frame_has_no_law_of_its_dose():
    frame = handmade(tight_frame(N, 4))
    known, permuted = radii(frame), radii(frame, cell_of=(torch.arange(N) + 5) % N)
    torch.testing.assert_close(permuted["all"], known["all"], rtol=1e-4, atol=0)
    assert (permuted["own"] > 1.5 * known["own"]).all()
