"""What a run cost, step by step, beside what its plan expects: for a terminal, and for a bundle.

The record of a bundle says also with which versions, and on which machine, it was packed.
"""

import json
from collections import defaultdict
from pathlib import Path

import pandas as pd

from interference.config.load import KEPT, read_config
from interference.plan.benchmarks import FOLDER, Benchmark, benchmarks
from interference.progress import in_bytes
from interference.provenance import InterferenceError
from interference.report.provenance import gathered
from interference.report.terminal import console

#: How numbers of a step are aligned, its name first.
ALIGNED = ("left", "right", "right", "right", "right", "right")


def record(results: Path) -> dict:
    """What `provenance.gathered` says, and of each step what its jobs took, as they last ran.

    measured: how many were; core, seconds: of all of these; memory: the most bytes of one. In all:
    measured and core. Raises ConfigError without the config of the results.
    """
    config = read_config(results / KEPT)
    found = {"experiment": config.experiment, **gathered(config)}
    jobs: dict[str, list[Benchmark]] = defaultdict(list)
    for step, job in benchmarks(results):
        jobs[step].append(job)
    for step in found["steps"]:
        own = jobs[step["step"]]
        step["measured"] = len(own)
        step["core"] = round(sum(job.core for job in own), 1)
        step["seconds"] = round(sum(job.seconds for job in own), 1)
        step["memory"] = round(max((job.memory for job in own), default=0))
    found["measured"] = sum(step["measured"] for step in found["steps"])
    found["core"] = round(sum(step["core"] for step in found["steps"]), 1)
    return found


def cost(results: Path) -> None:
    """Print what a finished run took. Raises InterferenceError where nothing of it was measured."""
    found = record(results)
    if not found["measured"]:
        raise InterferenceError(
            f"{results / FOLDER} holds no benchmarks: a run writes them; a bundle has what they said in "
            "provenance.json"
        )
    out = console()
    out.print(f"\n{in_all(found)}\n")
    out.print(_table(cells(found), "simple"), soft_wrap=True)


def in_all(found: dict) -> str:
    """The whole cost in a sentence. found: of `record`."""
    expected = (
        f"{found['expected']:,.0f} core seconds in {found['jobs']:,} jobs, at the rates of "
        f"{found['expected_on']}"
    )
    if not found["measured"]:
        return f"What {found['experiment']} took was not measured. Its plan expects {expected}."
    took = f"{found['core']:,.0f} core seconds in {_of(found)} jobs"
    return f"{found['experiment']} took {took}. Its plan expects {expected}."


def cells(found: dict) -> pd.DataFrame:
    """A row per step, as text. found: of `record`."""
    return pd.DataFrame(
        {
            "step": step["step"],
            "jobs": _of(step),
            "core s": f"{step['core']:,.1f}",
            "expected": f"{step['expected']:,.1f}",
            "wall s": f"{step['seconds']:,.1f}",
            "memory": in_bytes(step["memory"]),
        }
        for step in found["steps"]
    )


def _of(step: dict) -> str:
    """How many jobs were measured, and of how many where that are not all."""
    measured, jobs = step["measured"], step["jobs"]
    return f"{jobs:,}" if measured == jobs else f"{measured:,} of {jobs:,}"


def _table(frame: pd.DataFrame, form: str) -> str:
    return frame.to_markdown(index=False, tablefmt=form, colalign=ALIGNED, disable_numparse=True)


def as_json(found: dict) -> str:
    """The record for programs."""
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def as_markdown(found: dict) -> str:
    """The record for readers."""
    facts = {**found["versions"], **found["machine"]}
    return "\n".join([
        f"# Provenance of {found['experiment']}", "", "## Cost", "", in_all(found), "",
        _table(cells(found), "github"), "", "## Versions and machine", "",
        "Of what packed this bundle.", "", *(f"- {name}: {value}" for name, value in facts.items()), "",
    ])  # fmt: skip
