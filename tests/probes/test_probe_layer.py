"""Conditions within a layer: how far and where activations are displaced, and what is said of them."""

import numpy as np
import pytest

from interference.activations.standardise import Statistics
from interference.config.values import DISPLACED
from interference.probes.layer import Layer

D, IMAGES, POSITIONS = 4, 3, 6
INDICES = np.array([50, 51, 57])
#: Of the held-out rows: the second channel is nearly the first, the last hardly varies.
MIXING = np.array([[1, 0.95, 0, 0], [0, 0.1, 0, 0], [0, 0, 2, 0], [0, 0, 0, 0.01]])


def layer(seed=0, images=400):
    rng = np.random.default_rng(seed)
    rows = (rng.standard_normal((images, POSITIONS, D)) @ MIXING + 3).astype(np.float32)
    return Layer(None, "layer1", Statistics(np.zeros(D), np.ones(D), floored=0), rows)


def attacked(seed=1):
    clean, moved = np.random.default_rng(seed).standard_normal((2, IMAGES, POSITIONS, D))
    return clean.astype(np.float32), (clean + moved).astype(np.float32)


@pytest.mark.parametrize("control", DISPLACED)
def test_activations_are_displaced_as_far_as_the_attack_does_at_every_position(control):
    clean, values = attacked()
    displaced = layer().displaced(clean, values, control, INDICES, 0)
    assert displaced.dtype == np.float32
    np.testing.assert_allclose(
        np.linalg.norm(displaced - clean, axis=2), np.linalg.norm(values - clean, axis=2), rtol=1e-5
    )


def test_directions_are_uniform_or_have_the_covariance_of_the_layer():
    clean = np.zeros((2000, POSITIONS, D), np.float32)
    values, images = clean + 1, np.arange(2000)
    second = {}
    for control in DISPLACED:
        unit = layer().displaced(clean, values, control, images, 0).reshape(-1, D) / np.sqrt(D)
        second[control] = unit.T @ unit / len(unit)
    np.testing.assert_allclose(second["displaced-random"], np.eye(D) / D, atol=0.02)
    g = np.random.default_rng(5).standard_normal((10**5, D)) @ MIXING
    g /= np.linalg.norm(g, axis=1, keepdims=True)
    np.testing.assert_allclose(second["displaced-covariance"], g.T @ g / len(g), atol=0.02)


@pytest.mark.parametrize("control", DISPLACED)
def test_an_image_has_its_own_directions_whatever_is_displaced_beside_it(control):
    clean, values = attacked()
    whole = layer().displaced(clean, values, control, INDICES, 0)
    alone = layer().displaced(clean[1:2], values[1:2], control, INDICES[1:2], 0)
    np.testing.assert_array_equal(whole[1:2], alone)
    further = layer().displaced(clean, clean + 2 * (values - clean), control, INDICES, 0)
    np.testing.assert_allclose(further - clean, 2 * (whole - clean), rtol=1e-4, atol=1e-4)
    for other in (
        layer().displaced(clean, values, control, INDICES + 1, 0),
        layer().displaced(clean, values, control, INDICES, 1),
        layer().displaced(clean, values, next(c for c in DISPLACED if c != control), INDICES, 0),
    ):
        assert np.abs(other - whole).max() > 0.1


def test_what_an_attack_does_not_move_stays():
    clean, _ = attacked()
    for control in DISPLACED:
        np.testing.assert_array_equal(layer().displaced(clean, clean, control, INDICES, 0), clean)


def test_lengths_ranges_and_deviations_are_those_of_plain_sums():
    clean, values = attacked()
    values[0, 0] = 1000
    here = layer()
    found = here.moved(clean, values)
    rows = here.heldout.reshape(-1, D).astype(float)
    for i in range(IMAGES):
        v, before = values[i].astype(float), clean[i].astype(float)
        outside = (v < rows.min(0)) | (v > rows.max(0))
        expected = {
            "length": np.sqrt((v**2).sum() / POSITIONS),
            "moved": np.sqrt(((v - before) ** 2).sum() / POSITIONS),
            "outside": outside.mean(),
            "deviation": ((v - rows.mean(0)) ** 2).sum(),
        }
        for name, value in expected.items():
            assert found[name][i] == pytest.approx(value, rel=1e-5), name
    assert found["outside"][0] >= 1 / POSITIONS
