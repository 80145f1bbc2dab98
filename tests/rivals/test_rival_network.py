"""A stack of networks computes, and learns, what each of its networks would alone."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from interference.compute import generator
from interference.rivals.descent import Attack, Pool, attacked, descend, teach
from interference.rivals.network import Stack, drawn, joined

TRAINING = {"steps": 12, "batch_size": 16, "learning_rate": 0.02}
ATTACKS = [Attack("l2", 0.0, 1), Attack("l2", 0.5, 2), Attack("linf", 0.1, 2)]


def pool(classes: int = 4) -> Pool:
    labels = torch.arange(80) * 7 % classes
    images = torch.rand(80, 1, 3, 3, generator=generator(1))
    return Pool((images + labels[:, None, None, None] / classes) / 2, labels)


def stack(widths: tuple[int | None, ...] = (3, 3), classes: tuple[int, ...] = (4, 4)) -> Stack:
    networks = []
    for seed, (width, count) in enumerate(zip(widths, classes)):
        arrays = drawn(9, 5, width, max(classes), generator(7, seed))
        arrays = {name: array[None] for name, array in arrays.items()}
        networks.append(Stack(A=arrays.pop("A", None), **arrays, classes=torch.tensor([count])))
    return joined(networks)


def copied(networks: Stack) -> Stack:
    return networks[list(range(len(networks)))]


@pytest.mark.parametrize("width", [3, None])
def test_logits_are_those_of_three_products(width):
    networks, x = stack((width, width)), torch.rand(2, 6, 9, generator=generator(2))
    for row, logits in enumerate(networks(x)):
        U, u, W, b = (getattr(networks, name)[row].double() for name in ("U", "u", "W", "b"))
        h = (x[row].double() @ U + u).clamp_min(0)
        z = h if width is None else h @ networks.A[row].double()
        torch.testing.assert_close(logits, (z @ W.T + b).float())


def test_a_class_that_a_network_has_not_is_never_said_and_gives_no_gradient():
    networks = stack((None, None), (2, 4))
    x, _ = pool().batch(networks.classes, 16, generator(3))
    assert networks(x)[0].argmax(1).max() < 2
    before = networks.W.clone()
    teach(networks, pool(), TRAINING, ATTACKS[1], generator(4))
    torch.testing.assert_close(networks.W[0, 2:], before[0, 2:])
    assert networks.W.isfinite().all()


def test_networks_of_few_classes_see_these_alone_and_equal_ones_the_same_images():
    x, labels = pool().batch(torch.tensor([2, 4, 4]), 200, generator(5))
    assert set(labels[0].tolist()) == {0, 1}
    assert set(labels[1].tolist()) == {0, 1, 2, 3}
    assert torch.equal(x[1], x[2])


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_network_learns_in_a_stack_what_it_learns_alone(attack):
    together = stack()
    alone = [copied(together[[row]]) for row in range(2)]
    teach(together, pool(), TRAINING, attack, generator(6))
    for row, network in enumerate(alone):
        teach(network, pool(), TRAINING, attack, generator(6))
        for name, value in network.parameters().items():
            torch.testing.assert_close(
                together.parameters()[name][row], value[0], atol=1e-5, rtol=1e-4
            )


def test_a_forced_readout_stays_and_a_learned_one_moves():
    networks = stack()
    before = copied(networks)
    teach(networks, pool(), TRAINING, ATTACKS[1], generator(6), torch.tensor([True, False]))
    assert torch.equal(networks.W[1], before.W[1])
    assert torch.equal(networks.b[1], before.b[1])
    assert not torch.equal(networks.W[0], before.W[0])
    assert not torch.equal(networks.A[1], before.A[1])


def test_dimensions_that_a_bottleneck_has_not_stay_zero():
    networks = stack()
    for array in (networks.A, networks.W):
        array[0, :, 2] = 0
    teach(networks, pool(), TRAINING, ATTACKS[1], generator(6))
    assert networks.A[0, :, 2].abs().max() == networks.W[0, :, 2].abs().max() == 0
    assert networks.A[1, :, 2].abs().min() > 0


def test_descent_is_adam_at_a_rate_that_rises_and_falls():
    start = torch.randn(4, 3, generator=generator(8))
    ours, theirs = start.clone(), start.clone().requires_grad_()
    descend([ours], lambda: (ours**4 - ours).sum(), 40, 0.05)
    optimizer = torch.optim.Adam([theirs], lr=0.05)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: (
            min(1, step / 40 / 0.05) * (1 + torch.cos(torch.tensor(torch.pi * step / 40))) / 2
        ),
    )
    for _ in range(40):
        optimizer.zero_grad()
        (theirs**4 - theirs).sum().backward()
        optimizer.step()
        schedule.step()
    torch.testing.assert_close(ours, theirs.detach(), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("attack", ATTACKS[1:])
def test_an_attack_stays_in_its_ball_and_raises_every_network_s_loss(attack):
    networks = stack()
    teach(networks, pool(), TRAINING, ATTACKS[0], generator(6))
    x, labels = pool().batch(networks.classes, 30, generator(9))
    changed = attacked(networks, x, labels, attack)
    order = {"l2": 2, "linf": torch.inf}[attack.norm]
    assert (changed - x).norm(p=order, dim=2).max() <= attack.epsilon * (1 + 1e-5)
    assert 0 <= changed.min() <= changed.max() <= 1
    for before, after, own in zip(networks(x), networks(changed), labels):
        assert cross_entropy(after, own) > cross_entropy(before, own)
