"""A run that `interference launch` started on a test cluster, and what its jobs told."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from tests.support import REPO
from tests.support.checkout import NETWORK_SECTIONS, TINY, without
from tests.support.slurm.cluster import Cluster
from tests.support.slurm.controller import BIN, QUICK
from tests.support.slurm.journals import Start, check, starts
from tests.support.waiting import wait_until

WORKFLOW = Path(__file__).with_name("launched")
TASK = Path(__file__).with_name("journal") / "task.py"


@dataclass(frozen=True)
class Launch:
    """A folder with a small experiment, and the verbs on it.

    environment: that of a shell there; arguments: Snakemake's, at each launch
    """

    folder: Path
    environment: dict[str, str]
    cluster: Cluster | None = None
    experiment: str = "small"
    arguments: tuple[str, ...] = ()

    @classmethod
    def prepare(cls, folder: Path, cluster: Cluster | None) -> "Launch":
        """Fill a folder; without a cluster, for a controller on this machine."""
        shutil.copytree(WORKFLOW, folder, dirs_exist_ok=True)
        shutil.copytree(REPO / "profiles", folder / "profiles")
        shutil.copy(TASK, folder)
        environment = dict(cluster.environment if cluster else os.environ)
        environment["PATH"] = f"{BIN}{os.pathsep}{environment['PATH']}"
        made = cls(folder, environment, cluster, arguments=QUICK if cluster else ())
        made.configure("small")
        return made

    def configure(self, experiment: str) -> Path:
        """Write the config of an experiment with this name."""
        tiny = yaml.safe_load((REPO / TINY).read_text(encoding="utf-8"))
        values = without(tiny, (*NETWORK_SECTIONS, "canvas"))
        name = "config.yaml" if experiment == "small" else f"{experiment}.yaml"
        path = self.folder / name
        path.write_text(yaml.safe_dump({**values, "experiment": experiment}), encoding="utf-8")
        return path

    def another(self, experiment: str) -> "Launch":
        """Another experiment in the same folder."""
        config = self.configure(experiment)
        arguments = (*self.arguments, "--configfile", config.name)
        return replace(self, experiment=experiment, arguments=arguments)

    def edit(self, key: str, value: int) -> None:
        """Change what config.yaml says of toy models, of which `first` reads the steps."""
        path = self.folder / "config.yaml"
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        values["toy"][key] = value
        path.write_text(yaml.safe_dump(values), encoding="utf-8")

    # What a person types

    def interference(self, *words: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [BIN / "interference", *words],
            cwd=self.folder,
            env=self.environment,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def start(self, *options: str) -> str:
        """Launch; it must succeed; what it said."""
        done = self.interference("launch", *options, "--", *self.arguments)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def stop(self, *options: str) -> str:
        done = self.interference("stop", str(self.results), *options)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def status(self) -> str:
        done = self.interference("status", str(self.results))
        assert done.returncode == 0, done.stdout
        return done.stdout

    # What is there

    @property
    def results(self) -> Path:
        return Path("results", self.experiment)

    @property
    def claims(self) -> list[dict]:
        folder = self.folder / self.results / "controller" / "claims"
        return [
            json.loads(path.read_text(encoding="utf-8"))
            for path in sorted(folder.glob("[0-9]*.json"))
        ]

    @property
    def log(self) -> str:
        """What every controller of the run said."""
        folder = self.folder / self.results / "controller"
        return "".join(
            path.read_text(encoding="utf-8") for path in sorted(folder.glob("*_log.out"))
        )

    @property
    def locks(self) -> list[Path]:
        return list((self.folder / ".snakemake" / "locks").glob("*.lock"))

    def starts(self, name: str) -> list[Start]:
        """Starts of a rule's jobs, or of one output's."""
        return [s for s in starts(self.folder) if s.output.startswith(f"{self.results}/{name}")]

    # What one waits for

    def until(self, condition: Callable[[], object], what: str) -> object:
        try:
            return wait_until(condition, what)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.log[-4000:]}") from None

    def until_jobs_run(self) -> None:
        """Until both jobs of the first rule run."""
        self.until(lambda: len(self.starts("first")) == 2, "both jobs run")

    def until_running(self) -> list[Start]:
        """Until both jobs of the first rule run and Snakemake's lock was noted."""
        self.until_jobs_run()
        self.until(lambda: any(claim["locks"] for claim in self.claims), "the lock is noted")
        return self.starts("first")

    def until_said(self, pattern: str, times: int = 1) -> None:
        self.until(lambda: len(re.findall(pattern, self.log)) >= times, f"it says {pattern!r}")

    def finish(self) -> None:
        """Let jobs go, wait for the controller's end, and check what must hold after any fault."""
        (self.folder / "go").touch()
        self.until(lambda: self.claims[-1]["state"] == "ended", "the run ends")
        assert self.claims[-1]["exit_code"] == 0, self.log
        wanted = {
            f"{self.results}/{rule}/{task}.txt" for rule in ("first", "second") for task in (0, 1)
        }
        check(self.folder, wanted)
