"""Training of the trunk on single images, and of a network on canvases.

The trunk first learns to tell the classes of single images apart, once per seed, so that all doses
start from the same evidence, and a cell's first detector starts at what tells its class from the
others. A network then learns its features by binary cross-entropy. Both by Adam, at a rate that
rises over the first twentieth of the steps and falls by a cosine.

Adversarial training adds the cross-entropy of one feature per canvas, on or off in turn, on the few
canvases of a step that are attacked within a radius. Its clean counterpart has radius 0: the same
loss, unattacked.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy
from torch.optim.adam import adam

from interference.canvas.bounded import Adversary, attacked, drawn
from interference.canvas.compose import Canvases, Composer
from interference.canvas.network import Network
from interference.canvas.streams import ATTACKED
from interference.compute import generator
from interference.kernels.rate import rate

#: Canvases of a step that are attacked, where any are.
UNDER_ATTACK = 32
#: Beginnings of the names of a decoder's parameters.
DECODER = ("hidden", "W", "b")


@dataclass(frozen=True)
class Taught:
    """A trunk that tells classes apart, and the linear head that it was taught with."""

    trunk: nn.Module
    head: nn.Linear


def pretrain(
    trunk: nn.Module, features: int, composer: Composer, spec: dict, draw: torch.Generator
) -> Taught:
    """Return the trunk, taught to tell apart the classes of single images, and a head on its features.

    trunk: (N, channels, side, side) → (N, features); one without parameters stays as it is. spec: steps, batch_size (images), learning_rate. draw: of the head's start and the batches.
    """
    head = nn.Linear(features, composer.classes)
    with torch.no_grad():
        head.weight.normal_(std=head.in_features**-0.5, generator=draw)
        head.bias.zero_()
    parameters = [*trunk.parameters(), *head.parameters()]
    images, labels = composer.pool()
    optimizer = Adam(parameters)
    for step in range(spec["steps"]):
        batch = torch.randint(len(labels), (spec["batch_size"],), generator=draw)
        cross_entropy(head(trunk(images[batch])), labels[batch]).backward()
        optimizer.step(rate(spec["learning_rate"], step, spec["steps"]))
    return Taught(trunk, head.requires_grad_(False))


def train(
    network: Network,
    taught: Taught,
    composer: Composer,
    spec: dict,
    seed: int,
    *,
    frozen: bool,
    orthonormal: bool = False,
    read: int | None = None,
    adversary: Adversary | None = None,
) -> Network:
    """Return the network, trained on canvases with a trunk that is taught already.

    spec: steps, batch_size (canvases), learning_rate. seed: of the composer's canvases. frozen: keep
    the trunk as it is. orthonormal: keep the bottleneck's columns orthonormal. read: how many
    features it learns, the first ones; None for all. adversary: what attacks it, if anything.
    """
    network.trunk = copy.deepcopy(taught.trunk).requires_grad_(not frozen)
    if network.shape.detectors:
        _start_detectors(network, taught.head, torch.from_numpy(composer.target()))
    _teach(network, composer, spec, seed, read, adversary, orthonormal)
    return network.requires_grad_(False)


def refit(
    network: Network, composer: Composer, spec: dict, seed: int, turns: Tensor | None
) -> Network:
    """Return the network, its decoder taught anew, from where it was.

    turns: None, or (n, m, m) orthogonal matrices that each cell's part of the bottleneck is turned by
    before: a cell keeps its evidence, the norms and the singular values of its part A_k, and what goes
    is how the directions of cells were laid out beside each other. spec, seed: as of `train`.
    """
    if turns is not None:
        with torch.no_grad():
            network.A.copy_(network.A.double() @ turns)
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name.startswith(DECODER))
    _teach(network, composer, spec, seed)
    return network.requires_grad_(False)


def _teach(
    network: Network,
    composer: Composer,
    spec: dict,
    seed: int,
    read: int | None = None,
    adversary: Adversary | None = None,
    orthonormal: bool = False,
) -> None:
    """Teach those parameters of a network that take a gradient. Arguments as of `train`."""
    optimizer = Adam([each for each in network.parameters() if each.requires_grad])
    size, draw = spec["batch_size"], generator(seed, ATTACKED)
    for step in range(spec["steps"]):
        batch = composer.compose(seed, step * size, size)
        logits = network(batch.images)[:, :read]
        loss = binary_cross_entropy_with_logits(logits, batch.labels[:, :read].float())
        if adversary is not None:
            loss = loss + _under_attack(network, batch, adversary, draw)
        loss.backward()
        optimizer.step(rate(spec["learning_rate"], step, spec["steps"]))
        if orthonormal:
            _orthonormalise(network.A)


def _under_attack(
    network: Network, batch: Canvases, adversary: Adversary, draw: torch.Generator
) -> Tensor:
    """The cross-entropy of one feature of each of the first few canvases, attacked: ().

    It is summed over them and divided by all canvases of the step: at a weight of 1 so few features
    are noise, which costs 7 points of accuracy.
    """
    images, labels = batch.images[:UNDER_ATTACK], batch.labels[:UNDER_ATTACK]
    feature = drawn(labels, draw)
    changed = attacked(network, images, labels, feature, adversary)
    logits, known = (x.gather(1, feature[:, None]) for x in (network(changed), labels.float()))
    return binary_cross_entropy_with_logits(logits, known, reduction="sum") / len(batch.labels)


@torch.no_grad()
def _orthonormalise(A: Tensor) -> None:
    """Replace the bottleneck by the nearest one whose columns are orthonormal, A (AᵀA)^(−½).

    A: (n, K, m), changed in place; its columns are (n · K,) long.
    """
    columns = A.flatten(0, 1)
    values, vectors = torch.linalg.eigh((columns.T @ columns).double())
    inverse = vectors / values.sqrt() @ vectors.T
    A.copy_((columns @ inverse.float()).view_as(A))


@torch.no_grad()
def _start_detectors(network: Network, head: nn.Linear, target: Tensor) -> None:
    """The first detector of a cell: the logit of its class less the mean of all others'."""
    share = head.out_features / (head.out_features - 1)
    network.B[:, :, 0] = share * (head.weight - head.weight.mean(0))[target]
    network.c[:, 0] = share * (head.bias - head.bias.mean())[target]


class Adam:
    """Adam by torch's own function: an optimiser of `torch.optim` imports torch's compiler, 1.4 CPU
    seconds per job.
    """

    def __init__(self, parameters: Sequence[Tensor]):
        self.parameters = parameters
        self._mean = [torch.zeros_like(p) for p in parameters]
        self._square = [torch.zeros_like(p) for p in parameters]
        self._steps = [torch.tensor(0.0) for _ in parameters]

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Move the parameters by their gradients, which are then forgotten."""
        found = {i: p.grad for i, p in enumerate(self.parameters) if p.grad is not None}
        adam(
            [self.parameters[i] for i in found],
            list(found.values()),
            [self._mean[i] for i in found],
            [self._square[i] for i in found],
            [],
            [self._steps[i] for i in found],
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=rate,
            weight_decay=0,
            eps=1e-8,
            maximize=False,
        )
        for parameter in self.parameters:
            parameter.grad = None
