"""Losses from logits against the papers' equations, written once more with sorted logits."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from interference.attacks.losses import LOSSES, dlr, log_odds, margin, targeted_dlr

COMMON = settings(max_examples=40, deadline=None)
CASES = {
    "classes": st.integers(4, 12),
    "seed": st.integers(0, 500),
    "scale": st.sampled_from([0.1, 1, 30]),
}


def cases(classes, seed, scale, images=6):
    random = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn((images, classes), generator=random).double()
    return logits, torch.randint(classes, (images,), generator=random)


@COMMON
@given(**CASES)
def test_they_are_the_papers_equations_image_by_image(classes, seed, scale):
    logits, labels = cases(classes, seed, scale)
    targets = (labels + 1) % classes
    computed = {name: loss(logits, labels) for name, loss in LOSSES.items()}
    targeted = targeted_dlr(logits, labels, targets)
    for i, (z, y, t) in enumerate(zip(logits, labels, targets, strict=True)):
        others = torch.cat([z[:y], z[y + 1 :]])
        first, _, third, fourth = z.sort(descending=True).values[:4]
        p = z.softmax(0)[y]
        expected = {
            "log-odds": (others.softmax(0) * 0 + others).exp().sum().log() - z[y],
            "margin": others.max() - z[y],
            "dlr": -(z[y] - others.max()) / (first - third),
        }
        for name, value in expected.items():
            torch.testing.assert_close(computed[name][i], value, msg=name)
        if 1e-9 < p < 1 - 1e-9:
            torch.testing.assert_close(
                computed["log-odds"][i], ((1 - p) / p).log(), rtol=1e-5, atol=1e-6
            )
        expected_targeted = -(z[y] - z[t]) / (first - (third + fourth) / 2)
        torch.testing.assert_close(targeted[i], expected_targeted)


@COMMON
@given(**CASES)
def test_the_margin_and_dlr_are_above_zero_where_the_network_is_mistaken(classes, seed, scale):
    logits, labels = cases(classes, seed, scale)
    mistaken = logits.argmax(1) != labels
    assert torch.equal(margin(logits, labels) > 0, mistaken)
    assert torch.equal(dlr(logits, labels) > 0, mistaken)
    assert (log_odds(logits, labels)[mistaken] > 0).all()


@pytest.mark.parametrize("scale", [1e-3, 1e3])
@COMMON
@given(seed=st.integers(0, 500))
def test_dlr_does_not_hang_on_the_scale_of_logits(scale, seed):
    logits, labels = cases(6, seed, 1)
    targets = (labels + 2) % 6
    torch.testing.assert_close(dlr(scale * logits, labels), dlr(logits, labels))
    torch.testing.assert_close(
        targeted_dlr(scale * logits, labels, targets), targeted_dlr(logits, labels, targets)
    )


def test_equal_logits_give_finite_losses():
    logits, labels = torch.zeros(2, 5).double(), torch.tensor([0, 4])
    for loss in LOSSES.values():
        assert loss(logits, labels).isfinite().all()
    assert targeted_dlr(logits, labels, labels.flip(0)).isfinite().all()
