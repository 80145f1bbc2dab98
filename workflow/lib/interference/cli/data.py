"""Images and their split."""

from typing import Annotated

import typer

from interference.cli.job import Output, Spec, begin

#: Processes that decode pictures.
Workers = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Processes that decode pictures, where Slurm gives no fewer CPUs; else one per CPU.",
    ),
]

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _room() -> None:
    """Keeps the verb's name although the room has only one."""


@app.command()
def images(spec: Spec, output: Output, workers: Workers = None) -> None:
    """Read a dataset, split it, and store images, labels and pixel statistics."""
    fields = begin(spec)
    from interference.data.images import build

    build(fields, output, workers)
