"""Where attacks point beside where class vectors say: against autograd, brute force and hand-made networks."""

from itertools import permutations

import pytest
import torch

from interference.compute import generator
from interference.rivals.descent import Attack, attacked
from interference.rivals.directions import gradients, predicted, towards
from interference.rivals.geometry import cosines, nearest
from interference.rivals.network import Stack, drawn

CLASSES, WIDTH, PIXELS = 4, 2, 12


def network(width: int | None = WIDTH) -> Stack:
    arrays = {n: a[None] for n, a in drawn(PIXELS, 6, width, CLASSES, generator(1)).items()}
    return Stack(A=arrays.pop("A", None), **arrays, classes=torch.tensor([CLASSES]))


def linear(W: torch.Tensor, pixels: int) -> Stack:
    """A network whose hidden units are pixels, and whose bottleneck the first of them, 0 at one half."""
    classes, width = W.shape
    U = torch.eye(pixels)[None]
    A = torch.eye(pixels)[None, :, :width]
    b = -W.sum(1)[None, None] / 2
    return Stack(U, torch.zeros(1, 1, pixels), A, W[None], b, torch.tensor([classes]))


@pytest.mark.parametrize("width", [WIDTH, None])
def test_gradients_are_autograd_s(width):
    x = torch.rand(5, PIXELS, generator=generator(2))
    found = gradients(network(width), x[None])[0]
    for row, image in enumerate(x):
        jacobian = torch.autograd.functional.jacobian(
            lambda y: network(width)(y[None, None])[0, 0], image
        )
        torch.testing.assert_close(found[row], jacobian, atol=1e-5, rtol=1e-4)


def test_cosines_are_those_of_the_differences_of_gradients():
    gradient = torch.randn(3, CLASSES, PIXELS, generator=generator(3)).double()
    change = torch.randn(3, PIXELS, generator=generator(4)).double()
    found = towards(gradient, change)
    for row in range(3):
        for a in range(CLASSES):
            for b in range(CLASSES):
                apart = gradient[row, b] - gradient[row, a]
                known = apart @ change[row] / (apart.norm() * change[row].norm()) if a != b else 0.0
                assert found[row, a, b] == pytest.approx(float(known), abs=1e-9)


def test_controls_are_means_over_all_permutations_and_over_all_other_classes():
    cosine = torch.rand(1, CLASSES, CLASSES, generator=generator(5)).double()
    cosine.diagonal(dim1=1, dim2=2).zero_()
    gram, label = cosines(torch.randn(CLASSES, 2, generator=generator(6))), torch.tensor([2])
    found = predicted(cosine, label, gram)
    assert found["cosine"] == cosine[0, 2, nearest(gram)[2]]
    dealt = []
    for order in permutations(range(CLASSES)):
        place = torch.tensor(order)
        own = nearest(gram[place][:, place])  # of the geometry that a permutation gives to classes
        dealt.append(cosine[0, place[2], place[own[2]]])
    assert found["cosine_shuffled"] == pytest.approx(float(torch.stack(dealt).mean()))
    assert found["cosine_other"] == pytest.approx(float(cosine[0, 2].sum() / (CLASSES - 1)))


def test_an_attack_on_a_linear_network_points_where_its_class_vectors_say():
    """Each image is its class vector, and the network is sure: an attack goes for the nearest class."""
    angles = torch.deg2rad(torch.tensor([0.0, 40.0, 120.0, 190.0, 265.0]))
    W, labels = torch.stack([angles.cos(), angles.sin()], 1), torch.arange(5)
    stack, x = linear(50 * W, 20), torch.full((5, 20), 0.5)
    x[:, :2] += W / 4
    changed = attacked(stack, x[None], labels[None], Attack("l2", 0.22, 20), keep_best=True)[0]
    gram = cosines(W)
    landed = stack(changed[None])[0].argmax(1)
    assert landed.tolist() == nearest(gram).tolist() == [1, 0, 3, 2, 3]
    cosine = towards(gradients(stack, x[None])[0], changed - x)
    found = {name: float(value.mean()) for name, value in predicted(cosine, labels, gram).items()}
    assert found["cosine"] > 0.95
    assert found["cosine_other"] < 0.85
    assert abs(found["cosine_shuffled"]) < 0.4
