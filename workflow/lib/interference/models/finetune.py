"""The step that trains a copy of a trunk at one epsilon."""

from pathlib import Path

from interference.models.training import train_and_write


def run(spec: dict, data: Path, trunk: Path, output: Path) -> None:
    """Train a copy of a trunk further, under attack where epsilon is above 0.

    spec: `Specs.finetune`; data, trunk: manifests of the images and of the network to start from;
    output: the network's, .safetensors and the training's log in .parquet beside it.
    """
    train_and_write(spec, data, trunk, output)
