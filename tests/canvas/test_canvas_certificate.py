"""Certified radii: never above what an attack finds, and no less where a network is linear."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from interference.canvas.certificate import certified
from interference.canvas.minimum import Pairs, flip, masks
from tests.support.canvases import composer, small

COUNT = 12


def pairs_of(network, seed=0):
    """Pairs on composed canvases, thresholds at the features' mean logits."""
    images, feature = composer().compose(seed, 0, COUNT).images, torch.arange(COUNT) % 6
    threshold = network(images).mean(0)[feature]
    cells = torch.ones(COUNT, 6, dtype=torch.bool)
    return Pairs(images, torch.arange(COUNT), feature, threshold, cells)


def radii(network, pairs):
    """What the attack finds, by region."""
    return {
        name: flip(
            network,
            Pairs(pairs.images, pairs.canvas, pairs.feature, pairs.threshold, cells),
            steps=15,
            starts=2,
            seed=0,
        ).radius
        for name, cells in masks(pairs.feature, 6).items()
    }


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    detectors=st.sampled_from([0, 3]),
    scale=st.floats(0.2, 5),
    bias=st.floats(-0.5, 0.5),
)
def test_no_attack_is_below_the_certified_radius(seed, detectors, scale, bias):
    network = small(seed=seed, detectors=detectors)
    for layer in (network.trunk.first, network.trunk.second, network.trunk.last):
        layer.weight *= scale
        layer.bias += bias * torch.randn(layer.bias.shape)
    pairs = pairs_of(network, seed)
    bounds, found = certified(network, pairs), radii(network, pairs)
    for region, radius in found.items():
        assert (bounds[region] <= radius * (1 + 1e-5)).all(), region


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), detectors=st.sampled_from([0, 3]))
def test_the_rise_of_evidence_within_a_radius_is_below_its_bound(seed, detectors):
    from interference.canvas.certificate import _Cells

    network, draw = small(seed=seed, detectors=detectors), torch.Generator().manual_seed(seed)
    images = composer().compose(seed, 0, 4).images.flatten(0, 1)
    cell, radius = torch.arange(6).repeat(4), torch.rand(24, generator=draw) * 2
    slope = torch.randn(24, detectors or 5, generator=draw)
    c, a = _Cells(network, images, cell).losses(slope, radius)

    def value(x):
        e = network.trunk(x)
        if detectors:
            e = (torch.einsum("nd,ndk->nk", e, network.B[cell]) + network.c[cell]).relu()
        return (slope * e).sum(1)

    for _ in range(20):
        delta = torch.randn(images.shape, generator=draw)
        length = radius * torch.rand(24, generator=draw)
        delta *= (length / delta.flatten(1).norm(dim=1))[:, None, None, None]
        moved = (images + delta).clamp(0, 1)
        far = (moved - images).flatten(1).norm(dim=1)
        assert (value(moved) - value(images) <= c + a * far + 1e-4).all()


@pytest.mark.parametrize("region", ["all", "own", "others"])
@pytest.mark.parametrize("detectors", [0, 3])
def test_where_no_relu_changes_it_certifies_what_the_attack_finds(detectors, region):
    network = small(detectors=detectors)
    trunk = network.trunk
    for layer, bias in ((trunk.first, 4), (trunk.second, 20), (trunk.last, 100)):
        layer.bias += bias
    if detectors:
        network.c += 500
    images = 0.3 + 0.4 * pairs_of(network).images  # far from the walls of the box
    logits = network(images)[torch.arange(COUNT), torch.arange(COUNT) % 6]
    away = 0.1 * (1 - 2.0 * (torch.arange(COUNT) % 2))
    pairs = replace(pairs_of(network), images=images, threshold=logits + away)
    bound, radius = certified(network, pairs)[region], radii(network, pairs)[region]
    # λ is off by up to a factor of 2^¼
    np.testing.assert_allclose(bound, radius, rtol=0.03)


def test_more_layers_than_the_decoder_has_are_refused():
    network = small(hidden=7)
    with pytest.raises(ValueError, match="give hidden 0"):
        certified(network, pairs_of(network))
