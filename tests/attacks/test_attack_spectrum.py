"""What perturbations look like, against closed forms."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from interference.attacks.spectrum import BANDS, ENDS, band_shares, centroid, coherence, frequencies

SIDE = 28


def wave(rows, columns, side=SIDE):
    """A cosine of so many cycles per image down and across: (1, 1, side, side) float64."""
    place = torch.arange(side, dtype=torch.float64) / side
    phase = 2 * math.pi * (rows * place[:, None] + columns * place[None, :])
    return torch.cos(phase)[None, None]


def test_frequencies_are_cycles_per_image_over_half_of_the_side():
    found = frequencies(4)
    along = [0, 0.5, 1, 0.5]
    for i, j in np.ndindex(4, 4):
        assert found[i, j] == pytest.approx(math.hypot(along[i], along[j]))


@pytest.mark.parametrize(
    ("rows", "columns", "band"),
    [(1, 0, 0), (3, 0, 1), (0, 5, 2), (3, 4, 2), (7, 0, 2), (6, 8, 3), (14, 0, 3), (14, 14, 4)],
)
def test_a_wave_has_its_frequency_and_all_energy_in_its_band(rows, columns, band):
    delta = wave(rows, columns)
    assert centroid(delta).item() == pytest.approx(math.hypot(rows, columns) / 14, abs=1e-9)
    assert band_shares(delta)[0].tolist() == pytest.approx(
        [float(i == band) for i in range(BANDS)], abs=1e-12
    )


def test_of_two_waves_the_centroid_is_weighted_by_energy():
    delta = 3 * wave(1, 0) + wave(0, 10)
    assert centroid(delta).item() == pytest.approx((9 * 1 + 10) / 10 / 14)
    assert band_shares(delta)[0].tolist() == pytest.approx([0.9, 0, 0, 0.1, 0])


def test_a_constant_is_all_in_the_lowest_band_and_coherent():
    delta = torch.full((2, 3, SIDE, SIDE), -0.25)
    assert centroid(delta).tolist() == pytest.approx([0, 0], abs=1e-12)
    assert band_shares(delta)[:, 0].tolist() == pytest.approx([1, 1])
    assert coherence(delta).tolist() == pytest.approx([1, 1])


def test_a_checkerboard_is_the_opposite_and_stripes_are_between():
    board = wave(14, 14)
    assert coherence(board).item() == pytest.approx(-1)
    assert centroid(board).item() == pytest.approx(math.sqrt(2))
    assert coherence(wave(14, 0)).item() == pytest.approx(0, abs=1e-12)


def test_coherence_of_a_wave_is_its_cosine_over_a_pixel_but_for_the_edges():
    """Down columns of k cycles Σ ab = (n − 2) cos(a) / 2 and Σ (a² + b²)/2 = (n − 1 − cos² a) / 2 with
    a = 2πk/n; across rows pixels are equal, with n − 1 pairs of Σ a² = n / 2."""
    n, k = SIDE, 3
    a = 2 * math.pi * k / n
    down = n * (n - 2) * math.cos(a) / 2, n * (n - 1 - math.cos(a) ** 2) / 2
    across = (n - 1) * n / 2
    expected = (down[0] + across) / (down[1] + across)
    assert coherence(wave(k, 0)).item() == pytest.approx(expected)


def test_white_noise_has_in_each_band_its_area_and_no_coherence():
    noise = torch.randn(400, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    along = np.minimum(np.arange(SIDE), SIDE - np.arange(SIDE)) / (SIDE / 2)
    places = np.hypot(along[:, None], along[None, :])
    edges = [-1, *ENDS, 2]
    areas = [((places > a) & (places <= b)).mean() for a, b in pairwise(edges)]
    assert sum(areas) == pytest.approx(1)
    assert band_shares(noise).mean(0).tolist() == pytest.approx(areas, abs=2e-3)
    assert centroid(noise).mean().item() == pytest.approx(places.mean(), abs=2e-3)
    assert coherence(noise).mean().item() == pytest.approx(0, abs=5e-3)


def test_measures_are_per_image_whatever_the_length_and_of_all_channels_together():
    waves = torch.cat([wave(2, 0), 5 * wave(0, 10)])
    both = torch.cat([waves[:1], waves[1:]], dim=1)
    assert centroid(waves).tolist() == pytest.approx([2 / 14, 10 / 14])
    assert centroid(both).item() == pytest.approx((1 * 2 + 25 * 10) / 26 / 14)
    assert coherence(torch.cat([wave(14, 14), wave(0, 0)], dim=1)).item() == pytest.approx(0)


def test_what_is_zero_has_no_structure():
    nothing = torch.zeros(1, 1, SIDE, SIDE)
    assert centroid(nothing).isnan().all()
    assert coherence(nothing).isnan().all()
    assert band_shares(nothing).isnan().all()
