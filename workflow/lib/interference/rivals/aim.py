"""The step that attacks classifiers through a bottleneck, and asks whether geometry foretold it.

Classifiers of equal width and training epsilon are compared with each other: what an attack on one does
to all others of other seeds. Every classifier is attacked on the same images, within one radius.
"""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from interference.attacks.matching import along
from interference.attacks.norms import norm_of
from interference.compute import generator
from interference.progress import say
from interference.rivals import directions
from interference.rivals.classifiers import images, read_classifiers
from interference.rivals.descent import Attack, attacked
from interference.rivals.geometry import cosines, similarity
from interference.rivals.network import Stack, joined
from interference.rivals.streams import NOISE
from interference.store.tables import write_table

#: Columns that say which classifier a row is about.
IDENTITY = ("width", "epsilon", "geometry", "kind", "seed")
#: Suffix of each table and its other columns.
TABLES = {
    ".parquet": ("label", "landed", "cosine", "cosine_shuffled", "cosine_other"),
    ".landings.parquet": ("label", "other", "attacked", "landed", "cosine"),
    ".passes.parquet": (
        "target_geometry", "target_seed", "success", "noise", "images", "similarity", "agreement",
    ),
}  # fmt: skip

Rows = list[tuple]


def groups(classifiers: list[Path]) -> Iterator[tuple[Stack, list[dict]]]:
    """Yield the classifiers of each width and training epsilon, of all seeds."""
    read = [read_classifiers(path) for path in classifiers]
    stack, members = joined([own for own, _ in read]), [m for _, own in read for m in own]

    def key(row: int) -> tuple:
        return members[row]["epsilon"], members[row]["width"]

    for _, rows in groupby(sorted(range(len(members)), key=key), key=key):
        chosen = list(rows)
        yield stack[chosen], [members[row] for row in chosen]


def noisy(x: Tensor, changed: Tensor, seed: int) -> Tensor:
    """Return the images with noise as long as each network's attack: (S, n, pixels).

    An image has the same direction of noise whatever the network.
    """
    directions = torch.stack(
        [torch.randn(x.shape[1], generator=generator(seed, NOISE, row)) for row in range(len(x))]
    )
    return torch.stack([along(x, directions, norm_of(one - x, "l2"), "l2") for one in changed])


def aimed(
    network: Stack, x: Tensor, change: Tensor, labels: Tensor, gram: Tensor
) -> dict[str, np.ndarray]:
    """Return the cosines of one network's attacks: (n,) each. network: a stack of one."""
    gradient = directions.gradients(network, x[None])[0]
    found = directions.predicted(directions.towards(gradient, change), labels, gram)
    return {name: values.numpy() for name, values in found.items()}


def landings(landed: Tensor, labels: Tensor, gram: Tensor) -> Iterator[tuple]:
    """Yield label, other class, attacked images, those that land there, and the cosine of the two.

    landed, labels: (n,) int64, of the images that the network has right.
    """
    classes = len(gram)
    counts = torch.bincount(labels * classes + landed, minlength=classes**2).view(classes, classes)
    for label in range(classes):
        for other in range(classes):
            if other != label:
                count, cosine = int(counts[label, other]), float(gram[label, other])
                yield label, other, int(counts[label].sum()), count, cosine


def passes(
    members: list[dict], grams: Tensor, answers: Tensor, labels: Tensor, shown: Tensor, stack: Stack
) -> Iterator[tuple]:
    """Yield what the attack on each source does to every target of another seed.

    A source's identity, the target's geometry and seed, the shares that the attack and noise as long
    flip, of how many images that both have right, the similarity of their Gram matrices, and the
    agreement of their answers. answers: (S, every evaluation image); shown: (2, S, n, pixels), what each
    is attacked with and its noise; labels: (n,).
    """
    right = answers[:, : len(labels)] == labels
    for source, member in enumerate(members):
        counted = right[source] & right
        wrong = torch.stack([stack.alike(x).argmax(2) != labels for x in shown[:, source]])
        shares = ((wrong & counted).sum(2) / counted.sum(1)).tolist()
        for target, other in enumerate(members):
            if other["seed"] != member["seed"]:
                yield (
                    *identity(member),
                    other["geometry"],
                    other["seed"],
                    shares[0][target],
                    shares[1][target],
                    int(counted[target].sum()),
                    similarity(grams[source], grams[target]),
                    float((answers[source] == answers[target]).double().mean()),
                )


def identity(member: dict) -> tuple:
    """Return what `IDENTITY` names."""
    return tuple(member[name] for name in IDENTITY)


def measured(
    stack: Stack, members: list[dict], every: Tensor, labels: Tensor, spec: dict
) -> tuple[Rows, Rows, Rows]:
    """Return the rows of the three tables about classifiers of one width and training epsilon.

    every: (N, pixels), all evaluation images; labels: (n,), of the first of them, which are attacked.
    """
    x, answers, grams = every[: len(labels)], stack.alike(every).argmax(2), cosines(stack.W)
    attack = Attack("l2", spec["attack"]["epsilon"], spec["attack"]["steps"])
    shape = len(stack), *x.shape
    changed = attacked(stack, x.expand(shape), labels.expand(shape[:2]), attack, keep_best=True)
    landed = stack(changed).argmax(2)
    aims: Rows = []
    places: Rows = []
    for row, member in enumerate(members):
        own = answers[row, : len(labels)] == labels
        angles = aimed(stack[[row]], x[own], (changed[row] - x)[own], labels[own], grams[row])
        columns = labels[own].numpy(), landed[row][own].numpy(), *angles.values()
        aims += [(*identity(member), *values) for values in zip(*columns)]
        found = landings(landed[row][own], labels[own], grams[row])
        places += [(*identity(member), *values) for values in found]
    shown = torch.stack([changed, noisy(x, changed, spec["seed"])])
    return aims, places, [*passes(members, grams, answers, labels, shown, stack)]


def run(spec: dict, data: Path, classifiers: list[Path], output: Path) -> None:
    """Attack all classifiers; write three tables.

    output, .parquet: one row per (classifier, image that it has right): label, landed, cosine,
        cosine_shuffled, cosine_other.
    .landings.parquet: one row per (classifier, label, other class).
    .passes.parquet: one row per (source, target of another seed), of equal width and training epsilon:
        success, noise, images, similarity of their Gram matrices, and agreement, the share of
        evaluation images that both give the same class.
    spec: `Specs.aim`; data: the images' manifest; classifiers: manifests that `classify.run` wrote.
    Raises StoreError where images or weights are missing or damaged.
    """
    every, labels = images(data, "evaluation", spec["classes"])
    labels = labels[: spec["attack"]["images"]]
    found: tuple[Rows, Rows, Rows] = [], [], []
    for stack, members in groups(classifiers):
        for rows, own in zip(found, measured(stack, members, every.flatten(1), labels, spec)):
            rows += own
        width, epsilon = members[0]["width"], members[0]["epsilon"]
        say(f"{width} dimensions, trained at {epsilon:g}: {len(members)} classifiers attacked")
    for (suffix, names), rows in zip(TABLES.items(), found):
        columns = {name: np.array(values) for name, values in zip((*IDENTITY, *names), zip(*rows))}
        write_table(output.with_suffix(suffix), columns, spec)
