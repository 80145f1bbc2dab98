"""CKA without bias, against sums over tuples of images and geometries that are equal, rotated and independent."""

from itertools import permutations

import numpy as np
import pytest
import torch

from interference.attacks.kinship import cka, gram, hsic


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_tuples(a, b):
    """HSIC as its U-statistic has it: means over images that all differ (Song et al. 2012, eq. 3)."""
    n = len(a)
    pairs = np.mean([a[i, j] * b[i, j] for i, j in permutations(range(n), 2)])
    four = np.mean([a[i, j] * b[q, r] for i, j, q, r in permutations(range(n), 4)])
    three = np.mean([a[i, j] * b[i, q] for i, j, q in permutations(range(n), 3)])
    return pairs + four - 2 * three


def test_hsic_is_the_mean_over_images_that_all_differ():
    x, y = normal(7, 3), normal(7, 5, seed=1)
    expected = by_tuples((x @ x.T).numpy(), (y @ y.T).numpy())
    assert hsic(gram(x), gram(y)) == pytest.approx(expected, rel=1e-10)


def test_equal_geometry_is_one_also_rotated_scaled_and_shifted():
    x = normal(30, 2, 4)
    rotation, _ = torch.linalg.qr(normal(8, 8, seed=1))
    moved = 3 * x.flatten(1) @ rotation + normal(8, seed=2)
    assert cka(gram(x), gram(x)) == pytest.approx(1)
    assert cka(gram(x), gram(moved)) == pytest.approx(1)


def test_independent_geometry_is_zero_however_many_dimensions_there_are():
    """Where the plain index is 1 less next to nothing."""
    found = [
        cka(gram(normal(40, 500, seed=2 * i)), gram(normal(40, 500, seed=2 * i + 1)))
        for i in range(20)
    ]
    assert np.mean(found) == pytest.approx(0, abs=3 * np.std(found) / 20**0.5)
    assert np.max(np.abs(found)) < 0.2
    x, y = (normal(40, 500, seed=seed) for seed in (0, 1))
    a, b = ((z - z.mean(0)) @ (z - z.mean(0)).T for z in (x, y))
    assert float((a * b).sum() / (a.norm() * b.norm())) > 0.9


def test_shared_directions_are_between():
    common = normal(60, 20)
    x, y = (torch.cat([common, normal(60, 20, seed=seed)], dim=1) for seed in (1, 2))
    assert cka(gram(x), gram(y)) == pytest.approx(0.5, abs=0.1)
    assert cka(gram(x), gram(y)) == cka(gram(y), gram(x))


def test_what_is_constant_has_no_geometry():
    assert np.isnan(cka(gram(torch.ones(10, 3)), gram(normal(10, 3))))
