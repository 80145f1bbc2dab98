"""Interference as a library: ``interference.open("results/NAME")`` opens what a run made."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from interference.library import Results


def open(results: Path | str) -> "Results":
    """Open the results of an experiment. Raises InterferenceError where they are none.

    results: their folder, results/EXPERIMENT.
    """
    from interference.library import Results

    return Results(results)
