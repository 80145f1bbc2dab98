"""The optimiser and its rate against torch's own, to the bit."""

import copy

import pytest
import torch
from torch.nn.functional import cross_entropy

from interference.models.sgd import SGD, one_cycle
from tests.support.in_ranks import network


@pytest.mark.parametrize("steps", [2, 3, 5, 6, 47, 141, 142, 1001])
@pytest.mark.parametrize("peak", [0.02, 0.05, 0.3])
def test_the_rate_is_that_of_torch(steps, peak):
    parameter = torch.zeros(1, requires_grad=True)
    theirs = torch.optim.SGD([parameter], lr=peak)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        theirs, peak, total_steps=steps, cycle_momentum=False
    )
    for step in range(steps):
        assert one_cycle(step, steps, peak) == cycle.get_last_lr()[0], step
        theirs.step()
        if step < steps - 1:
            cycle.step()


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_steps_are_those_of_torch(momentum):
    mine = network()
    its = copy.deepcopy(mine)
    sgd = SGD(list(mine.parameters()), momentum=momentum, weight_decay=5e-4)
    theirs = torch.optim.SGD(
        its.parameters(), lr=1, momentum=momentum, weight_decay=5e-4, nesterov=momentum > 0
    )
    x, labels = torch.rand(8, 1, 16, 16), torch.arange(8) % 4
    for rate in (0.1, 0.05, 0.2):
        cross_entropy(mine(x), labels).backward()
        sgd.step(rate)
        assert all(p.grad is None for p in mine.parameters())
        theirs.param_groups[0]["lr"] = rate
        theirs.zero_grad()
        cross_entropy(its(x), labels).backward()
        theirs.step()
    pairs = zip(mine.parameters(), its.parameters(), strict=True)
    assert all(torch.equal(ours, theirs) for ours, theirs in pairs)
