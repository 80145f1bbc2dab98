"""Images and their split."""

import typer

from interference.cli.job import Output, Spec, begin

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _room() -> None:
    """Keeps the verb's name although the room has only one."""


@app.command()
def images(spec: Spec, output: Output) -> None:
    """Read a dataset, split it, and store images, labels and pixel statistics."""
    fields = begin(spec)
    from interference.data.images import build

    build(fields, output)
