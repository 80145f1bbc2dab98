"""The step that mounts bottlenecks on a network of the experiment, and flips features through it.

The frozen network stands where other canvases have a small trunk: what it says of an image ahead of
its classifier, h, is a cell's evidence, and cells are whole images. Bottleneck and decoder are
taught on h, which is computed once per image; attacks go through the network, down to the pixels.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from interference.canvas.family import Member, Pool, built
from interference.canvas.flip import flipped, write_flips
from interference.canvas.learn import settled
from interference.canvas.streams import INIT, PRETRAINING, TRAINING, canvases
from interference.canvas.train import Taught, pretrain, train
from interference.compute import generator
from interference.models.architectures import HOOKS
from interference.models.network import Network, load_network
from interference.progress import say

#: Images of one pass, whatever is asked for: sums in float32 hang on it.
BATCH = 100


class Mounted(nn.Module):
    """A classifier's last hook, in the mean over positions, over a scale: a trunk that stays as it is.

    (N, channels, side, side) float32 in [0, 1] → (N, D). No straight-through slope reaches into it.
    """

    def __init__(self, network: Network, scale: float):
        super().__init__()
        self.network, self.scale = network, scale

    def forward(self, x: Tensor, slope: float = 0.0) -> Tensor:
        return self.network.activations(x, HOOKS[-1]).mean(1) / self.scale


class Given(nn.Module):
    """The trunk of cells that are evidence already: (N, D, 1, 1) → (N, D)."""

    def forward(self, x: Tensor, slope: float = 0.0) -> Tensor:
        return x.flatten(1)


@torch.no_grad()
def told(trunk: Mounted, images: Tensor) -> Tensor:
    """What a trunk says of single images: (N, channels, side, side) → (N, D)."""
    return torch.cat([trunk(part) for part in images.split(BATCH)])


def teach(spec: dict, pool: Pool) -> Taught:
    """Return a head that tells classes apart by what a trunk says, which detectors start from.

    pool: of training images, each cell of which is what the trunk says of one.
    """
    draw = generator(spec["seed"], PRETRAINING)
    return pretrain(Given(), pool.images.shape[1], pool.composer(1), spec["trunk"], draw)


def mounted(
    settings: dict, spec: dict, trunk: Mounted, taught: Taught, pools: dict[str, Pool]
) -> Member:
    """Return a network whose bottleneck and decoder are taught on what a trunk says.

    settings: one of spec["members"]. taught: `teach`. pools: of the splits train, heldout and
    evaluation, each cell of which is what the trunk says of an image.
    """
    seed, features = spec["seed"], pools["train"].images.shape[1]
    composer = pools["train"].composer(settings["cells"])
    regime = spec["regime"]
    build = {
        "channels": features,
        "side": 1,
        "features": features,
        "detectors": regime["detectors"],
        "hidden": regime["hidden"],
    }
    draw = generator(seed, INIT, settings["cells"], settings["dimensions"])
    network = built(settings, build, draw)
    streams = canvases(seed, TRAINING)
    network = train(network, taught, composer, spec["training"], streams, frozen=True)
    thresholds, accuracy = settled(network, settings, pools, seed)
    network.trunk = trunk
    say(f"m{settings['dimensions']}: accuracy {accuracy.mean():.3f}")
    return Member(settings, network, thresholds, accuracy)


def run(spec: dict, data: Path, model: Path, output: Path) -> None:
    """Teach bottlenecks on a frozen network, flip their features, and measure superposition.

    spec: `Specs.mount`; data: the images' manifest; model: the network's manifest.
    output: .flips.parquet, and beside it .features.parquet, as `flip.run` writes them, each behind
    the columns that name the network. Raises StoreError where images or weights are missing or damaged.
    """
    network = load_network(model)
    pools = {split: Pool(data, split, spec) for split in ("train", "heldout", "evaluation")}
    plain = Mounted(network, 1.0)
    said = {split: told(plain, pool.images) for split, pool in pools.items()}
    scale = said["train"].double().square().mean().sqrt().item()
    of_images = {
        split: pool.showing((said[split] / scale)[:, :, None, None])
        for split, pool in pools.items()
    }
    trunk = Mounted(network, scale)
    taught = teach(spec, of_images["train"])
    members = [mounted(each, spec, trunk, taught, of_images) for each in spec["members"]]
    tables = flipped(members, pools["evaluation"], spec)
    del tables["cosines"]
    write_flips(tables, spec, output, **spec["model"])
