"""Attack one network with one method, at every epsilon of its grid.

The network is in eval mode with frozen weights, in float32; labels are the true ones.
Adversarial images stay float32: uint8 would round them, float16 overshoots a small epsilon.
"""

import importlib
import itertools
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from interference import compute, progress
from interference.attacks.norms import norm_of
from interference.data.read import read_split
from interference.models.feeding import batch_size, batches
from interference.models.network import load_network, loss_of
from interference.models.predict import score
from interference.provenance import InterferenceError
from interference.store.arrays import writing
from interference.store.files import write_json
from interference.store.tables import write_table

#: What rounding may add to a norm: relatively, and absolutely for Linf.
RELATIVE_SLACK, LINF_SLACK = 1e-5, 6e-8


class AttackError(InterferenceError):
    """An adversarial image left its ball or [0, 1]."""


def check(x: Tensor, adversarial: Tensor, norm: str, epsilon: float) -> Tensor:
    """Return the perturbations' norms (n,).

    x, adversarial: (n, ...) float32. norm: l2 or linf. epsilon: radius in pixel units.
    Raises AttackError where a perturbation exceeds epsilon or an image leaves [0, 1].
    """
    norms = norm_of(adversarial - x, norm)
    limit = epsilon * (1 + RELATIVE_SLACK) + (LINF_SLACK if norm == "linf" else 0)
    if not bool((norms <= limit).all()):
        raise AttackError(f"a perturbation of {norm} norm {norms.max():.8g} exceeds {epsilon:g}")
    if not bool(((adversarial >= 0) & (adversarial <= 1)).all()):
        raise AttackError("an adversarial image leaves [0, 1]")
    return norms


def run(spec: dict, data: Path, model: Path, output: Path) -> None:
    """Attack the first evaluation images at every epsilon of the method.

    spec: `Specs.craft`; data, model: manifests of the images and the network; output: the manifest,
    and beside it .zarr (epsilons × n, channels, height, width) float32, epsilon by epsilon, and
    .parquet, one row per (epsilon, image).
    Raises AttackError where an adversarial image leaves its ball or [0, 1].
    """
    method = dict(spec["method"])
    perturb = importlib.import_module(f"interference.attacks.methods.{method.pop('type')}").perturb
    epsilons = method.pop("epsilons")
    device = compute.device()
    network = load_network(model).to(device)
    images = read_split(data, "evaluation", spec["images"])
    pixels, labels = images.pixels, torch.from_numpy(images.labels)
    rows: dict[str, list] = {"epsilon": [], "image": [], "label": [], "norm": []}
    rows |= {"prediction": [], "loss": [], "zero_gradients": []}
    size = batch_size(pixels.shape)
    total = len(epsilons) * -(-len(pixels) // size)
    epsilon_batches = (
        (i, epsilon, slice(start, start + len(x)), x)
        for i, epsilon in enumerate(epsilons)
        for start, x in zip(itertools.count(0, size), batches(pixels))
    )
    shape = (len(epsilons) * len(pixels), *pixels.shape[1:])
    with writing(output.with_suffix(".zarr"), shape, "float32", spec) as writer:
        for i, epsilon, part, x in progress.track(epsilon_batches, total=total, label="batches"):
            y = labels[part].to(device)
            generator = compute.generator(spec["seed"], i, part.start)
            result = perturb(loss_of(network, y), x, epsilon=epsilon, generator=generator, **method)
            norms = check(x, result.images, method["norm"], epsilon)
            writer.append(result.images.cpu().numpy())
            rows["epsilon"].append(np.full(len(x), epsilon))
            rows["image"].append(images.indices[part])
            rows["label"].append(images.labels[part])
            rows["norm"].append(norms.cpu().numpy())
            rows["zero_gradients"].append(result.zero_gradients.cpu().numpy())
            for name, values in score(network, result.images, y).items():
                rows[name].append(values)
    table = {name: np.concatenate(values) for name, values in rows.items()}
    perturbation_norms = table.pop("norm")
    write_table(
        output.with_suffix(".parquet"),
        {
            **spec["model"],
            "attack": spec["attack"],
            "type": spec["method"]["type"],
            "norm": method["norm"],
            "perturbation_norm": perturbation_norms,
            **table,
        },
        spec,
    )
    manifest = {"spec": spec, "array": writer.manifest(), "epsilons": epsilons}
    zero_gradients = int(table["zero_gradients"].sum())
    write_json(output, {**manifest, "zero_gradients": zero_gradients})
    accuracy = (table["prediction"] == table["label"]).mean()
    progress.say(f"accuracy {accuracy:.3f} over all epsilons, {zero_gradients} zero gradients")
