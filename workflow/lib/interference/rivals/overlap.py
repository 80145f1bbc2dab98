"""The step that shows the attacks on every MLP to all others, and asks how alike the two are.

The preprint expects attacks to pass where interference is alike. Three measures of likeness stand beside each
other, all on images that nobody attacks: linear CKA of hidden units (`attacks.kinship`), and of the SAEs'
dictionaries whether latents have a match in the other one and whether matches lie to each other as in the
other (`dictionaries`). Networks are those that `count` keeps: of most classes, over hidden units, training
epsilon and seed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, groupby
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from interference.attacks.kinship import cka, gram
from interference.compute import generator
from interference.progress import say, track
from interference.rivals.classifiers import images
from interference.rivals.descent import Attack, attacked
from interference.rivals.dictionaries import interference, living, matched, matches, standardised
from interference.rivals.mlps import Mlp, read_mlps
from interference.rivals.network import Stack, joined
from interference.rivals.relearn import noisy
from interference.rivals.streams import NOISE
from interference.store.tables import write_table

#: Norm of the attacks.
NORM = "linf"
#: Columns that say which MLP one is.
IDENTITY = ("width", "epsilon", "seed")


@dataclass(frozen=True)
class Seen:
    """What two MLPs are compared by. gram: of hidden units on attacked images before the attack (`gram`).
    train, other: latents that live on both, on training and on evaluation images, `standardised`, (n, k).
    vectors: theirs in the dictionary, (H, k)."""

    gram: Tensor
    train: Tensor
    other: Tensor
    vectors: Tensor


def seen(mlp: Mlp, train: Tensor, evaluation: Tensor, count: int) -> Seen:
    """Return what an MLP makes of images. train, evaluation: (n, pixels); count: attacked images."""
    units, other_units = (mlp.network.hidden(x[None]) for x in (train, evaluation))
    a, b = (mlp.sae.encode(h)[0] for h in (units, other_units))
    kept = living(a) & living(b)
    return Seen(
        gram(other_units[0, :count]),
        standardised(a[:, kept]),
        standardised(b[:, kept]),
        mlp.sae.E[0, :, kept],
    )


def likeness(a: Seen, b: Seen) -> dict[str, float]:
    """Return how alike two MLPs are: cka, matched, interference; and latents, how many are matched."""
    rows, columns = matches(a.train, b.train)
    return {
        "cka": cka(a.gram, b.gram),
        "matched": matched(a.other[:, rows], b.other[:, columns]),
        "interference": interference(a.vectors[:, rows], b.vectors[:, columns]),
        "latents": len(rows),
    }


def shown(mlps: Sequence[Mlp], x: Tensor, labels: Tensor, attack: Attack) -> Tensor:
    """Return the images that each MLP is attacked with: (S, n, pixels). x: (n, pixels); labels: (n,)."""
    found = []
    for _, group in groupby(mlps, key=lambda mlp: mlp.width):
        stack = joined([mlp.network for mlp in group])
        shape = len(stack), *x.shape
        found.append(
            attacked(stack, x.expand(shape), labels.expand(shape[:2]), attack, keep_best=True)
        )
    return torch.cat(found)


def passes(
    networks: Sequence[Stack], every: Tensor, labels: Tensor, changed: Tensor, noise: Tensor
) -> Iterator[tuple[int, int, dict]]:
    """Yield source, target, and what the attack on one does to the other.

    agreement: share of evaluation images that both take for the same. success, images: share that the attack
    flips of the attacked images that both have right, NaN of none, and how many these are. noise, own:
    shares of those that the target has right which noise flips, and the attack on itself.
    every: (N, pixels), evaluation images; labels: (n,), of the first of them; changed: (S, n, pixels),
    under attack; noise: (n, pixels).
    """
    answers = torch.stack([network.alike(every)[0].argmax(1) for network in networks])
    right = answers[:, : len(labels)] == labels
    for target, network in enumerate(track(networks, total=len(networks), label="MLPs")):
        wrong = torch.stack([network.alike(x)[0].argmax(1) != labels for x in changed])
        noisy_wrong = network.alike(noise)[0].argmax(1) != labels
        both = right & right[target]
        counts, fallen = both.sum(1), (wrong & both).sum(1)
        success = (fallen.double() / counts).tolist()
        agreement = (answers == answers[target]).double().mean(1).tolist()
        noise_share = float((noisy_wrong & right[target]).sum().double() / counts[target])
        for source in range(len(networks)):
            if source != target:
                yield source, target, {
                    "agreement": agreement[source], "noise": noise_share, "own": success[target],
                    "success": success[source], "images": int(counts[source]),
                }  # fmt: skip


def run(spec: dict, data: Path, mlps: Sequence[Path], output: Path) -> None:
    """Attack all MLPs; write one row per ordered pair of them: what `passes` and `likeness` say.

    spec: `Specs.overlap`; data: the images' manifest; mlps: manifests that `count` wrote, of each seed.
    Raises StoreError where images or weights are missing or damaged.
    """
    found = sorted(
        (mlp for path in mlps for mlp in read_mlps(path)),
        key=lambda mlp: (mlp.width, mlp.epsilon, mlp.seed),
    )
    train, _ = images(data, "train", spec["classes"])
    every, labels = images(data, "evaluation", spec["classes"])
    train, every, labels = train.flatten(1), every.flatten(1), labels[: spec["attack"]["images"]]
    attack = Attack(NORM, spec["attack"]["epsilon"], spec["attack"]["steps"])
    x = every[: len(labels)]
    looks = [seen(mlp, train, every, len(labels)) for mlp in found]
    pairs = combinations(range(len(found)), 2)
    total = len(found) * (len(found) - 1) // 2
    alike = {
        (i, j): likeness(looks[i], looks[j]) for i, j in track(pairs, total=total, label="pairs")
    }
    noise = noisy(x, attack.epsilon, generator(spec["seed"], NOISE))
    changed = shown(found, x, labels, attack)
    rows = []
    for i, j, passed in passes([mlp.network for mlp in found], every, labels, changed, noise):
        who = {f"source_{name}": getattr(found[i], name) for name in IDENTITY}
        who |= {f"target_{name}": getattr(found[j], name) for name in IDENTITY}
        rows.append({**who, **passed, **alike[min(i, j), max(i, j)]})
    write_table(output, {name: np.array([row[name] for row in rows]) for name in rows[0]}, spec)
    say(
        f"{len(found)} MLPs, {total} pairs, mean CKA {np.mean([own['cka'] for own in alike.values()]):.3f}"
    )
