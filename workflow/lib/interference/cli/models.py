"""Networks trained at each epsilon."""

from pathlib import Path
from typing import Annotated

import typer

from interference.cli.job import Manifest, Output, Spec, begin

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _room() -> None:
    """Keeps the verb's name although the room has only one."""


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
