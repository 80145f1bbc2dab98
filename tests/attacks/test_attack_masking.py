"""Networks that hide their gradients are caught: zero gradients are counted, and Square finds more."""

import pytest
import torch
from torch import nn

from interference.attacks.victim import Victim
from tests.attacks.test_attack_methods import perturb

IMAGES, CLASSES = 40, 5
EPSILONS = {"l2": 0.5, "linf": 0.06}
WHITE_BOX = {
    "fgsm": {},
    "pgd": {"steps": 10, "relative_step": 0.25},
    "apgd": {"steps": 40, "restarts": 3, "loss": "log-odds"},
}
ENSEMBLE = {"steps": 10, "restarts": 1, "targets": 2, "queries": 300}


def network(scale=1.0, levels=None):
    """A small random network; its logits times a number, its pixels rounded to some levels."""
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, CLASSES))
    body.requires_grad_(False)
    return lambda x: scale * body(x if levels is None else (x * levels).round() / levels)


@pytest.fixture(scope="module")
def pixels():
    return torch.rand((IMAGES, 1, 8, 8), generator=torch.Generator().manual_seed(1))


def attacked(logits, x, norm, method, **options):
    """(accuracy, zero gradients) under an attack on the labels that the network gives itself."""
    victim = Victim(logits, logits(x).argmax(1))
    found = perturb(method, victim, x, norm=norm, epsilon=EPSILONS[norm], **options)
    wrong = victim.margin(found.images) > 0
    return 1 - wrong.double().mean().item(), int(found.zero_gradients.sum())


@pytest.mark.parametrize("norm", EPSILONS)
def test_without_masking_attacks_are_in_their_order_and_no_gradient_is_zero(norm, pixels):
    found = {
        name: attacked(network(), pixels, norm, name, **options)
        for name, options in {
            **WHITE_BOX, "apgd": WHITE_BOX["apgd"] | {"loss": "dlr"}, "square": {"queries": 300}, "noise": {}, "strongest": ENSEMBLE,
        }.items()
    }  # fmt: skip
    accuracy = {name: share for name, (share, _) in found.items()}
    assert accuracy["strongest"] <= accuracy["pgd"] <= accuracy["fgsm"] <= accuracy["noise"]
    assert accuracy["strongest"] <= accuracy["square"] <= accuracy["noise"]
    assert accuracy["noise"] - accuracy["strongest"] > 0.3
    assert sum(zeros for _, zeros in found.values()) == 0


@pytest.mark.parametrize("norm", EPSILONS)
@pytest.mark.parametrize("method", WHITE_BOX)
def test_logits_that_are_ten_thousand_times_as_large_hide_nothing(method, norm, pixels):
    plain, sure = (
        attacked(network(scale), pixels, norm, method, **WHITE_BOX[method]) for scale in (1, 1e4)
    )
    assert sure[1] == 0
    assert sure[0] <= plain[0] + 2 / IMAGES


@pytest.mark.parametrize("norm", EPSILONS)
def test_rounded_pixels_are_caught_by_zero_gradients_and_by_square(norm, pixels):
    rounded = network(levels=32)
    for method, options in WHITE_BOX.items():
        accuracy, zeros = attacked(rounded, pixels, norm, method, **options)
        assert zeros >= IMAGES
        square, _ = attacked(rounded, pixels, norm, "square", queries=300)
        assert square < accuracy - 0.1  # white-box >= Square does not hold
    strongest, _ = attacked(rounded, pixels, norm, "strongest", **ENSEMBLE)
    assert strongest <= square + 2 / IMAGES  # its Square draws other squares
