"""The network reads other cells through the bottleneck alone, and through no other block's."""

import pytest
import torch
from torch.autograd import grad

from tests.support.canvases import composer, separate, small

BLOCK_OF = [0, 1, 2, 0, 1, 2]


def test_a_pixel_reaches_no_logit_of_another_block():
    network, images = separate(BLOCK_OF, [2, 1, 1]), composer().compose(0, 0, 8).images
    images.requires_grad_(True)
    logits = network(images)
    for i in range(6):
        (gradient,) = grad(logits[:, i].sum(), images, retain_graph=True)
        for k in range(6):
            if BLOCK_OF[i] == BLOCK_OF[k]:
                assert gradient[:, k].abs().max() > 0
            else:
                assert (gradient[:, k] == 0).all()


@pytest.mark.parametrize("hidden", [0, 7])
@pytest.mark.parametrize("detectors", [0, 3])
def test_logits_are_the_decoded_sum_of_contributions(detectors, hidden):
    network, images = small(detectors=detectors, hidden=hidden), composer().compose(0, 0, 8).images
    decoded = network.decode(network.contributions(images).sum(1))
    torch.testing.assert_close(decoded, network(images), rtol=1e-5, atol=1e-6)


def test_a_contribution_is_its_own_cells_alone():
    network, images = small(), composer().compose(0, 0, 8).images
    before = network.contributions(images)
    images[:, 2] = 1 - images[:, 2]
    same = network.contributions(images) == before
    assert same[:, [0, 1, 3, 4, 5]].all()
    assert not same[:, 2].all()


def test_a_straight_through_slope_changes_gradients_and_no_value():
    network, images = small(), composer().compose(0, 0, 8).images.requires_grad_(True)
    plain, through = network(images), network(images, 0.3)
    assert torch.equal(plain, through)
    gradients = [grad(logits.sum(), images)[0] for logits in (plain, through)]
    assert not torch.allclose(*gradients)


@pytest.mark.parametrize("side", [14, 28, 32])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_trunk_takes_cells_of_the_usual_sides(side, channels):
    network = small(side=side, channels=channels)
    assert network(torch.rand(2, 6, channels, side, side)).shape == (2, 6)


@pytest.mark.parametrize("side", [6, 14, 28])
def test_the_trunk_is_two_convolutions_and_a_linear_layer(side):
    trunk = small(side=side, channels=3).trunk
    x = torch.rand(5, 3, side, side)
    before, after = trunk.padding[:2]
    h = torch.nn.functional.pad(x, (before, after, before, after))
    for layer, stride in ((trunk.first, trunk.stride), (trunk.second, 2)):
        kernel = layer.weight.unflatten(1, (stride, stride, -1)).permute(0, 3, 1, 2)
        h = torch.nn.functional.conv2d(h, kernel, layer.bias, stride).relu()
    known = trunk.last(h.permute(0, 2, 3, 1).flatten(1)).relu()
    torch.testing.assert_close(trunk(x), known, rtol=1e-5, atol=1e-6)


def test_blocks_need_a_linear_decoder():
    with pytest.raises(ValueError, match="give hidden 0"):
        small(hidden=8, owned=torch.ones(6, 4, dtype=torch.bool))
