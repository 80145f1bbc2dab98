"""What an image gets hangs on the seed, the radius and the image, not on its batch nor on its place."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from interference.attacks.draws import Draws
from tests.attacks.test_attack_methods import CPU, DRAW_NOTHING, METHODS, NORMS, images, perturb
from tests.attacks.test_attack_methods import curved as loss


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("method", sorted(set(METHODS) - {"shuffled"}))
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 500), size=st.integers(1, 4))
def test_batches_of_any_size_give_the_same_images(method, norm, seed, size):
    x = images((5, 1, 6, 6), seed)
    whole = perturb(method, loss, x, norm=norm, epsilon=0.4, seed=seed).images
    parts = [
        perturb(
            method, loss, x[i : i + size], norm=norm, epsilon=0.4, seed=seed,
            images=range(5)[i : i + size],
        ).images
        for i in range(0, 5, size)
    ]  # fmt: skip
    torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("method", sorted(set(METHODS) - {"shuffled"}))
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 500), order=st.permutations(range(4)))
def test_images_in_another_order_get_the_same(method, norm, seed, order):
    x = images((4, 1, 6, 6), seed)
    straight = perturb(method, loss, x, norm=norm, epsilon=0.4, seed=seed).images
    permuted = perturb(
        method, loss, x[order], norm=norm, epsilon=0.4, seed=seed, images=order
    ).images
    torch.testing.assert_close(permuted, straight[order], rtol=0, atol=1e-5)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("method", sorted(set(METHODS) - DRAW_NOTHING))
def test_another_radius_or_image_draws_anew(method, norm):
    x = images((1, 1, 6, 6), saturated=False).expand(2, -1, -1, -1)
    a, b = perturb(method, loss, x, norm=norm, epsilon=0.2).images
    assert not torch.equal(a, b)


def test_streams_of_images_that_are_left_go_on_where_they_were():
    streams, alone = (Draws.of(3, 0.5, which, CPU) for which in (range(4), [2]))
    for draws in (streams, alone):
        draws.normal(2, 3)
    left = streams.select(torch.tensor([0, 2]))
    torch.testing.assert_close(left.uniform(5)[1:], alone.uniform(5), rtol=0, atol=0)
    torch.testing.assert_close(
        left.in_ball((1, 4), 0.5, "l2")[1:], alone.in_ball((1, 4), 0.5, "l2"), rtol=0, atol=0
    )


def test_streams_differ_between_seeds_radii_and_images():
    drawn = [
        Draws.of(seed, epsilon, [image], CPU).uniform(4)
        for seed in (0, 1)
        for epsilon in (0.5, 1.0)
        for image in (0, 1)
    ]
    assert len({tuple(values.flatten().tolist()) for values in drawn}) == 8
