"""The step that trains the clean network from which every network of a seed starts."""

from pathlib import Path

from interference.models.training import train_and_write


def run(spec: dict, data: Path, output: Path) -> None:
    """Train a network on clean images from scratch.

    spec: `Specs.trunk`; data: the images' manifest; output: the network's, .safetensors and the
    training's log in .parquet beside it.
    """
    train_and_write(spec, data, None, output)
