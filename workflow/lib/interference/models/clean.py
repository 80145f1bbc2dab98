"""Predictions of the clean evaluation images, of a network that was not trained here."""

from pathlib import Path

from interference import compute, progress
from interference.data.read import read_manifest, read_split
from interference.models.hub import CheckpointError
from interference.models.network import load_network
from interference.models.predict import predict
from interference.store.files import read_json
from interference.store.tables import write_table


def predictions(spec: dict, data: Path, model: Path, output: Path) -> None:
    """The job: one row an evaluation image. Raises CheckpointError where classes do not fit."""
    classes, known = read_json(model)["build"]["classes"], read_manifest(data)["classes"]
    if classes != known:
        raise CheckpointError(
            f"{spec['model']['model']} tells {classes} classes apart, the images have {known}; name the "
            "dataset that it was trained on"
        )
    network = load_network(model).to(compute.device())
    table = predict(network, read_split(data, "evaluation"))
    write_table(output, {**spec["model"], **table}, spec)
    progress.say(f"accuracy {(table['prediction'] == table['label']).mean():.4f}")
