"""Where results come from beside their tables: versions, the machine, and the cost that the plan expects."""

import platform
import subprocess
from importlib.metadata import version

import psutil

from interference import gpu
from interference.config.schema import Config
from interference.plan.costs import expected, shipped
from interference.progress import in_bytes
from interference.provenance import ROOT

#: The clone that this package lies in.
CLONE = ROOT.parents[2]
#: Libraries that decide numbers.
LIBRARIES = ("torch", "torchvision", "numba", "numpy", "scipy", "zarr", "snakemake")


def versions() -> dict[str, str]:
    """Name → version of this package, of Python and of `LIBRARIES`."""
    own = " ".join(filter(None, [version("interference"), commit()]))
    libraries = {name: version(name) for name in LIBRARIES}
    return {"interference": own, "python": platform.python_version(), **libraries}


def commit() -> str:
    """The clone's commit, with -dirty where files of it are changed; empty where git knows none."""
    if not (CLONE / ".git").exists():  # nor is that of a folder around the clone ours
        return ""
    asked = ["git", "--no-optional-locks", "-C", str(CLONE), "describe", "--always", "--dirty",
             "--exclude=*", "--abbrev=12"]  # fmt: skip
    try:
        said = subprocess.run(asked, capture_output=True, encoding="utf-8", check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f"at commit {said.strip()}"


def machine() -> dict[str, str]:
    """What this machine is, without its name."""
    from interference.kernels.host import processor

    found = {
        "processor": f"{processor()} ({platform.machine()})",
        "cores": str(psutil.cpu_count()),
        "memory": in_bytes(psutil.virtual_memory().total),
        "operating system": platform.platform(),
    }
    if gpu.visible():
        import torch

        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        found["GPU"] = ", ".join(names)
    return found


def gathered(config: Config) -> dict:
    """All of it, as JSON has it: of each step the jobs, and their core seconds as the plan expects them.

    Versions and machine are those of the process that asks.
    """
    plan = expected(config)
    return {
        "versions": versions(),
        "machine": machine(),
        "steps": [
            {"step": step, "jobs": jobs, "expected": round(core, 1)}
            for step, (jobs, core) in plan.items()
        ],
        "jobs": sum(jobs for jobs, _ in plan.values()),
        "expected": round(sum(core for _, core in plan.values()), 1),
        "expected_on": shipped("core")[0],
    }
