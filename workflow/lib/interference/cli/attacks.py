"""Adversarial images and what the networks make of them."""

import typer

from interference.cli.job import Manifest, Output, Spec, begin

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _room() -> None:
    """Keeps the verb's name although the room has only one."""


@app.command()
def craft(spec: Spec, data: Manifest, model: Manifest, output: Output) -> None:
    """Attack a network with one method, at every epsilon of its grid."""
    fields = begin(spec)
    from interference.attacks.craft import attack

    attack(fields, data, model, output)
