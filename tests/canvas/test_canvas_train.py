"""Networks learn their features, the same bytes each time, on a trunk that may be frozen."""

import copy

import pytest
import torch

from interference.canvas import train as training
from interference.canvas.bounded import Adversary
from interference.canvas.compose import Composer
from interference.canvas.thresholds import accuracy, balanced, equal_error, evidence
from interference.canvas.train import Adam, pretrain, train
from interference.compute import generator
from tests.support.canvases import SIDE, small

SPEC = {"steps": 200, "batch_size": 64, "learning_rate": 1e-2}


def quadrants() -> Composer:
    """Images of noise, whose bright quadrant is their class."""
    labels = torch.arange(80) % 4
    images = torch.rand(80, 1, SIDE, SIDE, generator=generator(1)) / 2
    for label in range(4):
        row, column = 3 * (label // 2), 3 * (label % 2)
        images[labels == label, :, row : row + 3, column : column + 3] += 0.5
    return Composer(images, labels, classes=4, cells=6, density=0.3, halved=False)


def taught():
    """A trunk of random weights, taught."""
    return pretrain(small().trunk.requires_grad_(True), 5, quadrants(), SPEC, generator(2))


@pytest.fixture(scope="module")
def teacher():
    return taught()


def trained(teacher, *, frozen=False, steps=20):
    network = small(dimensions=6).requires_grad_(True)
    return train(network, teacher, quadrants(), SPEC | {"steps": steps}, 3, frozen=frozen)


def test_a_trunk_learns_the_classes(teacher):
    images, labels = quadrants().pool()
    assert (teacher.head(teacher.trunk(images)).argmax(1) == labels).float().mean() > 0.95


def test_a_network_with_a_dimension_per_feature_learns_them(teacher):
    network, make = trained(teacher, steps=200), quadrants()
    threshold = equal_error(balanced(network, evidence(network, make, 4, 100)))
    others = balanced(network, evidence(network, make, 5, 100))
    assert accuracy(others, threshold).mean() > 0.95


def test_training_again_gives_the_same_bytes():
    one, two = (trained(taught()).state_dict() for _ in range(2))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_frozen_trunk_stays_and_another_does_not_touch_its_teacher(teacher):
    before = copy.deepcopy(teacher.trunk.state_dict())
    for frozen in (True, False):
        after = trained(teacher, frozen=frozen).trunk.state_dict()
        assert all(torch.equal(after[name], before[name]) for name in before) == frozen
    kept = teacher.trunk.state_dict()
    assert all(torch.equal(kept[name], before[name]) for name in before)


def test_a_cells_first_detector_starts_at_its_class_against_the_others(teacher):
    make = quadrants()
    network = train(
        small().requires_grad_(True), teacher, make, SPEC | {"learning_rate": 0.0}, 3, frozen=True
    )
    images = make.compose(7, 0, 20).images
    logits = teacher.head(teacher.trunk(images.flatten(0, 1))).unflatten(0, (20, 6))
    own = torch.nn.functional.one_hot(torch.from_numpy(make.target()), 4).bool()
    others = logits.masked_fill(own, 0).sum(2) / 3
    known = (logits[:, own] - others).relu()
    torch.testing.assert_close(network.evidence(images)[..., 0], known, rtol=1e-4, atol=1e-5)


def test_a_canvas_under_attack_counts_as_much_as_any_other_canvas_of_its_step():
    network, clean = small(), Adversary(0.0, 2, "all")
    found = []
    for count in (training.UNDER_ATTACK, 128):
        batch = quadrants().compose(5, 0, count)
        found.append(count * training._under_attack(network, batch, clean, generator(4)))
    assert found[0] > 0
    torch.testing.assert_close(found[0], found[1])


def test_adam_takes_the_steps_of_torchs_optimiser():
    start = [torch.randn(shape, generator=generator(6)) for shape in ((3, 4), (4,), (2,))]
    ours, theirs = ([p.clone().requires_grad_(True) for p in start] for _ in range(2))
    optimizer, reference = Adam(ours), torch.optim.Adam(theirs, 1.0)
    for step, rate in enumerate((0.1, 0.3, 0.02)):
        reference.param_groups[0]["lr"] = rate
        for parameters in (ours, theirs):
            (parameters[0] @ parameters[1] + step).square().sum().backward()
        optimizer.step(rate)
        reference.step()
        reference.zero_grad()
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs))
    assert torch.equal(ours[2], start[2])  # had no gradient
    assert not torch.equal(ours[0], start[0])
