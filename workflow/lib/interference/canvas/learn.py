"""The step that teaches a family of networks: a trunk once, and every member on its copy.

Members see the same canvases in the same order, and each draws its weights from a stream of its own
size: a member's bytes do not depend on which others are taught beside it. A job takes a minute or
two, and so keeps no checkpoint.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from interference.canvas.bounded import Adversary
from interference.canvas.compose import Composer
from interference.canvas.family import Pool, built
from interference.canvas.layout import turned
from interference.canvas.measures import directions
from interference.canvas.network import Network, Trunk
from interference.canvas.streams import (
    ACCURACY,
    INIT,
    PRETRAINING,
    SHUFFLED,
    THRESHOLDS,
    TRAINING,
    TRUNK,
    canvases,
)
from interference.canvas.thresholds import accuracy, balanced, equal_error, evidence
from interference.canvas.train import Taught, pretrain, refit, train
from interference.compute import generator
from interference.progress import say
from interference.store.files import sha256, write_json
from interference.store.tensors import write_tensors

#: Canvases that set thresholds, and others that give accuracies.
CANVASES = 400


def build_of(spec: dict, composer: Composer) -> dict:
    """Return what all networks of a family have in common, as `family.built` takes it."""
    _, channels, side, _ = composer.images.shape
    return {
        "channels": channels,
        "side": side,
        "features": spec["trunk"]["features"],
        "detectors": spec["regime"]["detectors"],
        "hidden": spec["regime"]["hidden"],
    }


def teach(spec: dict, pool: Pool) -> Taught:
    """Return the trunk of a seed, taught to tell classes apart. spec: `Specs.learn`."""
    composer = pool.composer(1)
    build = build_of(spec, composer)
    trunk = Trunk(build["channels"], build["side"], build["features"])
    trunk.draw(generator(spec["seed"], TRUNK))
    draw = generator(spec["seed"], PRETRAINING)
    return pretrain(trunk, build["features"], composer, spec["trunk"], draw)


def member(settings: dict, spec: dict, taught: Taught, pool: Pool) -> Network:
    """Return one member of a family, trained. settings: one of spec["members"]."""
    composer = pool.composer(settings["cells"], correlated=settings["correlated"])
    draw = generator(spec["seed"], INIT, settings["cells"], settings["dimensions"])
    adversary = None
    if spec["adversarial"] is not None:  # the clean network has the same loss, with a radius of 0
        steps, cells = spec["adversarial"]["steps"], settings["attacked"] or "all"
        adversary = Adversary(settings["epsilon"], steps, cells)
    seed = canvases(spec["seed"], TRAINING)
    network = train(
        built(settings, build_of(spec, composer), draw),
        taught,
        composer,
        spec["training"],
        seed,
        frozen=settings["frozen"],
        orthonormal=settings["orthonormal"],
        read=settings["read"],
        adversary=adversary,
    )
    if settings["shuffled"] is not None:
        turns = _turns(network, composer, spec["seed"]) if settings["shuffled"] else None
        network = refit(network, composer, spec["training"], seed, turns)
    return network


def _turns(network: Network, composer: Composer, seed: int) -> Tensor:
    """What turns each cell's part of the bottleneck, so that directions of features have another layout."""
    seen = evidence(network, composer, canvases(seed, SHUFFLED), CANVASES)
    return turned(directions(seen), generator(seed, SHUFFLED, network.shape.dimensions))


def settled(
    network: Network, settings: dict, pools: dict[str, Pool], seed: int
) -> tuple[Tensor, Tensor]:
    """Return a network's thresholds, set on held-out images, and its accuracies on evaluation images,
    (n,) each. settings: of the member; pools: of both splits."""
    on_held_out, on_evaluation = (
        balanced(
            network,
            evidence(
                network,
                pools[split].composer(settings["cells"], correlated=settings["correlated"]),
                canvases(seed, purpose),
                CANVASES,
            ),
        )
        for purpose, split in ((THRESHOLDS, "heldout"), (ACCURACY, "evaluation"))
    )
    thresholds = equal_error(on_held_out)
    return thresholds, accuracy(on_evaluation, thresholds)


def run(spec: dict, data: Path, output: Path) -> None:
    """Teach a family; write its weights beside ``output`` and then ``output``, their manifest.

    spec: `Specs.learn`; data: the images' manifest; output: .json, and beside it .safetensors, with
    the weights of every member, its thresholds and its accuracies, (n,) each, as NAME/….
    Thresholds are set on held-out images and accuracies measured on evaluation images. Raises
    StoreError where images are missing or damaged.
    """
    pools = {split: Pool(data, split, spec) for split in ("train", "heldout", "evaluation")}
    taught = teach(spec, pools["train"])
    images, labels = pools["evaluation"].composer(1).pool()
    with torch.no_grad():
        told = taught.head(taught.trunk(images)).argmax(1) == labels
    arrays: dict[str, np.ndarray] = {}
    accuracies = {}
    for settings in spec["members"]:
        network = member(settings, spec, taught, pools["train"])
        thresholds, right = settled(network, settings, pools, spec["seed"])
        found = {**network.state_dict(), "thresholds": thresholds, "accuracy": right}
        arrays |= {f"{settings['name']}/{name}": value.numpy() for name, value in found.items()}
        accuracies[settings["name"]] = right[: settings["read"]].tolist()
        say(f"{settings['name']}: accuracy {right[: settings['read']].mean():.3f}")
    weights = output.with_suffix(".safetensors")
    write_tensors(weights, arrays, spec)
    write_json(
        output,
        {
            "spec": spec,
            "build": build_of(spec, pools["train"].composer(1)),
            "trunk_accuracy": told.double().mean().item(),
            "accuracy": accuracies,
            "sha256": sha256(weights),
        },
    )
