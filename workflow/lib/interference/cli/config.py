"""Verbs of the config: check it, print its results folder, say what its keys mean."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)

ConfigFile = Annotated[Path, typer.Argument(help="A config file.")]


@app.command()
def check(path: ConfigFile) -> None:
    """Check a config; an error names each field, what was found and what is allowed."""
    from interference.config.load import read_config

    print(f"{path}: fine, results go to results/{read_config(path).experiment}")


@app.command()
def results(path: ConfigFile) -> None:
    """Print the results folder."""
    from interference.config.load import read_config

    print(Path("results") / read_config(path).experiment)


@app.command()
def describe() -> None:
    """Write what this repository says of the keys: docs/config.md, config.yaml's comments, the JSON
    schema."""
    from interference.config.describe import files
    from interference.provenance import ROOT

    for path, text in files(ROOT.parents[2]).items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
