"""Attack one network with one method, at every epsilon of its grid.

The network is in eval mode with frozen weights, in float32; labels are the true ones.
Adversarial images stay float32: uint8 would round them, float16 overshoots a small epsilon.
"""

import importlib
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from interference import compute, progress
from interference.attacks.draws import Draws
from interference.attacks.norms import norm_of
from interference.attacks.source import Source
from interference.attacks.victim import Victim
from interference.data.read import Images, read_manifest, read_split
from interference.models.feeding import batch_size, batches, to_network
from interference.models.network import load_network
from interference.models.predict import score
from interference.provenance import InterferenceError
from interference.store.arrays import open_array, writing
from interference.store.files import StoreError, read_json, write_json
from interference.store.stretch import Stretch
from interference.store.tables import write_table

#: What rounding may add to a norm: relatively, and absolutely for Linf.
RELATIVE_SLACK, LINF_SLACK = 1e-5, 6e-8


class AttackError(InterferenceError):
    """An adversarial image left its ball or [0, 1], or the method needs more classes."""


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


class Sources:
    """What another job made of the same images, batch by batch, each image's partner in its place."""

    def __init__(self, spec: dict, manifest: Path, images: Images, partners: Tensor):
        """Open the store.

        spec: of the control; manifest: of what it is made of; partners: positions among the images.
        Raises StoreError where the manifest is of another network or attack, or of other images.
        """
        content = read_json(manifest)
        made = content["spec"]
        actual = {"model": made["model"]["model"], "attack": made["attack"]}
        if actual != spec["source"] or made["images"] != spec["images"]:
            raise StoreError(
                f"{manifest} is of {actual} on {made['images']} images, the job is about "
                f"{spec['source']} on {spec['images']}"
            )
        self._epsilons, self._partners, self._clean = content["epsilons"], partners, images.pixels
        self._store = open_array(manifest.with_suffix(".zarr"), content["array"])

    def at(self, epsilon: float, part: slice) -> Source:
        """Return the partners of some of the images at one epsilon."""
        count = len(self._clean)
        first = self._epsilons.index(epsilon) * count
        adversarial = Stretch(self._store, first, first + count)
        rows = self._partners[part].tolist()
        clean, moved = (
            to_network(torch.from_numpy(np.concatenate([pixels[row : row + 1] for row in rows])))
            for pixels in (self._clean, adversarial)
        )
        return Source(clean, moved)


def run(spec: dict, data: Path, model: Path, output: Path, source: Sequence[Path] = ()) -> None:
    """Attack the first evaluation images at every epsilon of the method.

    spec: `Specs.craft`; data, model: manifests of the images and the network; source: the manifest of
    the adversarial images that a control is made of, none for other methods; output: the manifest,
    and beside it .zarr (epsilons × n, channels, height, width) float32, epsilon by epsilon, and
    .parquet, one row per (epsilon, image).
    Raises AttackError where an adversarial image leaves its ball or [0, 1], or the data has too few
    classes; StoreError where the source is not the spec's.
    """
    settings = dict(spec["method"])
    method = importlib.import_module(f"interference.attacks.methods.{settings.pop('type')}")
    epsilons, norm, seed = settings.pop("epsilons"), settings["norm"], spec["seed"]
    classes = read_manifest(data)["classes"]
    if classes < spec["classes"]:
        raise AttackError(
            f"attacks.methods.{spec['attack']} needs {spec['classes']} classes, the data has {classes}; "
            "write fewer targets, or another loss or type"
        )
    device = compute.device()
    network = load_network(model).to(device)
    images = read_split(data, "evaluation", spec["images"])
    pixels, labels = images.pixels, torch.from_numpy(images.labels)
    sources = [
        Sources(spec, path, images, method.partners(len(pixels), compute.generator(seed)))
        for path in source
    ]
    rows: dict[str, list] = {"epsilon": [], "image": [], "label": [], "norm": []}
    rows |= {"prediction": [], "loss": [], "zero_gradients": []}
    size = batch_size(pixels.shape)
    total = len(epsilons) * -(-len(pixels) // size)
    epsilon_batches = (
        (epsilon, slice(start, start + len(x)), x)
        for epsilon in epsilons
        for start, x in zip(itertools.count(0, size), batches(pixels))
    )
    shape = (len(epsilons) * len(pixels), *pixels.shape[1:])
    with writing(output.with_suffix(".zarr"), shape, "float32", spec) as writer:
        for epsilon, part, x in progress.track(epsilon_batches, total=total, label="batches"):
            y = labels[part].to(device)
            draws = Draws.of(seed, epsilon, images.indices[part].tolist(), device)
            read = {"source": sources[0].at(epsilon, part)} if sources else {}
            victim = Victim(network, y)
            result = method.perturb(victim, x, epsilon=epsilon, draws=draws, **read, **settings)
            norms = check(x, result.images, norm, epsilon)
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
            "norm": norm,
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
