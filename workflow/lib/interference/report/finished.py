"""The results of a finished run: which folder is meant, and its tables."""

from pathlib import Path

import pandas as pd

from interference.analysis.findings import NOT_TESTED
from interference.analysis.frames import read_frame
from interference.provenance import InterferenceError

#: What every finished run has.
CLAIMS = Path("analysis", "tables", "claims.parquet")


def find(results: Path | None) -> Path:
    """The results folder of a finished run: the named folder, or the only one here.

    Raises InterferenceError where there is no finished run there, or more than one here.
    """
    runs = sorted(path.parents[2] for path in Path("results").glob(f"*/{CLAIMS}"))
    if results is None and len(runs) == 1:
        return runs[0]
    if results is not None and Path(results, CLAIMS).is_file():
        return Path(results)
    choice = (
        f"one of {', '.join(map(str, runs))}" if runs else "none is here yet, `make run` makes one"
    )
    found = (
        "" if results is None else f"{results} is not the results of a finished run: no {CLAIMS}; "
    )
    raise InterferenceError(f"{found}name the results folder of a finished run: {choice}")


def claims_of(results: Path) -> pd.DataFrame:
    """The table claims. Raises StoreError where it is missing or damaged."""
    return read_frame(results / CLAIMS)


def judged(claims: pd.DataFrame) -> pd.DataFrame:
    """The rows of claims that the run is about at all."""
    return claims[claims["verdict"] != NOT_TESTED]


def gates_of(results: Path) -> pd.DataFrame | None:
    """The table gates; None where the experiment has no checkpoints whose accuracy is known."""
    path = results / CLAIMS.with_name("gates.parquet")
    return read_frame(path) if path.exists() else None
