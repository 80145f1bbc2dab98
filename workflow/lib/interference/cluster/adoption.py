"""Records of outputs that jobs made while no Snakemake watched them.

Snakemake records of each output the params that made it when the job ends under its eyes. A job that
outlived its Snakemake leaves an output without a record, which is taken for good whatever changes
later. So, before a Snakemake resumes, outputs without a record get theirs (`snakemake --touch`) where
code and config are what they were when the jobs were submitted; else they are made again.
"""

import os
import shutil
import subprocess
import sys
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from pathlib import Path

from interference.cluster import processes
from interference.cluster.request import LaunchError, config_of
from interference.progress import say
from interference.provenance import ROOT, canonical, digest, normalised

#: Snakemake cuts names in its records into parts of this length: the longest that Linux allows, less 1.
_PART = 254


def plan_digest(arguments: Sequence[str], folder: Path) -> str:
    """Digest of all that a run's specs can depend on: config, rules, and code without comments."""
    config = canonical(config_of(arguments).model_dump(mode="json"))
    rules = [folder / "Snakefile", *sorted(folder.glob("workflow/rules/*.smk"))]
    code = [normalised(path.read_text(encoding="utf-8")) for path in sorted(ROOT.rglob("*.py"))]
    return digest("\n".join([config, *(path.read_text(encoding="utf-8") for path in rules), *code]))


def record_of(output: str, folder: Path, kind: str = "metadata") -> Path:
    """The file of Snakemake's record of an output. kind: metadata, or incomplete."""
    name = urlsafe_b64encode(output.encode()).decode()
    parts = [name[i : i + _PART] for i in range(0, len(name), _PART)]
    return Path(folder, ".snakemake", kind, *(f"@{part}" for part in parts[:-1]), parts[-1])


def unrecorded(summary: str, folder: Path, since: float) -> list[str]:
    """Outputs without a record that are up to date and no older than ``since``.

    summary: what `snakemake --summary` prints. It calls an incomplete output up to date; that it is
        not, another record says.
    since: seconds since 1970
    """
    rows = [line.split("\t") for line in summary.splitlines()[1:]]
    there = [row[0] for row in rows if row[1] != "-" and row[-1] == "no update"]
    new = [output for output in there if (folder / output).stat().st_mtime >= since]
    return [
        output
        for output in new
        if not record_of(output, folder).exists()
        and not record_of(output, folder, "incomplete").exists()
    ]


def adopt(arguments: Sequence[str], folder: Path, since: float, *, unchanged: bool) -> None:
    """Record outputs that have no record, or remove them where code or config has changed.

    since: when the last Snakemake started, whose jobs made them, in seconds since 1970
    unchanged: whether code and config are what they were then
    """
    summary = _snakemake(arguments, "--summary", folder=folder)
    outputs = unrecorded(summary, folder, since)
    if not outputs:
        return
    if unchanged:
        say(f"recording what was made meanwhile: {', '.join(outputs)}")
        chosen = ("--forcerun", *outputs, "--until", *outputs)
        _snakemake(arguments, "--touch", "--nolock", "--quiet=all", *chosen, folder=folder)
        return
    say(
        f"code or config has changed, so what was made meanwhile is made again: {', '.join(outputs)}"
    )
    for output in outputs:
        path = folder / output
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _snakemake(arguments: Sequence[str], *options: str, folder: Path) -> str:
    """What Snakemake prints with these options. Raises LaunchError where it fails."""
    command = [sys.executable, "-m", "snakemake", *arguments, *options]
    done = subprocess.run(
        command,
        cwd=folder,
        env=processes.cleaned(os.environ),
        stdout=subprocess.PIPE,
        encoding="utf-8",
        errors="surrogateescape",
        preexec_fn=processes.prepare,
    )
    if done.returncode:
        raise LaunchError(f"snakemake {options[0]} failed: see above")
    return done.stdout
