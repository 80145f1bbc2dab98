"""Adversarial images and what the networks make of them."""

import typer

from interference.cli.job import Manifest, Output, Spec, begin

app = typer.Typer(no_args_is_help=True)


@app.command()
def predict(spec: Spec, data: Manifest, model: Manifest, output: Output) -> None:
    """Predict the clean evaluation images."""
    fields = begin(spec)
    from interference.attacks.predict import predict

    predict(fields, data, model, output)


@app.command()
def craft(spec: Spec, data: Manifest, model: Manifest, output: Output) -> None:
    """Attack a network with one method, at every epsilon of its grid."""
    fields = begin(spec)
    from interference.attacks.craft import attack

    attack(fields, data, model, output)
