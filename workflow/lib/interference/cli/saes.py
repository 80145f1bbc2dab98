"""Sparse autoencoders."""

import typer

from interference.cli.job import Manifest, Output, Spec, begin

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _room() -> None:
    """Keeps the verb's name although the room has only one."""


@app.command()
def fit(spec: Spec, rows: Manifest, output: Output) -> None:
    """Train every sparsity and seed of one SAE type on a layer's rows."""
    fields = begin(spec)
    from interference.saes.fit import fit

    fit(fields, rows, output)
