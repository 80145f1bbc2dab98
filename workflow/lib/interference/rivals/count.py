"""The step that counts effective features of MLPs over classes, hidden units and training epsilon.

As Bereska et al. (arXiv 2512.13568) do: one hidden layer, taught clean or half under attack; an SAE on
its units; F = exp(H(p)), p_i ∝ the mean of latent i, and ψ = F / H. A network taught at an epsilon is
looked at on clean images and on images under attack at that epsilon, with an SAE of each. Their SAEs see
the images that F is of; here an SAE learns from training images, and F is of evaluation images.

Beside it stands the same count of the hidden units themselves, with no SAE. Of clean images it also says
how much each latent, and each unit, is about one thing (`monosemantic`). MLPs of most classes are kept with
their SAE of clean images, to be compared with each other (`overlap`).
"""

from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from interference.compute import generator
from interference.progress import say
from interference.rivals.classifiers import images
from interference.rivals.descent import Attack, Pool, attacked, teach
from interference.rivals.mlps import Mlp, write_mlps
from interference.rivals.monosemantic import interpreted
from interference.rivals.network import Stack, drawn, repeated
from interference.rivals.streams import BATCHES, DIRECTIONS, INIT, SAE
from interference.rivals.tied import Tied, trained
from interference.saes.metrics import effective_features
from interference.store.tables import write_table

#: Norm of the attacks in training.
NORM = "linf"


def start(width: int, spec: dict, pixels: int) -> Stack:
    """Return an MLP of so many hidden units per number of classes, before training."""
    classes, most = spec["classes"], max(spec["classes"])
    network = drawn(pixels, width, None, most, generator(spec["seed"], INIT, width))
    return repeated(network, torch.tensor(classes))


def rows(pool: Pool, stack: Stack, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return images of each network's classes and labels, drawn by a seed: (S, n, pixels), (S, n)."""
    return pool.batch(stack.classes, count, generator(seed, SAE))


def measures(units: Tensor, sae: Tied) -> list[dict]:
    """Return what is counted of each network. units: (S, n, H); sae: of each.

    features: F of the SAE's latents; units: of the hidden units. fvu: of the SAE. l0: mean active
    latents.
    """
    latents = sae.encode(units)
    error = (sae.decode(latents) - units).double().square().sum((1, 2))
    deviation = (units - units.mean(1, keepdim=True)).double().square().sum((1, 2))
    return [
        {
            "features": effective_features(own.double().mean(0).numpy()),
            "units": effective_features(unit.double().mean(0).numpy()),
            "fvu": share,
            "l0": float((own > 0).sum(1).double().mean()),
        }
        for own, unit, share in zip(latents, units, (error / deviation).tolist())
    ]


def meanings(
    units: Tensor, sae: Tied, x: Tensor, labels: Tensor, classes: Tensor, draw: torch.Generator
) -> list[dict]:
    """Return what units and latents of each network are about: `monosemantic.interpreted`, with unit_ and
    latent_ before each name. x: (S, n, pixels); labels: (S, n); classes: (S,); draw: of the directions."""
    found = []
    latents = sae.encode(units)
    for row, count in enumerate(classes.tolist()):
        features = {"unit": units[row], "latent": latents[row]}
        each = {
            of: interpreted(units[row], a, x[row], labels[row], count, draw)
            for of, a in features.items()
        }
        found.append({f"{of}_{name}": v for of, own in each.items() for name, v in own.items()})
    return found


def run(spec: dict, data: Path, output: Path) -> None:
    """Teach MLPs of one seed, and write one row per (classes, width, epsilon, images).

    images: clean, or attacked at the network's own epsilon. accuracy: on these images.
    Beside ``output`` .meanings.parquet, one row per (classes, width, epsilon): of `meanings`; and .mlps.json
    with .mlps.safetensors: the MLPs of most classes (`mlps.read_mlps`).
    spec: `Specs.count`; data: the images' manifest. Raises StoreError where images are missing or
    damaged.
    """
    most = max(spec["classes"])
    pools = {split: Pool(*images(data, split, most)) for split in ("train", "evaluation")}
    pixels, seed = pools["train"].pixels.shape[1], spec["seed"]
    table: list[dict] = []
    meant: list[dict] = []
    kept: list[Mlp] = []
    largest = spec["classes"].index(most)
    for width, epsilon in product(spec["widths"], (0.0, *spec["epsilons"])):
        stack, attack = start(width, spec, pixels), Attack(NORM, epsilon, spec["steps"])
        teach(stack, pools["train"], spec["training"], attack, generator(seed, BATCHES))
        for kind in ("clean", "attacked") if epsilon else ("clean",):
            seen = {}
            for split, pool in pools.items():
                x, labels = rows(pool, stack, spec["rows"], seed)
                if kind == "attacked":
                    x = attacked(stack, x, labels, attack)
                seen[split] = stack.hidden(x)
            units = seen["evaluation"]
            right = (stack.read(units).argmax(2) == labels).double().mean(1)
            sae = trained(seen["train"], spec["sae"], generator(seed, SAE, width))
            which = [
                {"classes": classes, "width": width, "epsilon": epsilon, "seed": seed}
                for classes in spec["classes"]
            ]
            for own, share, counted in zip(which, right.tolist(), measures(units, sae)):
                table.append({**own, "images": kind, "accuracy": share, **counted})
            if kind == "clean":
                draw = generator(seed, DIRECTIONS, width)
                found = meanings(units, sae, x, labels, stack.classes, draw)
                meant += [{**own, **values} for own, values in zip(which, found)]
                one = Tied(sae.E[[largest]], sae.e[[largest]])
                kept.append(Mlp(width, epsilon, seed, stack[[largest]], one))
        say(f"{width} hidden units, trained at {epsilon:g}: {len(stack)} networks counted")
    write_mlps(output.with_suffix(".mlps.json"), kept, spec)
    for path, made in ((output.with_suffix(".meanings.parquet"), meant), (output, table)):
        write_table(path, {name: np.array([row[name] for row in made]) for name in made[0]}, spec)
