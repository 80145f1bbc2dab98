"""The loss that attacks raise: cross-entropy's direction and order, whatever the logits' scale."""

import importlib

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from interference.attacks.draws import Draws
from interference.attacks.victim import Victim
from interference.models.training import Adversary, attack_batch

IMAGES, CLASSES = 64, 5
ONCE = {"restarts": 1, "loss": "log-odds"}
METHODS = {
    "fgsm": {},
    "pgd": {"steps": 6, "relative_step": 0.4, "random_start": True, **ONCE},
    "apgd": {"steps": 6, **ONCE},
}
EPSILONS = {"l2": 0.4, "linf": 0.05}
SCALES = [1, 10, 30, 100, 1e3, 1e4]


class Scaled(nn.Module):
    """A small random network whose logits are multiplied by a number: its decisions do not change."""

    def __init__(self, scale: float):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(
            nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, CLASSES)
        )
        self.scale = scale

    def forward(self, x):
        return 5 * self.scale * self.body(x)


@pytest.fixture(scope="module")
def images():
    return torch.rand((IMAGES, 1, 8, 8), generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def labels(images):
    return Scaled(1)(images).argmax(1)


def attacked(method, norm, scale, images, labels):
    """(images moved, share still right) by an attack on the network of a scale."""
    network = Scaled(scale).eval().requires_grad_(False)
    module = importlib.import_module(f"interference.attacks.methods.{method}")
    epsilon, device = EPSILONS[norm], torch.device("cpu")
    result = module.perturb(
        Victim(network, labels),
        images,
        norm=norm,
        epsilon=epsilon,
        draws=Draws.of(0, epsilon, range(IMAGES), device),
        **METHODS[method],
    )
    assert int(result.zero_gradients.sum()) == 0
    return result.images, float((network(result.images).argmax(1) == labels).double().mean())


@pytest.mark.parametrize("norm", EPSILONS)
@pytest.mark.parametrize("method", METHODS)
def test_an_attack_is_no_weaker_where_the_network_is_surer(method, norm, images, labels):
    accuracies = []
    for scale in SCALES:
        moved, accuracy = attacked(method, norm, scale, images, labels)
        assert (moved != images).flatten(1).any(1).all()
        accuracies.append(accuracy)
    assert accuracies[0] < 0.7
    assert max(accuracies[1:]) <= accuracies[0] + 2 / IMAGES, accuracies
    assert max(accuracies[3:]) - min(accuracies[3:]) <= 2 / IMAGES, accuracies


@pytest.mark.parametrize("norm", EPSILONS)
def test_the_attack_of_training_moves_every_image_at_every_scale(norm, images, labels):
    for scale in SCALES:
        adversary = Adversary(
            norm=norm, epsilon=EPSILONS[norm], steps=1, relative_step=1.25, random_start=False
        )
        moved = attack_batch(Scaled(scale), images, labels, adversary, None)
        assert (moved != images).flatten(1).any(1).all()


def gradient(loss, x):
    x = x.clone().requires_grad_(True)
    (found,) = torch.autograd.grad(loss(x).sum(), x)
    return found.flatten(1).double()


def test_its_gradient_has_the_direction_of_cross_entropys(images, labels):
    network = Scaled(1).double()
    x = images.double()
    mine = gradient(Victim(network, labels).loss("log-odds"), x)
    reference = gradient(lambda x: cross_entropy(network(x), labels, reduction="none"), x)
    cosine = torch.cosine_similarity(mine, reference)
    torch.testing.assert_close(cosine, torch.ones_like(cosine), rtol=0, atol=1e-9)
    wrong = 1 - network(x).softmax(1).gather(1, labels[:, None])  # what cross-entropy's shrinks by
    torch.testing.assert_close(mine * wrong, reference)


def test_it_orders_points_as_cross_entropy_does_and_has_its_closed_form(images, labels):
    network = Scaled(1).double()
    values = Victim(network, labels).loss("log-odds")(images.double())
    p = network(images.double()).softmax(1).gather(1, labels[:, None]).squeeze(1)
    torch.testing.assert_close(values, ((1 - p) / p).log())
    reference = cross_entropy(network(images.double()), labels, reduction="none")
    assert torch.equal(values.argsort(), reference.argsort())


def test_it_is_finite_where_the_network_is_sure_and_where_it_is_sure_and_wrong(images, labels):
    for y in (labels, (labels + 1) % CLASSES):
        values = Victim(Scaled(1e4), y).loss("log-odds")(images)
        assert values.dtype == torch.float64
        assert values.isfinite().all()
