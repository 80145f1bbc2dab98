"""Sparse autoencoders."""

import typer

from interference.cli.options import Manifest, Output, Spec
from interference.provenance import read_spec

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _room() -> None:
    """Keeps the verb's name although the room has only one."""


@app.command()
def fit(spec: Spec, rows: Manifest, output: Output) -> None:
    """Train every sparsity and seed of one SAE type on a layer's rows."""
    fields = read_spec(spec)
    from interference.saes.fit import fit

    fit(fields, rows, output)
