"""The step that asks whether a network's perturbations look like noise.

Beside what the headline attack found stand, on the same images:

- `noise`: a random direction, as the control of attacks has it.
- `step`: one step along the input gradient of what the attack raises. The first step of any attack has
  this spectrum, so what an attack adds to it is its own.
- `gradient`: that gradient as it is, without a clamp.

Noise and step have each perturbation's own norm, within [0, 1] as it is: a clamp makes any perturbation
coarser, of images with large black areas by much.
"""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from interference import compute
from interference.attacks.conditions import checked, pixels_at, read_attack
from interference.attacks.draws import Draws
from interference.attacks.matching import along
from interference.attacks.norms import norm_of, steepest
from interference.attacks.spectrum import band_shares, centroid, coherence
from interference.attacks.victim import Victim
from interference.data.read import read_split
from interference.models.feeding import batch_size, batches
from interference.models.network import load_network
from interference.progress import say
from interference.store.tables import write_table

KINDS = ("perturbation", "noise", "step", "gradient")


def run(spec: dict, data: Path, model: Path, attack: Path, output: Path) -> None:
    """Measure the first attacked images; write ``output``, one row per kind and image.

    spec: `Specs.structure`; data, model, attack: manifests of the images, the network and the attack.
    Raises StoreError where an input is not of the spec's network or attack.
    """
    of_network = {"model": spec["model"]}
    checked(model, of_network)
    made = checked(attack, {**of_network, "attack": spec["attack"], "seed": spec["seed"]})
    attacked = pixels_at(read_attack(attack, made["spec"]["images"]), spec["epsilon"])
    device = compute.device()
    network = load_network(model).to(device)
    images = read_split(data, "evaluation", spec["images"])
    parts: list[dict[str, np.ndarray]] = []
    both = zip(batches(images.pixels), batches(attacked.part(0, spec["images"])), strict=True)
    for start, (x, moved) in zip(count(0, batch_size(images.pixels.shape)), both):
        part = slice(start, start + len(x))
        victim = Victim(network, torch.from_numpy(images.labels[part]).to(device))
        draws = Draws.of(spec["seed"], spec["epsilon"], images.indices[part].tolist(), device)
        for kind, delta in beside(victim, x, moved, draws, spec["norm"]):
            parts.append({
                "kind": np.full(len(x), kind),
                "image": images.indices[part],
                **{name: values.cpu().numpy() for name, values in measured(delta)},
            })  # fmt: skip
    columns = {name: np.concatenate([own[name] for own in parts]) for name in parts[0]}
    write_table(output, {**spec["model"], **columns}, spec)
    found = columns["centroid"][columns["kind"] == KINDS[0]]
    say(f"mean frequency of perturbations {np.nanmean(found):.3f} of Nyquist's")


def beside(
    victim: Victim, x: Tensor, moved: Tensor, draws: Draws, norm: str
) -> Iterator[tuple[str, Tensor]]:
    """Yield each of `KINDS` with the differences to the images: (n, channels, side, side) float32.

    x, moved: clean and attacked images (n, channels, side, side). norm: l2 or linf.
    """
    delta = moved - x
    length = norm_of(delta, norm)
    noise = draws.normal(*x.shape[1:])
    gradient = ascent(victim, x)
    yield "perturbation", delta
    yield "noise", along(x, noise.sign() if norm == "linf" else noise, length, norm) - x
    yield "step", along(x, steepest(gradient, norm), length, norm) - x
    yield "gradient", gradient


def ascent(victim: Victim, x: Tensor) -> Tensor:
    """Return the gradient of what attacks raise, the log-odds of a mistake: (n, ...) float32."""
    x = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(victim.loss("log-odds")(x).sum(), x)
    return gradient


def measured(delta: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Yield each measure's column: (n,) float64. delta: (n, channels, side, side)."""
    yield "centroid", centroid(delta)
    yield "coherence", coherence(delta)
    for band, shares in enumerate(band_shares(delta).unbind(1), 1):
        yield f"share_{band}", shares
