"""Verbs of the config: check it, print its results folder, print its JSON schema."""

import json
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
def schema() -> None:
    """Print the JSON schema of a config, for editors."""
    from interference.config.schema import Config

    print(json.dumps(Config.model_json_schema(), indent=1, sort_keys=True))
