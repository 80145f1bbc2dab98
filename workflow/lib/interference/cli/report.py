"""Verbs of the room report: what a run found, shown, compared and taken elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

Results = Annotated[
    Path | None,
    typer.Argument(help="A run's results folder, results/EXPERIMENT; the only one where left out."),
]


def conclude(results: Results = None) -> None:
    """Print in a dozen lines what a finished run found, and where to look."""
    from interference.report.conclude import conclude
    from interference.report.finished import find

    conclude(find(results))


def show(
    results: Results = None,
    verdict: Annotated[
        list[str] | None, typer.Option(help="Only claims of this verdict; may be given again.")
    ] = None,
    arm: Annotated[
        list[str] | None, typer.Option(help="Only claims about toy, canvas, rivals or networks.")
    ] = None,
) -> None:
    """Print every claim of a finished run with its verdict, number and interval."""
    from interference.report.finished import find
    from interference.report.show import show

    show(find(results), verdict or (), arm or ())


def cost(results: Results = None) -> None:
    """Print what a finished run took, step by step, beside what its plan expects."""
    from interference.report.cost import cost
    from interference.report.finished import find

    cost(find(results))


def export(
    results: Results = None,
    to: Annotated[
        Path | None, typer.Option(help="A folder.  [default: export, among the results]")
    ] = None,
) -> None:
    """Write figures, tables and references for a paper, and a bundle that others can verify."""
    from interference.report.export import export
    from interference.report.finished import find

    folder = find(results)
    for line in export(folder, to or folder / "report" / "export"):
        print(line)


def verify(bundle: Annotated[Path, typer.Argument(help="The bundle of an export.")]) -> None:
    """Check that a bundle is what was packed, and say how to run it again."""
    from interference.report.bundle import verify

    for line in verify(bundle):
        print(line)


def compare(
    first: Annotated[Path, typer.Argument(help="A finished run's results folder, or a bundle.")],
    second: Annotated[Path, typer.Argument(help="Another one.")],
    page: Annotated[Path | None, typer.Option(help="Write it as this HTML file, too.")] = None,
) -> None:
    """Print which verdicts changed from one finished run to another, and by how much."""
    from interference.report.compare import compare
    from interference.report.finished import find

    compare(find(first), find(second), page)
