"""Options that verbs share."""

from pathlib import Path
from typing import Annotated

import typer

#: The job's spec, as `snakemake -p` prints it.
Spec = Annotated[
    str, typer.Option(help="What to do: the job's canonical JSON, made by the workflow.")
]
#: A manifest (.json); the files it describes lie beside it under the same name.
Manifest = Annotated[Path, typer.Option(help="A manifest; its files lie beside it.")]
Output = Annotated[Path, typer.Option(help="The main output; others lie beside it under its name.")]
