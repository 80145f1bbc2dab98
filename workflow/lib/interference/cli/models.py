"""Networks trained at each epsilon, or taken from files."""

from pathlib import Path
from typing import Annotated

import typer

from interference.cli.job import Manifest, Output, Spec, begin

app = typer.Typer(no_args_is_help=True)


@app.command()
def train(
    spec: Spec,
    data: Manifest,
    output: Output,
    trunk: Annotated[Path | None, typer.Option(help="The trunk to start from.")] = None,
) -> None:
    """Train a trunk, or fine-tune a copy of one at an epsilon."""
    fields = begin(spec)
    from interference.models.train import fit

    fit(fields, data, trunk, output)


@app.command()
def convert(spec: Spec, output: Output) -> None:
    """Fetch a checkpoint, check it, and convert it to safetensors; nothing that it names is run."""
    fields = begin(spec)
    from interference.models.checkpoint import convert

    convert(fields, output)


@app.command()
def predict(spec: Spec, data: Manifest, model: Manifest, output: Output) -> None:
    """Predict the clean evaluation images with a converted network."""
    fields = begin(spec)
    from interference.models.clean import predictions

    predictions(fields, data, model, output)
