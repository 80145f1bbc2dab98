"""Where a clone lies and whose home it is run from: Snakemake plans and runs all the same."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.checkout import TINY, Checkout

#: Letters that a shell, Make, Snakemake's own formatting or a Latin-1 locale could stumble over.
FOLDER = """it's "my" clöne {data} [1] $HOME & (a); #b *?!~ `c` %d"""

pytestmark = [pytest.mark.workflow]


def with_own_python(checkout: Checkout) -> Path:
    """The Python of an environment in the copy, as uv makes it: this one's libraries and no others."""
    venv = checkout.folder / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "pyvenv.cfg").write_bytes(Path(sys.prefix, "pyvenv.cfg").read_bytes())
    (venv / "lib").symlink_to(Path(sys.prefix, "lib"))
    python = venv / "bin" / "python"
    python.symlink_to(Path(sys.executable).resolve())
    verb = venv / "bin" / "interference"
    run = "from interference.cli.main import main; main()"
    verb.write_text(f"#!/bin/sh\nexec {shlex.quote(str(python))} -c '{run}' \"$@\"\n")
    verb.chmod(0o755)
    return python


def snakemake(checkout: Checkout, python: Path, *arguments: str, **variables: str | None):
    changed = {**checkout.environment, "PATH": "/usr/bin:/bin", **variables}
    return subprocess.run(
        [python, "-m", "snakemake", *arguments],
        cwd=checkout.folder,
        env={name: value for name, value in changed.items() if value is not None},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )


def test_a_job_runs_in_a_clone_whose_path_holds_any_letter(tmp_path):
    checkout = Checkout.copy(tmp_path / FOLDER)
    config = checkout.folder / "my $a 'config' é.yaml"
    (checkout.folder / TINY).rename(config)
    target = "results/tiny/data/images.json"
    arguments = ("--cores", "1", "--configfile", config.name, "--", target)
    done = snakemake(checkout, with_own_python(checkout), *arguments)
    assert done.returncode == 0, done.stdout
    assert (checkout.folder / target).is_file()


def test_a_cluster_is_refused_where_its_jobs_could_not_start(tmp_path):
    checkout = Checkout.copy(tmp_path / "my clone")
    arguments = ("--configfile", TINY, "--profile", "profiles/slurm", "--jobs", "1")
    stubs = tmp_path / "stubs"
    stubs.mkdir()
    for name in ("sbatch", "squeue", "sacct", "sinfo", "scontrol"):
        (stubs / name).write_text(f"#!/bin/sh\necho >> '{tmp_path}/asked'\nexit 1\n")
        (stubs / name).chmod(0o755)
    path = f"{stubs}:/usr/bin:/bin"
    done = snakemake(checkout, with_own_python(checkout), *arguments, PATH=path)
    assert done.returncode != 0
    assert "move the clone to a path of letters" in done.stdout
    assert not (checkout.folder / "results").exists()


@pytest.mark.parametrize("home", ["/proc", "a file", None])
def test_snakemake_plans_and_runs_without_a_home(home, tmp_path):
    checkout = Checkout.copy(tmp_path)
    (checkout.folder / "a file").touch()
    home = str(checkout.folder / home) if home else None
    variables = {"HOME": home, "XDG_CACHE_HOME": None, "XDG_CONFIG_HOME": None}
    target = "results/tiny/data/images.json"
    arguments = ("--cores", "1", "--configfile", TINY, "--", target)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = snakemake(checkout, Path(sys.executable), *arguments, PATH=path, **variables)
    assert done.returncode == 0, done.stdout
    assert (checkout.folder / target).is_file()
    assert (checkout.folder / ".snakemake" / "cache").exists() == (home is not None)
