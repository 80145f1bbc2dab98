"""What jobs took, as Snakemake measured it: a file per job under a run's benchmarks, ROOM/STEP/….

Snakemake looks at a job twice a second for its first 16 seconds, then every 30 seconds. So the core
seconds of a job that takes minutes lack those since the last look; its seconds are exact.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

#: Where a run's results have them.
FOLDER = "benchmarks"


class Benchmark(NamedTuple):
    """A job as it last ran.

    seconds: from its start to its end.
    core: seconds of cores; of a job too short to be looked at, its seconds.
    memory: most bytes at once; 0 of a job too short to be looked at.
    """

    seconds: float
    core: float
    memory: float


def read(path: Path) -> Benchmark:
    """The job whose file it is."""
    with path.open(encoding="utf-8") as file:
        row = [*csv.DictReader(file, delimiter="\t")][-1]
    seconds = float(row["s"])
    if row["cpu_time"] == "NA":
        return Benchmark(seconds, seconds, 0.0)
    return Benchmark(seconds, float(row["cpu_time"]), float(row["max_rss"]) * 2**20)


def benchmarks(results: Path) -> Iterator[tuple[str, Benchmark]]:
    """Yield every job that was measured in a run's results, and its step: ROOM/STEP, of tables and
    figures analysis/tables and analysis/figures."""
    folder = results / FOLDER
    for path in sorted(folder.rglob("*.tsv")):
        yield "/".join(path.relative_to(folder).parts[:2]), read(path)
