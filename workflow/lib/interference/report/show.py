"""Every claim of a run with its verdict, for a terminal."""

from collections.abc import Collection
from pathlib import Path

import pandas as pd
from rich.console import Console

from interference.analysis.findings import NOT_TESTED
from interference.provenance import InterferenceError
from interference.report.finished import claims_of, gates_of
from interference.report.terminal import console, grid
from interference.report.verdicts import arm_of
from interference.report.words import interval


def show(results: Path, verdicts: Collection[str] = (), arms: Collection[str] = ()) -> None:
    """Print the claims of a finished run that have one of the verdicts and are about one of the arms.

    results: its folder.
    verdicts, arms: of `findings.VERDICTS` and `verdicts.ARMS`; empty for all.
    Raises InterferenceError where no claim is left.
    """
    claims, out = claims_of(results), console()
    chosen = select(claims, verdicts, arms)
    for (claim, source), rows in chosen.groupby(["claim", "source"], sort=False):
        out.print(f"\n{claim}", style="bold")
        out.print(f"source: {source}")
        out.print(grid(map(_cells, rows.to_dict("records"))))
    counts = chosen["verdict"].value_counts(sort=False)
    out.print("\nverdicts:", ", ".join(f"{count} {said}" for said, count in counts.items()))
    if not (verdicts or arms):
        _show_gates(out, gates_of(results))


def select(
    claims: pd.DataFrame, verdicts: Collection[str] = (), arms: Collection[str] = ()
) -> pd.DataFrame:
    """The rows of the table claims with one of the verdicts, about one of the arms.

    Raises InterferenceError where there are none.
    """
    of_arm = claims["key"].map(arm_of)
    wanted = claims["verdict"].isin(verdicts or claims["verdict"]) & of_arm.isin(arms or of_arm)
    if wanted.any():
        return claims[wanted]
    asked = [*(f"--verdict {said!r}" for said in verdicts), *(f"--arm {arm}" for arm in arms)]
    there = (f"{said!r} of {arm}" for arm, said in sorted({*zip(of_arm, claims["verdict"])}))
    raise InterferenceError(f"no claim has {' '.join(asked)}; there are {', '.join(there)}")


def _cells(row: dict) -> tuple[str, str, str]:
    """A claim's verdict, its number, and the rest: what it is about, what is reported, and why."""
    reported = "" if row["reported"] == "not reported" else f"reported {row['reported']}"
    why = "" if row["why"] == "one training" else row["why"]  # which the verdict says
    chance = "may be chance, among so many claims" if row["survives"] == "no" else ""
    rest = "; ".join(filter(None, [row["scope"], reported, why, chance]))
    return row["verdict"], "" if row["verdict"] == NOT_TESTED else interval(row), rest


def _show_gates(out: Console, gates: pd.DataFrame | None) -> None:
    if gates is None:
        return
    out.print("\naccuracy of the checkpoints, beside what their authors reported", style="bold")
    out.print(
        grid(
            (
                row["verdict"],
                f"{row['measured']:.4f} [{row['low']:.4f}, {row['high']:.4f}]",
                f"{row['model']}, {row['gate']}; reported {row['reported']:.4f}",
            )
            for row in gates.to_dict("records")
        )
    )
