"""What a layer says, on clean and on attacked images."""

from pathlib import Path
from typing import Annotated

import typer

from interference.cli.job import Manifest, Output, Spec, begin

app = typer.Typer(no_args_is_help=True)


@app.command()
def part(spec: Spec, data: Manifest, model: Manifest, output: Output) -> None:
    """Store a layer's raw rows on a part of the training images, for `extract` to put together."""
    fields = begin(spec)
    from interference.activations.parts import extract_part

    extract_part(fields, data, model, output)


@app.command()
def extract(
    spec: Spec,
    data: Manifest,
    model: Manifest,
    output: Output,
    parts: Annotated[
        list[Path] | None,
        typer.Argument(help="Manifests of all parts, in order; none: the job does every image."),
    ] = None,
) -> None:
    """Store a layer's rows on training and held-out images, standardised."""
    fields = begin(spec)
    from interference.activations.extract import extract

    extract(fields, data, model, output, parts or [])


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
