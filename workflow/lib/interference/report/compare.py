"""Two runs beside each other, claim by claim: which verdicts changed, and by how much."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from interference.analysis.findings import VERDICTS
from interference.provenance import InterferenceError, canonical
from interference.report.finished import claims_of, judged
from interference.report.terminal import console, grid
from interference.report.words import interval
from interference.store.files import replacing

#: What makes a claim of one run the claim of another.
SAME = ["key", "claim", "scope"]
#: What a verdict on one training is called on several.
OF_SEVERAL = {
    "holds here": "reproduced",
    "fails here": "not reproduced",
    "no effect here": "no effect",
}
_TAKEN = ["verdict", "measured", "low", "high"]


def compared(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """One row per claim that both runs have, in the first's order.

    first, second: tables claims. Columns: those of SAME; verdict, measured, low and high of each run,
    with _first and _second; difference, the second's number less the first's; overlap, whether the
    intervals have a number in common (not where one has none).
    """
    both = first[[*SAME, *_TAKEN]].merge(
        second[[*SAME, *_TAKEN]], on=SAME, suffixes=("_first", "_second"), validate="one_to_one"
    )
    overlap = (both["low_first"] <= both["high_second"]) & (
        both["low_second"] <= both["high_first"]
    )
    return both.assign(difference=both["measured_second"] - both["measured_first"], overlap=overlap)


def changed(both: pd.DataFrame) -> pd.DataFrame:
    """The rows of `compared` whose verdict changed. What holds in one training and is reproduced in
    several has not."""
    first, second = (both[f"verdict_{run}"].replace(OF_SEVERAL) for run in ("first", "second"))
    return both[first != second]


def compare(first: Path, second: Path, page: Path | None = None) -> None:
    """Print which verdicts changed from one finished run to another, and write it as a page, if asked for.

    first, second: results folders, or bundles. page: an HTML file.
    Raises InterferenceError where no claim is in both.
    """
    tables, out = [judged(claims_of(run)) for run in (first, second)], console()
    both = compared(*tables)
    if both.empty:
        raise InterferenceError(
            f"{first} and {second} have no claim in common: they are about other models, layers or attacks"
        )
    lines = [*summary(both, *map(len, tables))]
    out.print()
    for line in lines:
        out.print(line)
    for group in groups(changed(both)):
        out.print(f"\n{group.claim}\n{group.before} → {group.after}", style="bold")
        out.print(grid(map(_cells, group.rows)))
    if page is not None:
        names = (
            (first.name, second.name) if first.name != second.name else (f"{first}", f"{second}")
        )
        with replacing(page) as temporary:
            temporary.write_text(html(names, both, lines), encoding="utf-8")
        out.print(f"\npage  {page}", soft_wrap=True)


def html(names: tuple[str, str], both: pd.DataFrame, lines: list[str]) -> str:
    """The comparison as a page of one file. both: of `compared`; lines: of `summary`."""
    from interference.report.shell import render

    others = changed(both)
    moves = pd.crosstab(both["verdict_first"], both["verdict_second"])
    known = [
        [verdict for verdict in VERDICTS if verdict in axis]
        for axis in (moves.index, moves.columns)
    ]
    return render(
        "compare.html",
        title=f"{names[0]} beside {names[1]}",
        spec=canonical({"compared": names}),
        names=names,
        summary=lines,
        moves=moves.loc[known[0], known[1]],
        changed=[*groups(others)],
        same=[*groups(both.drop(others.index))],
    )


class Group(NamedTuple):
    """Rows of `compared` of one claim that have the same two verdicts, as dictionaries."""

    claim: str
    before: str
    after: str
    rows: list[dict]


def groups(both: pd.DataFrame) -> Iterator[Group]:
    """Yield the rows of `compared` claim by claim, in their order."""
    by = ["claim", "verdict_first", "verdict_second"]
    for names, rows in both.groupby(by, sort=False):
        claim, before, after = map(str, names)
        yield Group(claim, before, after, rows.to_dict("records"))


def summary(both: pd.DataFrame, first: int, second: int) -> Iterator[str]:
    """Yield what is the same and what is not, in sentences.

    both: of `compared`. first, second: how many claims each run has.
    """
    others = changed(both)
    same = both.drop(others.index)
    numbers, overlapping = (same["difference"] == 0).sum(), same["overlap"].sum()
    trainings = (same["verdict_first"] != same["verdict_second"]).sum()
    yield (
        f"{len(both)} claims are in both runs, {first - len(both)} in the first alone, "
        f"{second - len(both)} in the second alone."
    )
    yield (
        f"{len(same)} have the same verdict: {numbers} the very same number, {overlapping} intervals "
        f"that overlap; {trainings} rest on one training in one run and on several in the other."
    )
    yield f"{len(others)} have another verdict, {others['overlap'].sum()} of them with intervals that overlap."


def _cells(row: dict) -> tuple[str, str, str]:
    """The numbers of both runs, the difference, and what the claim is about."""
    numbers = (
        interval({name: row[f"{name}_{run}"] for name in _TAKEN[1:]}) for run in ("first", "second")
    )
    return (" → ".join(numbers), f"{row['difference']:+.3f}", row["scope"])
