"""Toy models of superposition."""

import typer

from interference.cli.job import Manifest, Output, Spec, begin

app = typer.Typer(no_args_is_help=True)


@app.command()
def train(spec: Spec, output: Output) -> None:
    """Train every density, seed and training mode as one stack."""
    fields = begin(spec)
    from interference.toy.train import fit

    fit(fields, output)


@app.command()
def evaluate(spec: Spec, models: Manifest, output: Output) -> None:
    """Attack the trained stack and measure its superposition."""
    fields = begin(spec)
    from interference.toy.evaluate import evaluate

    evaluate(fields, models, output)


@app.command()
def geometry(spec: Spec, models: Manifest, output: Output) -> None:
    """Write how features of a few models overlap, and what an attack does to one input."""
    fields = begin(spec)
    from interference.toy.geometry import describe

    describe(fields, models, output)
