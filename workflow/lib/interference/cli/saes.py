"""Sparse autoencoders."""

import typer

from interference.cli.job import Manifest, Output, Spec, begin

app = typer.Typer(no_args_is_help=True)


@app.command()
def fit(spec: Spec, rows: Manifest, output: Output) -> None:
    """Train every sparsity and seed of one SAE type on a layer's rows."""
    fields = begin(spec)
    from interference.saes.fit import fit

    fit(fields, rows, output)


@app.command()
def baselines(spec: Spec, rows: Manifest, output: Output) -> None:
    """Reconstruct a layer's rows by PCA, and train SAEs on whitened rows and a Gaussian surrogate."""
    fields = begin(spec)
    from interference.saes.baselines import compare

    compare(fields, rows, output)
