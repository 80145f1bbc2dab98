"""Activations of one network on the evaluation images: clean, and under every attack.

All positions, float32, standardised with the statistics of the clean training images, so that L0
under attack needs no forward pass. The images go through the network once for all layers: one job
a network, where the clean rows have one a layer. Another layer then runs this anew, and what comes
after it is cheap; what comes after the rows is the training of SAEs.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import torch

from interference import compute, progress
from interference.activations.standardise import Statistics
from interference.data.read import read_split
from interference.models.feeding import batches, to_network
from interference.models.network import load_network
from interference.store.arrays import Reader, open_array, writing
from interference.store.files import StoreError, read_json, write_json
from interference.store.stretch import Stretch
from interference.store.tensors import read_described


def extract_attacked(
    spec: dict, data: Path, model: Path, attacks: list[Path], folder: Path
) -> None:
    """The job: (conditions × images, positions, d) of each layer, in ``folder``/LAYER/attacked.zarr;
    the manifests, written last, list the conditions in order.

    folder/LAYER/rows.json: manifest of a layer's clean rows, for the statistics.
    attacks: manifests in the spec's order.
    """
    network, layers = load_network(model).to(compute.device()), spec["layers"]
    statistics = {layer: _statistics(folder / layer / "rows.json") for layer in layers}
    clean = read_split(data, "evaluation", spec["images"]).pixels
    attacked = dict(zip(spec["attacks"], map(_open, spec["attacks"], attacks), strict=True))
    conditions = [{"attack": "clean", "epsilon": 0.0}]
    conditions += [
        {"attack": name, "epsilon": epsilon}
        for name, (_, epsilons) in attacked.items()
        for epsilon in epsilons
    ]

    def pixels_by_condition() -> Iterator[Stretch]:
        yield clean
        for images, epsilons in attacked.values():
            for i in range(len(epsilons)):
                yield Stretch(images, i * len(clean), (i + 1) * len(clean))

    outputs = {layer: folder / layer / "attacked.json" for layer in layers}
    with ExitStack() as stack, torch.inference_mode():
        writers = {}
        for layer, values in network.hooks(to_network(torch.from_numpy(clean[:1])), layers):
            shape = (len(conditions) * len(clean), *values.shape[1:])
            store = outputs[layer].with_suffix(".zarr")
            writers[layer] = stack.enter_context(writing(store, shape, "float32", spec))
        for pixels in progress.track(
            pixels_by_condition(), total=len(conditions), label="conditions"
        ):
            for x in batches(pixels):
                for layer, values in network.hooks(x, layers):
                    writers[layer].append(statistics[layer].apply(values.cpu().numpy()))
    for layer, output in outputs.items():
        manifest = {"spec": spec, "layer": layer, "array": writers[layer].manifest()}
        write_json(output, {**manifest, "conditions": conditions})


def _statistics(rows: Path) -> Statistics:
    arrays, _ = read_described(rows)
    return Statistics(arrays["mean"], arrays["std"], floored=0)


def _open(name: str, manifest_path: Path) -> tuple[Reader, list[float]]:
    """Adversarial images (epsilons × images, ...) of one attack, and its epsilons."""
    manifest = read_json(manifest_path)
    if manifest["spec"]["attack"] != name:
        raise StoreError(f"{manifest_path} holds {manifest['spec']['attack']}, not {name}")
    return open_array(manifest_path.with_suffix(".zarr"), manifest["array"]), manifest["epsilons"]
