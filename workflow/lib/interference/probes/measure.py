"""What a layer's SAEs see under attack, and what they cost the network: one job per (model, layer).

Evaluation images go through the network up to the layer, clean and under every attack, and nothing
of that is stored: latents are measured batch by batch, and on clean images every SAE's
reconstruction takes the layer's place. Conditions within the layer follow those of pixels. The
measurements of an SAE type are kept in a hidden file, so that where a type is added or trained anew,
only that type is measured.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from interference import compute
from interference.attacks.conditions import Condition, checked, read_attack
from interference.config.values import DISPLACED
from interference.data.labels import labels_sha256
from interference.data.read import Images, read_split
from interference.models.feeding import to_network
from interference.models.network import load_network
from interference.probes import dense
from interference.probes.inputs import Sweep, each, read_sweep
from interference.probes.latents import Probe, respond
from interference.probes.layer import Layer
from interference.probes.splicing import ablated, outcome, spliced
from interference.provenance import canonical, digest
from interference.store.files import read_json
from interference.store.tables import write_table
from interference.store.tensors import read_kept, write_kept


def run(
    spec: dict,
    data: Path,
    model: Path,
    rows: Path,
    attacks: list[Path],
    saes: list[Path],
    output: Path,
) -> None:
    """Write one row per (type, member, condition, image), and beside it splice.parquet, of clean
    images, and moved.parquet, of the layer itself.

    spec: `Specs.measure`; data, model, rows: manifests of the images, the network and the layer's
    rows; attacks, saes: manifests in the spec's order; output: …/l0.parquet.
    Raises StoreError where an input is not of the spec's network, layer, attack or type.
    """
    images = read_split(data, "evaluation", spec["images"])
    of_network = {"model": spec["model"]}
    of_layer = {**of_network, "layer": spec["layer"]}
    of_images = {**of_network, "images": spec["images"]}
    inputs = [read_json(data), checked(model, of_network), checked(rows, of_layer)]
    conditions = [Condition("clean", 0.0, images.pixels)]
    for name, path in each("--attacks", spec["attacks"], attacks):
        inputs.append(checked(path, {**of_images, "attack": name}))
        conditions += read_attack(path, len(images.labels))
    conditions += [
        Condition(control, condition.epsilon, place)
        for control in DISPLACED
        for place, condition in enumerate(conditions)
        if {"attack": condition.attack, "epsilon": condition.epsilon} == spec["displaced"]
    ]
    sweeps = []
    for name, path in each("--saes", spec["types"], saes):
        checked(path, {**of_layer, "type": name})
        sweeps.append(read_sweep(path))
    identities = {
        sweep.type: {
            "code": spec["code"],
            "layer": spec["layer"],
            "images": [int(images.indices[0]), len(images.indices)],
            "labels": labels_sha256(images.labels),
            "displaced": [spec["displaced"], spec["seed"]],
            "inputs": [m.get("sha256") or m["array"]["sha256"] for m in inputs],
            "heldout": inputs[2]["heldout"]["sha256"],
            "sae": sweep.sha256,
        }
        for sweep in sweeps
    }
    paths = {
        name: output.with_name(f".{name}.{digest(canonical(identity))}.member.safetensors")
        for name, identity in identities.items()
    }
    kept = {name: read_kept(path, identities[name]) for name, path in paths.items()}
    measured = {name: arrays for name, arrays in kept.items() if arrays is not None}
    left = [sweep for sweep in sweeps if sweep.type not in measured]
    if left:
        network = load_network(model).to(compute.device())
        layer = Layer.read(network, spec["layer"], rows)
        for name, arrays in measure(layer, images, conditions, left, spec["seed"]).items():
            write_kept(paths[name], arrays, identities[name])
            measured[name] = arrays
    identity = {**spec["model"], "layer": spec["layer"]}
    l0 = [_l0_columns(s, conditions, images, measured[s.type]) for s in sweeps]
    splice = [_splice_columns(s, images, measured[s.type]) for s in sweeps]
    moved = {**_condition_columns(conditions, images), **_named("moved", measured[sweeps[0].type])}
    write_table(output.with_name("splice.parquet"), {**identity, **_joined(splice)}, spec)
    write_table(output.with_name("moved.parquet"), {**identity, **moved}, spec)
    write_table(output, {**identity, **_joined(l0)}, spec)


def measure(
    layer: Layer, images: Images, conditions: list[Condition], sweeps: list[Sweep], seed: int
) -> dict[str, dict[str, np.ndarray]]:
    """Measure every sweep. Returns type → name → array.

    l0.…: (members, conditions, images), of `respond`. moved.…: (conditions, images), of `Layer.moved`.
    splice.l0, .correct, .loss, .kl: (members, images), of `spliced` and `outcome`; splice.clean_*,
    splice.ablated_*: the same of the network as it is, and with the layer ablated.
    seed: of directions of displaced activations.
    """
    parts: dict[str, list[dict[str, np.ndarray]]] = {sweep.type: [] for sweep in sweeps}
    probes = {s.type: [Probe.of(d, layer.heldout) for d in s.dictionaries] for s in sweeps}
    with torch.inference_mode():
        for batch in layer.batches(images, len(conditions)):
            labels = torch.from_numpy(images.labels[batch]).to(compute.device())
            raw = layer.activations(images.pixels[batch])
            values = [layer.statistics.apply(raw.cpu().numpy())]
            for condition in conditions[1:]:
                if isinstance(condition.source, int):
                    attacked, indices = values[condition.source], images.indices[batch]
                    values.append(
                        layer.displaced(values[0], attacked, condition.attack, indices, seed)
                    )
                else:
                    values.append(layer.standardised(condition.source[batch]))
            moved = [layer.moved(values[0], v) for v in values]
            shared = {f"moved.{name}": np.stack([m[name] for m in moved]) for name in moved[0]}
            clean = layer.network(to_network(torch.from_numpy(images.pixels[batch])))
            baselines = {f"clean_{k}": v for k, v in outcome(clean, labels, clean).items()}
            without = ablated(layer.network, layer.name, layer.statistics, raw)
            baselines |= {f"ablated_{k}": v for k, v in outcome(without, labels, clean).items()}
            del baselines["clean_kl"]
            for sweep in sweeps:
                own = _of_batch(layer, probes[sweep.type], values, raw, labels, clean, baselines)
                parts[sweep.type].append({**own, **shared})
    return {
        name: {key: np.concatenate([p[key] for p in batches], axis=-1) for key in batches[0]}
        for name, batches in parts.items()
    }


def _of_batch(
    layer: Layer,
    probes: list[Probe],
    values: list[np.ndarray],
    raw: Tensor,
    labels: Tensor,
    clean: Tensor,
    baselines: dict[str, np.ndarray],
) -> dict[str, np.ndarray]:
    """Return the arrays of one sweep on a batch, as of `measure`; images are the last axis."""
    members = []
    measured = dense.respond if raw.is_cuda else respond
    for probe in probes:
        l0 = {f"l0.{name}": array for name, array in measured(probe, values).items()}
        active, logits = spliced(layer.network, layer.name, layer.statistics, probe.dictionary, raw)
        columns = {"l0": active, **outcome(logits, labels, clean), **baselines}
        splice = {f"splice.{name}": array for name, array in columns.items()}
        members.append({**l0, **splice})
    return {name: np.stack([m[name] for m in members]) for name in members[0]}


def _l0_columns(
    sweep: Sweep, conditions: list[Condition], images: Images, arrays: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    members, of_condition = len(sweep.members), _condition_columns(conditions, images)
    rows = len(of_condition["image"])
    return {
        "type": np.full(members * rows, sweep.type),
        **{name: np.tile(column, members) for name, column in of_condition.items()},
        **_member_columns(sweep, rows),
        **_named("l0", arrays),
    }


def _splice_columns(
    sweep: Sweep, images: Images, arrays: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    members, count = len(sweep.members), len(images.indices)
    return {
        "type": np.full(members * count, sweep.type),
        **_member_columns(sweep, count),
        "image": np.tile(images.indices, members),
        **_named("splice", arrays),
    }


def _condition_columns(conditions: list[Condition], images: Images) -> dict[str, np.ndarray]:
    """Return the columns attack, epsilon and image, a row per (condition, image)."""
    count = len(images.indices)
    return {
        "attack": np.repeat([c.attack for c in conditions], count),
        "epsilon": np.repeat([c.epsilon for c in conditions], count),
        "image": np.tile(images.indices, len(conditions)),
    }


def _named(table: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return a table's columns of `measure`, in one order, whether measured now or kept."""
    own = sorted(name for name in arrays if name.startswith(f"{table}."))
    return {name.removeprefix(f"{table}."): arrays[name].ravel() for name in own}


def _member_columns(sweep: Sweep, rows: int) -> dict[str, np.ndarray]:
    """Return the columns sparsity and sae_seed, ``rows`` rows per member."""
    return {
        name: np.repeat([member[name] for member in sweep.members], rows)
        for name in ("sparsity", "sae_seed")
    }


def _joined(tables: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Concatenate tables of the same columns, row after row."""
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
