"""What the verbs of jobs share: their options, and how they begin."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from interference.progress import say
from interference.provenance import read_spec

#: The job's spec, as `snakemake -p` prints it.
Spec = Annotated[
    str, typer.Option(help="What to do: the job's canonical JSON, made by the workflow.")
]
#: A manifest (.json); the files it describes lie beside it under the same name.
Manifest = Annotated[Path, typer.Option(help="A manifest; its files lie beside it.")]
Output = Annotated[Path, typer.Option(help="The main output; others lie beside it under its name.")]

_LIBRARIES = ("numpy", "numba", "torch", "torchvision", "zarr", "pyarrow", "pandas", "safetensors",
              "matplotlib")  # fmt: skip


def begin(spec: str) -> dict:
    """Read and check a job's spec, load its code, and log the versions that it runs with.

    Library versions are recorded, and no reason to rerun. Raises StaleSpecError.
    """
    fields = read_spec(spec)
    loaded = ((name, getattr(sys.modules.get(name), "__version__", None)) for name in _LIBRARIES)
    python = ".".join(map(str, sys.version_info[:3]))
    say(
        ", ".join(
            [f"python {python}", *(f"{name} {version}" for name, version in loaded if version)]
        )
    )
    return fields
