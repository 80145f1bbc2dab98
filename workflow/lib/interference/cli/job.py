"""The options that all verbs of jobs share, and how a job begins."""

import gc
import os
import platform
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
Output = Annotated[Path, typer.Option(help="The main output; others lie beside it under its name.")]

_LIBRARIES = ("numpy", "numba", "torch", "torchvision", "zarr", "pyarrow", "pandas", "safetensors",
              "matplotlib")  # fmt: skip


def place() -> str:
    """The node that a job runs on, in words; of a Slurm job also its CPUs and GPUs."""
    variable = os.environ.get
    if "SLURM_JOB_ID" not in os.environ:
        return f"on {platform.node()}"
    node, cpus = variable("SLURMD_NODENAME", platform.node()), variable("SLURM_CPUS_PER_TASK", "?")
    gpus = variable("CUDA_VISIBLE_DEVICES") or "none"
    return f"on {node}, Slurm job {variable('SLURM_JOB_ID')}, CPUs {cpus}, GPUs {gpus}"


def begin(spec: str) -> dict:
    """Read and check a job's spec, load its code, and log where and with which versions it runs.

    Versions of libraries are no reason to rerun. Raises StaleSpecError.
    """
    gc.disable()  # libraries leave no garbage: to look for it is a third of their start
    try:
        fields = read_spec(spec)
    finally:
        gc.enable()
    gc.freeze()  # nor is there any among them at the end
    versions = {"python": ".".join(map(str, sys.version_info[:3]))}
    versions |= {name: getattr(sys.modules.get(name), "__version__", "") for name in _LIBRARIES}
    say(", ".join(f"{name} {version}" for name, version in versions.items() if version))
    say(place())
    return fields
