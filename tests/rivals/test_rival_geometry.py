"""Frames that are forced, and what makes two geometries alike: hand-made cases with known answers."""

import math

import pytest
import torch

from interference.compute import generator
from interference.rivals.geometry import cosines, forced, harmonic, nearest, similarity, turn

EVEN = [(10, 2), (10, 3), (10, 5), (10, 8), (10, 9), (4, 3), (5, 2), (5, 4)]


@pytest.mark.parametrize(("classes", "width"), EVEN)
def test_a_harmonic_frame_is_centred_tight_and_of_unit_norm(classes, width):
    W = harmonic(classes, width).double()
    torch.testing.assert_close(W.norm(dim=1), torch.ones(classes).double())
    torch.testing.assert_close(W.sum(0), torch.zeros(width).double(), atol=1e-5, rtol=0)
    tight = classes / width * torch.eye(width).double()
    torch.testing.assert_close(W.T @ W, tight, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("classes", "width"), EVEN)
def test_its_cosines_hang_on_the_distance_along_the_ring_alone(classes, width):
    gram = cosines(harmonic(classes, width))
    for shift in range(classes):
        torch.testing.assert_close(gram.roll((shift, shift), (0, 1)), gram, atol=1e-5, rtol=0)


def test_it_is_a_polygon_in_two_dimensions_and_a_simplex_in_classes_less_one():
    place = torch.arange(10).double()
    polygon = torch.cos(2 * math.pi * (place[:, None] - place) / 10)
    torch.testing.assert_close(cosines(harmonic(10, 2)), polygon, atol=1e-6, rtol=0)
    simplex = torch.full((10, 10), -1 / 9).double().fill_diagonal_(1)
    torch.testing.assert_close(cosines(harmonic(10, 9)), simplex, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("classes", "width"), [(10, 10), (10, 1), (5, 3)])
def test_there_is_no_frame_of_other_widths(classes, width):
    with pytest.raises(ValueError, match="no harmonic frame"):
        harmonic(classes, width)


def test_one_frame_is_the_same_geometry_for_all_seeds_and_in_other_directions():
    a, b = forced(10, 3, 0, 0), forced(10, 3, 0, 1)
    assert not torch.allclose(a, b, atol=0.1)
    assert similarity(cosines(a), cosines(b)) == pytest.approx(1)
    assert abs(similarity(cosines(a), cosines(forced(10, 3, 1, 0)))) < 0.5


def test_equal_turned_and_moved_class_vectors_are_alike_and_independent_ones_are_not():
    W = torch.randn(10, 3, generator=generator(1))
    turned = 2 * W @ turn(3, generator(2)) + torch.tensor([5.0, -1.0, 2.0])
    assert similarity(cosines(W), cosines(W)) == pytest.approx(1)
    assert similarity(cosines(W), cosines(turned)) == pytest.approx(1)
    others = [torch.randn(10, 3, generator=generator(seed)) for seed in range(3, 43)]
    found = torch.tensor([similarity(cosines(W), cosines(other)) for other in others])
    assert abs(found.mean()) < 3 * found.std() / len(found) ** 0.5
    assert found.abs().max() < 0.7


def test_a_simplex_is_like_nothing_since_all_its_cosines_are_equal():
    simplex, other = (
        cosines(forced(10, 9, 0, 0)),
        cosines(torch.randn(10, 9, generator=generator(4))),
    )
    assert math.isnan(similarity(simplex, other))
    assert math.isnan(similarity(simplex, simplex))


def test_the_nearest_class_is_no_class_itself_but_the_one_of_the_largest_cosine():
    W = torch.tensor([[1.0, 0.1], [1.0, -0.1], [-1.0, 0.5], [-1.0, -0.5]])
    assert nearest(cosines(W)).tolist() == [1, 0, 3, 2]
