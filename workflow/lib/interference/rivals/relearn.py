"""The step that teaches networks from attacks alone, and asks them about clean images.

As Ilyas et al. 2019 (arXiv 1905.02175, section 3.2) do: every training image is turned by a small attack
towards a target class, and labelled with it. Targets are drawn (`random`), so that the image itself says
nothing of its label, or are the class after its own (`next`), so that it says the wrong thing. Who learns
from these images alone and still knows clean ones has learned from perturbations.

The attacked networks, the sources, are MLPs trained clean and at each epsilon; who learns is an MLP of the
same shape from another start, trained clean. Beside them stand those that learn from noise: every pixel
moved by as much, up or down, under the same labels. All of a seed see the same places of their images.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from interference.compute import generator
from interference.progress import say
from interference.rivals.classifiers import images
from interference.rivals.descent import Attack, Pool, Pools, attacked, teach
from interference.rivals.network import Stack, drawn, repeated
from interference.rivals.streams import BATCHES, INIT, LEARNER, NOISE, TARGETS
from interference.store.tables import write_table

#: Norm of all attacks.
NORM = "linf"


def alike(count: int, hidden: int, classes: int, pixels: int, draw: torch.Generator) -> Stack:
    """Return so many MLPs before training, of one start."""
    return repeated(drawn(pixels, hidden, None, classes, draw), torch.full((count,), classes))


def targets(labels: Tensor, classes: int, draw: torch.Generator) -> dict[str, Tensor]:
    """Return kind of target → the class of each image, (n,): drawn from all, and the one after its own.

    Of a class every target is drawn equally often, to one: else the luckiest target of each class is what
    there is to learn from noise.
    """
    random = torch.empty_like(labels)
    for label in range(classes):
        places = (labels == label).nonzero().squeeze(1)
        start = torch.randint(classes, (), generator=draw)
        random[places] = (torch.randperm(len(places), generator=draw) + start) % classes
    return {"random": random, "next": (labels + 1) % classes}


def noisy(x: Tensor, epsilon: float, draw: torch.Generator) -> Tensor:
    """Return images each of whose pixels is moved by epsilon, up or down, within [0, 1]: (n, pixels)."""
    signs = torch.randint(2, x.shape, generator=draw) * 2 - 1
    return (x + epsilon * signs).clamp(0, 1)


def share(stack: Stack, x: Tensor, labels: Tensor) -> Tensor:
    """Return the share of images that each network takes for their labels: (S, n, pixels), (S, n) → (S,)."""
    return (stack(x).argmax(2) == labels).double().mean(1)


def run(spec: dict, data: Path, output: Path) -> None:
    """Teach networks of one seed from attacks and from noise; one row per (source's epsilon, targets).

    accuracy: of who learns from the source's attacks, on clean evaluation images; fitted: on the images
    that it learned from. noise_accuracy, noise_fitted: likewise, from noise. source_accuracy: of the source.
    success: of images whose target is not their own class, the share that the source takes for it.
    distance, noise_distance: mean L2 norm of what is added to an image.
    spec: `Specs.relearn`; data: the images' manifest. Raises StoreError where images are missing or
    damaged.
    """
    classes, seed, hidden = spec["classes"], spec["seed"], spec["hidden"]
    train, evaluation = (Pool(*images(data, split, classes)) for split in ("train", "evaluation"))
    x, size = train.pixels, train.pixels.shape[1]
    attack = Attack(NORM, spec["attack"]["epsilon"], spec["attack"]["steps"])
    wanted = targets(train.labels, classes, generator(seed, TARGETS))
    noise = noisy(x, attack.epsilon, generator(seed, NOISE))
    lessons, rows = [(noise, labels) for labels in wanted.values()], []
    for epsilon in (0.0, *spec["epsilons"]):
        source = alike(1, hidden, classes, size, generator(seed, INIT, hidden))
        hardened = Attack(NORM, epsilon, spec["steps"])
        teach(source, train, spec["training"], hardened, generator(seed, BATCHES))
        right = share(source, evaluation.pixels[None], evaluation.labels[None]).item()
        for kind, labels in wanted.items():
            turned = attacked(source, x[None], labels[None], attack, targeted=True)[0]
            other = labels != train.labels
            row = {"seed": seed, "epsilon": epsilon, "targets": kind, "source_accuracy": right}
            row["success"] = share(source, turned[None, other], labels[None, other]).item()
            row["distance"] = (turned - x).norm(dim=1).double().mean().item()
            lessons.append((turned, labels))
            rows.append(row)
        say(f"source trained at {epsilon:g}: {rows[-2]['success']:.0%} of images turned")
    pools = Pools(*(torch.stack(arrays) for arrays in zip(*lessons)))
    learner = alike(len(lessons), hidden, classes, size, generator(seed, LEARNER, hidden))
    teach(learner, pools, spec["training"], Attack(NORM, 0.0, 0), generator(seed, BATCHES))
    known = share(learner, *(each.expand(len(lessons), *each.shape)
                             for each in (evaluation.pixels, evaluation.labels))).tolist()  # fmt: skip
    fitted = share(learner, pools.pixels, pools.labels).tolist()
    say(f"{len(lessons)} networks have learned from attacks and from noise")
    kinds = len(wanted)
    moved = (noise - x).norm(dim=1).double().mean().item()
    for place, row in enumerate(rows):
        beside = place % kinds
        row |= {"accuracy": known[kinds + place], "fitted": fitted[kinds + place]}
        row |= {"noise_accuracy": known[beside], "noise_fitted": fitted[beside]}
        row |= {"noise_distance": moved, "classes": classes, "hidden": hidden}
    write_table(output, {name: np.array([row[name] for row in rows]) for name in rows[0]}, spec)
