"""The step that teaches classifiers through a bottleneck, of one seed.

All of them start from the same hidden units and see the same images in the same order. Those of an
epsilon are taught as one stack.
"""

from pathlib import Path

import torch
from torch import Tensor

from interference.compute import generator
from interference.progress import say
from interference.rivals.classifiers import images
from interference.rivals.descent import Attack, Pool, teach
from interference.rivals.geometry import forced
from interference.rivals.network import Stack, drawn, joined
from interference.rivals.streams import BATCHES, INIT
from interference.store.files import sha256, write_json
from interference.store.tensors import write_tensors


def start(members: list[dict], spec: dict, pixels: int) -> tuple[Stack, Tensor]:
    """Return networks before training, and whether each learns its class vectors: (S,) bool."""
    widest = max(member["width"] for member in members)
    networks = [_padded(_drawn(member, spec, pixels), widest) for member in members]
    arrays = {name: torch.stack([network[name] for network in networks]) for name in networks[0]}
    classes = torch.full((len(members),), spec["classes"])
    learned = torch.tensor([member["frame"] is None for member in members])
    return Stack(**arrays, classes=classes), learned


def _drawn(member: dict, spec: dict, pixels: int) -> dict[str, Tensor]:
    width, classes, seed = member["width"], spec["classes"], spec["seed"]
    network = drawn(pixels, spec["hidden"], width, classes, generator(seed, INIT))
    if member["frame"] is not None:
        network["W"] = forced(classes, width, member["frame"], seed)
    return network


def _padded(network: dict[str, Tensor], widest: int) -> dict[str, Tensor]:
    """The network with columns of zeros in A and W, up to the widest bottleneck."""

    def wider(array: Tensor) -> Tensor:
        return torch.nn.functional.pad(array, (0, widest - array.shape[1]))

    return {**network, "A": wider(network["A"]), "W": wider(network["W"])}


def run(spec: dict, data: Path, output: Path) -> None:
    """Teach them; write their weights beside ``output`` and then ``output``, their manifest.

    spec: `Specs.classify`; data: the images' manifest; output: .json, and beside it .safetensors, the
    arrays of `network.Stack`, networks in the order of the spec's members. Raises StoreError where
    images are missing or damaged.
    """
    pool = Pool(*images(data, "train", spec["classes"]))
    x, labels = images(data, "evaluation", spec["classes"])
    stacks, order = [], []
    for epsilon in dict.fromkeys(member["epsilon"] for member in spec["members"]):
        members = [member for member in spec["members"] if member["epsilon"] == epsilon]
        stack, learned = start(members, spec, pool.pixels.shape[1])
        attack = Attack("l2", epsilon, spec["steps"])
        teach(stack, pool, spec["training"], attack, generator(spec["seed"], BATCHES), learned)
        stacks.append(stack)
        order += members
    assert order == spec["members"], "members are listed by epsilon"
    stack = joined(stacks)
    right = stack.alike(x.flatten(1)).argmax(2) == labels
    accuracy = right.double().mean(1).tolist()
    for member, share in zip(order, accuracy):
        say(f"{member['name']}: accuracy {share:.3f}")
    weights = output.with_suffix(".safetensors")
    write_tensors(weights, {n: v.numpy() for n, v in stack.parameters().items()}, spec)
    write_json(output, {"spec": spec, "accuracy": accuracy, "sha256": sha256(weights)})
