"""What the jobs of the journal's workflow did: starts, ends, and whether two wrote at once."""

import itertools
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support import REPO
from tests.support.slurm.cluster import Cluster
from tests.support.slurm.controller import Controller, snakemake

WORKFLOW = Path(__file__).with_name("journal")
#: What a complete output holds: see journal/task.py.
COMPLETE = "0123456789" * 40


@dataclass(frozen=True)
class Start:
    """One start of a job: of which output, at which attempt of Snakemake's, where; times in seconds.

    until: when it ended, or was last known to be alive.
    """

    output: str
    attempt: int
    slurm: int
    node: str
    since: float
    until: float
    ended: bool


def starts(folder: Path) -> list[Start]:
    """Every start of a job in a folder, in order."""
    path = folder / "journal.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    told: dict[int, list[dict]] = {}
    for line in map(json.loads, lines):
        told.setdefault(line["process"], []).append(line)
    return [
        Start(
            *(events[0][name] for name in ("output", "attempt", "slurm", "node", "time")),
            until=events[-1]["time"],
            ended=events[-1]["event"] == "end",
        )
        for events in told.values()
    ]


def check(folder: Path, expected: set[str]) -> None:
    """Each output is complete, by one writer at a time, and was not made again once complete."""
    told = starts(folder)
    for output in expected:
        assert (folder / output).read_text(encoding="utf-8") == COMPLETE, f"{output} is corrupt"
        own = [start for start in told if start.output == output]
        assert [start.ended for start in own] == [False] * (len(own) - 1) + [True], (
            f"{output}: a completed job ran again, or none completed: {own}"
        )
        for one, other in itertools.pairwise(own):
            assert one.until < other.since, f"{output} had two writers: {one}, {other}"


@dataclass(frozen=True)
class Journal:
    """A copy of the workflow in a folder of its own, and what its jobs have told so far."""

    folder: Path
    cluster: Cluster
    tasks: int
    controller: Controller

    def starts(self, output: str = "") -> list[Start]:
        """Every start in order, or those of one output."""
        return [start for start in starts(self.folder) if output in ("", start.output)]

    def start_of(self, output: str, number: int = 1) -> Start:
        """Wait until an output's job has started this many times; the last of these starts."""
        what = f"{output} started {number} times"
        self.controller.wait_until(lambda: len(self.starts(output)) >= number, what)
        return self.starts(output)[number - 1]

    def all_started(self) -> list[Start]:
        """Wait until every job of the first rule runs."""
        return [self.start_of(f"first/{task}.txt") for task in range(self.tasks)]

    def go(self) -> None:
        """Let every job go on to its end."""
        (self.folder / "go").touch()

    def finish(self) -> None:
        """Let jobs go, wait for the end, and check what must hold after any fault."""
        self.go()
        self.controller.finish()
        tasks = range(self.tasks)
        expected = {f"{rule}/{task}.txt" for rule in ("first", "second") for task in tasks}
        check(self.folder, expected)
        assert {start.output for start in self.starts()} == expected


@contextmanager
def journal(
    cluster: Cluster,
    folder: Path,
    *arguments: str,
    tasks: int = 3,
    megabytes: int = 0,
    minutes: int = 30,
    **how: object,
) -> Iterator[Journal]:
    """The workflow running on a cluster; its jobs hold until `Journal.go` or `Journal.finish`.

    megabytes: what jobs of the first rule fill; minutes: the time limit of a job's first attempt, which
    a busy machine may need for what others wait a second for; how: as `controller.snakemake` has it.
    """
    shutil.copytree(WORKFLOW, folder, dirs_exist_ok=True)
    shutil.copytree(REPO / "profiles", folder / "profiles")
    config = (f"tasks={tasks}", f"megabytes={megabytes}", f"minutes={minutes}")
    with snakemake(cluster, folder, *arguments, "--config", *config, **how) as controller:
        yield Journal(folder, cluster, tasks, controller)
