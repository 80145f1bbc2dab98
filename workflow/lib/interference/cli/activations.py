"""What a layer says, on clean and on attacked images."""

from pathlib import Path
from typing import Annotated

import typer

from interference.cli.job import Manifest, Output, Spec, begin

app = typer.Typer(no_args_is_help=True)


@app.command()
def extract(spec: Spec, data: Manifest, model: Manifest, output: Output) -> None:
    """Store a layer's rows on training and held-out images, standardised."""
    fields = begin(spec)
    from interference.activations.extract import extract

    extract(fields, data, model, output)


@app.command()
def attacked(
    attacks: Annotated[list[Path], typer.Argument(help="Manifests of adversarial images.")],
    spec: Spec,
    data: Manifest,
    model: Manifest,
    folder: Annotated[
        Path, typer.Option(help="The network's: LAYER/rows.json is read, LAYER/attacked.* written.")
    ],
) -> None:
    """Store every layer's activations on clean and attacked evaluation images."""
    fields = begin(spec)
    from interference.activations.attacked import extract_attacked

    extract_attacked(fields, data, model, attacks, folder)
