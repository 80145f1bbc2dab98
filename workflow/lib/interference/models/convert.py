"""Convert a checkpoint to safetensors: checked, and without running anything that it names.

A checkpoint is a pickle, and a pickle can name any function to call (`unpickle`).

MadryLab's files (robustness, written with dill) hold a dict: `model` and the state of the training.
`model` has the network twice, under `module.model.` and `module.attacker.model.`, and its
normaliser twice. All of it must be there, the copies equal, and nothing else. Architectures that are
not the library's own may stand in one more module, named `model`.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from interference import progress
from interference.models.hub import CheckpointError, obtain
from interference.models.matching import matched, some
from interference.models.network import Network
from interference.models.unpickle import read
from interference.store.files import sha256, write_json
from interference.store.tensors import write_tensors

#: Where MadryLab's files keep the network, twice; likewise mean and deviation of pixels.
COPIES = ("module.model.", "module.attacker.model.")
NORMALISERS = ("module.normalizer.new_", "module.attacker.normalize.new_")
#: ImageNet's, which their networks were trained with.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def run(spec: dict, output: Path) -> None:
    """Convert one network's checkpoint.

    spec: `Specs.convert`, whose checkpoint has format (madrylab or state_dict), architecture, where
    the file is, as `hub.obtain` takes it, and of a state dict also classes, mean and std.
    output: the manifest (.json), and the weights beside it (.safetensors).
    Raises CheckpointError where the file is not what it must be; nothing is written then.
    """
    source = spec["checkpoint"]
    path, checksum = obtain(source)
    if source["sha256"] is None:
        progress.say(f"{path.name} has SHA-256 {checksum}: write it in models to pin it")
    entries, build = _READERS[source["format"]](read(path), source, path)
    network = Network(**build)
    model = spec["model"]["model"]
    weights = matched(entries, network.body.state_dict(), model, source, path)
    arrays = {f"body.{name}": tensor.numpy() for name, tensor in weights.items()}
    arrays |= {name: getattr(network, name).numpy() for name in ("mean", "std")}
    weights_path = output.with_suffix(".safetensors")
    write_tensors(weights_path, arrays, spec)
    file = {"file": path.name, "bytes": path.stat().st_size, "sha256": checksum}
    manifest = {"spec": spec, "build": build, "source": file}
    write_json(output, {**manifest, "sha256": sha256(weights_path)})


def madrylab(entries: object, source: dict, path: Path) -> tuple[dict[str, Tensor], dict]:
    """Return the weights in one of MadryLab's files, by the network's names, and how it is built.

    entries: what the file at ``path`` holds. source: the spec's checkpoint.
    Raises CheckpointError where the file has more or less than it must, or its copies differ.
    """
    if not isinstance(entries, Mapping) or "model" not in entries:
        raise CheckpointError(f"{path} has no entry `model`; it is none of MadryLab's checkpoints")
    model = _tensors(entries["model"], path)
    normalisers = {f"{where}{name}" for where in NORMALISERS for name in ("mean", "std")}
    copies = [
        {key.removeprefix(where): value for key, value in model.items() if key.startswith(where)}
        for where in COPIES
    ]
    strange = [key for key in model if not key.startswith(COPIES) and key not in normalisers]
    if strange:
        raise CheckpointError(f"{path} holds {some(strange)}, which none of MadryLab's files does")
    for where, copy in zip(COPIES, copies):
        if not copy:
            raise CheckpointError(f"{path} has no keys {where}*; it is none of MadryLab's files")
    missing = sorted(normalisers - model.keys())
    if missing:
        raise CheckpointError(f"{path} lacks {some(missing)}; fetch it again")
    for where in NORMALISERS:
        for name, expected in (("mean", MEAN), ("std", STD)):
            values = model[f"{where}{name}"].flatten().tolist()
            if len(values) != 3 or max(abs(a - b) for a, b in zip(values, expected)) > 1e-6:
                raise CheckpointError(
                    f"{path}: {where}{name} is {values}, ImageNet's is {list(expected)}; the "
                    "network expects other pixels than it will be shown"
                )
    first, second = copies
    differ = sorted(first.keys() ^ second.keys())
    differ += [
        key for key in first.keys() & second.keys() if _bits(first[key]) != _bits(second[key])
    ]
    if differ:
        raise CheckpointError(
            f"{path}: its two copies of the network differ in {some(differ)}; fetch it again"
        )
    classes = _classes(first)
    return first, _build(source["architecture"], classes, list(MEAN), list(STD))


def _bits(value: Tensor) -> tuple:
    # as bytes, which numpy has for bfloat16 too
    return (
        value.shape,
        value.dtype,
        value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes(),
    )


def _classes(state: dict[str, Tensor]) -> int:
    """Return the number of outputs of the last layer, ImageNet's thousand where there is none."""
    last = [value for key, value in state.items() if value.ndim == 1 and key.endswith("bias")]
    return len(last[-1]) if last else 1000


def state_dict(entries: object, source: dict, path: Path) -> tuple[object, dict]:
    """Return the entries as they are, in which `matched` looks for weights, and how it is built."""
    build = _build(source["architecture"], source["classes"], source["mean"], source["std"])
    return entries, build


_READERS = {"madrylab": madrylab, "state_dict": state_dict}


def _build(architecture: str, classes: int, mean: list[float], std: list[float]) -> dict:
    facts = {"architecture": architecture, "stem": "imagenet", "channels": 3, "classes": classes}
    return {**facts, "mean": mean, "std": std}


def _tensors(state: object, path: Path) -> dict[str, Tensor]:
    """Return ``state`` as a state dict. Raises CheckpointError where it is none."""
    if not isinstance(state, Mapping) or not state:
        raise CheckpointError(f"{path} holds no state dict under `model`; fetch it again")
    strange = [key for key, value in state.items() if not isinstance(value, Tensor)]
    if strange:
        raise CheckpointError(
            f"{path} holds {some(strange)} that are no tensors, which none of MadryLab's files does"
        )
    return dict(state)
