"""Toy models of superposition."""

import typer

from interference.cli.options import Manifest, Output, Spec
from interference.provenance import read_spec

app = typer.Typer(no_args_is_help=True)


@app.command()
def train(spec: Spec, output: Output) -> None:
    """Train every density, seed and training mode as one stack."""
    fields = read_spec(spec)
    from interference.toy.train import fit

    fit(fields, output)


@app.command()
def evaluate(spec: Spec, models: Manifest, output: Output) -> None:
    """Attack the trained stack and measure its superposition."""
    fields = read_spec(spec)
    from interference.toy.evaluate import evaluate

    evaluate(fields, models, output)
