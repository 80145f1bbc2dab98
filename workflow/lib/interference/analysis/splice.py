"""What a network makes of its own reconstruction: SAEs spliced into the forward pass.

A layer's activations at all positions are replaced by what a dictionary makes of them, and the
forward pass goes on from there (downstream loss, Gao et al. 2024 §4.1). Beside it stand the network
as it is, and the layer replaced by its mean over training images: mean ablation, which is what a
dictionary that knows nothing would give. (Bricken et al. 2023 ablate to zero, which post-ReLU
activations standardised to mean zero are far from.)
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import nll_loss

from interference import compute, progress
from interference.activations.standardise import Statistics
from interference.data.read import read_split
from interference.models.feeding import batch_size, batches
from interference.models.network import Network, load_network
from interference.saes.dictionary import Dictionary, unstack
from interference.store.files import StoreError, read_json
from interference.store.tables import write_table
from interference.store.tensors import read_described

#: Rows encoded at once.
ROWS = 8192


@dataclass(frozen=True)
class Member:
    """One SAE of a layer: its columns in the table, and the dictionary."""

    columns: dict
    dictionary: Dictionary


@dataclass(frozen=True)
class Layer:
    """Statistics that a layer's SAEs are standardised with, and the SAEs."""

    statistics: Statistics
    members: list[Member]


def read_layers(manifests: list[Path], model: dict) -> dict[str, Layer]:
    """Layers by name. manifests: of rows and of the SAE sweeps on them, in any order.

    Raises StoreError where one is of another network, or SAEs have no rows.
    """
    specs = {path: read_json(path)["spec"] for path in manifests}
    layers: dict[str, Layer] = {}
    for path, spec in specs.items():
        if spec["model"] != model:
            raise StoreError(f"{path}: model is {spec['model']}, the job is about {model}")
        if "type" not in spec:
            arrays, _ = read_described(path)
            statistics = Statistics(arrays["mean"], arrays["std"], floored=0)
            layers[spec["layer"]] = Layer(statistics, [])
    for path, spec in specs.items():
        if "type" not in spec:
            continue
        if spec["layer"] not in layers:
            raise StoreError(f"{path}: no rows of {spec['layer']} were given to standardise with")
        arrays, fitted = read_described(path)
        for member, dictionary in zip(fitted["members"], unstack(arrays), strict=True):
            columns = {"layer": spec["layer"], "type": spec["type"]}
            columns |= {name: member[name] for name in ("sparsity", "sae_seed")}
            layers[spec["layer"]].members.append(Member(columns, dictionary))
    return layers


def reconstruct(
    dictionary: Dictionary, statistics: Statistics, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What a dictionary makes of raw activations (n, positions, d) float32: the same shape and type.

    Beside it the L0 of each image (n,), a mean over positions. The code is the one that SAEs are
    scored with on held-out images.
    """
    rows = values.reshape(-1, values.shape[2])
    found, active = np.empty_like(rows), np.zeros(len(rows), np.int64)
    for start in range(0, len(rows), ROWS):
        part = slice(start, start + ROWS)
        latents = dictionary.encode(statistics.apply(rows[part]))
        found[part] = statistics.restore(dictionary.decode(latents))
        active[part] = np.count_nonzero(latents, axis=1)
    return found.reshape(values.shape), active.reshape(values.shape[:2]).mean(1)


def outcome(logits: Tensor, labels: Tensor, clean: Tensor) -> dict[str, np.ndarray]:
    """Of each image whether it is right, its cross-entropy and KL(clean ‖ these), nats, float64.

    logits, clean: (n, classes) of the changed network and of the network as it is.
    """
    log_p, log_q = clean.double().log_softmax(1), logits.double().log_softmax(1)
    return {
        "correct": (logits.argmax(1) == labels).cpu().numpy(),
        "loss": nll_loss(log_q, labels, reduction="none").cpu().numpy(),
        "kl": (log_p.exp() * (log_p - log_q)).sum(1).cpu().numpy(),
    }


def spliced(network: Network, x: Tensor, labels: Tensor, name: str, layer: Layer) -> list[dict]:
    """Outcomes on a batch with each of a layer's SAEs in place: one dict of columns a member.

    clean_* is the network as it is, ablated_* the layer at its mean. x: (n, channels, height,
    width) in [0, 1].
    """
    clean, activations = network(x), network.activations(x, name)
    values = activations.cpu().numpy()
    mean = layer.statistics.restore(np.zeros(values.shape[2]))
    ablated = network.from_layer(activations.new_tensor(mean).expand(activations.shape), name)
    baselines = {f"ablated_{k}": v for k, v in outcome(ablated, labels, clean).items()}
    itself = outcome(clean, labels, clean)
    baselines |= {f"clean_{k}": itself[k] for k in ("correct", "loss")}
    found = []
    for member in layer.members:
        reconstructed, l0 = reconstruct(member.dictionary, layer.statistics, values)
        logits = network.from_layer(activations.new_tensor(reconstructed), name)
        found.append({"l0": l0, **outcome(logits, labels, clean), **baselines})
    return found


def splice(spec: dict, data: Path, model: Path, manifests: list[Path], output: Path) -> None:
    """The job: one row a (member, image) of the first evaluation images.

    manifests: of the rows of every layer and of every SAE sweep on them.
    """
    device = compute.device()
    network = load_network(model).to(device)
    layers = read_layers(manifests, spec["model"])
    images = read_split(data, "evaluation", spec["images"])
    pixels, labels = images.pixels, torch.from_numpy(images.labels).to(device)
    total = -(-len(pixels) // batch_size(pixels.shape))
    parts: dict[str, list[list[dict]]] = {name: [] for name in layers}
    with torch.inference_mode():
        for x in progress.track(batches(pixels), total=total, label="batches"):
            y, labels = labels[: len(x)], labels[len(x) :]
            for name, layer in layers.items():
                parts[name].append(spliced(network, x, y, name, layer))
    table: dict[str, list[np.ndarray]] = {}
    for name, layer in layers.items():
        for member, outcomes in zip(layer.members, zip(*parts[name]), strict=True):
            columns = {k: np.full(len(pixels), v) for k, v in member.columns.items()}
            columns |= {"image": images.indices}
            columns |= {k: np.concatenate([o[k] for o in outcomes]) for k in outcomes[0]}
            for column, values in columns.items():
                table.setdefault(column, []).append(values)
    write_table(output, {**spec["model"], **{k: np.concatenate(v) for k, v in table.items()}}, spec)
