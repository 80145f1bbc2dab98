"""The end of a run in a dozen lines: the question, what came out, and where to look."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from interference.plan.benchmarks import benchmarks
from interference.report.finished import claims_of, gates_of, judged
from interference.report.headlines import headlines
from interference.report.terminal import console, grid
from interference.report.verdicts import ARMS
from interference.report.words import checks
from interference.store.files import read_json

#: The most questions that are answered at the end of a run: one per arm.
MOST = len(ARMS)


def conclude(results: Path) -> None:
    """Print the conclusions of a finished run.

    results: its folder. Raises StoreError where a table is missing or damaged.
    """
    every, out = claims_of(results), console()
    claims = judged(every)
    out.print(f"\nDo adversarial examples come from superposition? {results.name} finds:\n")
    out.print(grid(_answers(claims)))
    for line in [*_remarks(results, claims), *_chance(claims, len(every) - len(claims))]:
        out.print(line, soft_wrap=True)
    out.print()
    for name, place in _places(results):
        out.print(f"{name:12} {place}", soft_wrap=True)


def _answers(claims: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Yield the questions that come first, each with its answer."""
    for headline in headlines(claims, MOST):
        yield "-", f"{headline.question.text} {headline.answer}."


def _remarks(results: Path, claims: pd.DataFrame) -> Iterator[str]:
    """Yield what one has to know beside the verdicts."""
    if held := checks(claims):
        yield f"\n{held}."
    gates = gates_of(results)
    if gates is not None:
        passed = (gates["verdict"] == "pass").sum()
        yield f"{passed} of {len(gates)} known accuracies of checkpoints are met."
    if (claims["about"] == "this network").any():
        yield (
            "One training of each network: what holds or fails here does so in these alone;\n"
            "whether it does in others, three or more models.seeds can decide."
        )
    for manifest in sorted((results / "models").glob("*.json")):
        learned = read_json(manifest).get("learned", "something")
        if learned != "something":
            yield f"{manifest.stem} learned {learned} in training: see {manifest} and its log."


def _chance(claims: pd.DataFrame, untested: int) -> Iterator[str]:
    """Yield how many verdicts survive the false discovery rate, and how many claims have none."""
    survive, decided = ((claims["survives"].isin(said)).sum() for said in (["yes"], ["yes", "no"]))
    yield f"{survive} of {decided} verdicts survive the false discovery rate over all claims."
    if untested:
        yield f"{untested} claims are about other experiments, and not tested here."


def _places(results: Path) -> Iterator[tuple[str, str]]:
    """Yield where to look, and what it cost, where that was measured."""
    yield "every claim", f"interference report show {results}"
    yield "tables", str(results / "analysis" / "tables")
    yield "figures", str(results / "analysis" / "figures")
    yield "report", str(results / "report" / "page.html")
    if cores := [job.core for _, job in benchmarks(results)]:
        yield "cost", f"{sum(cores):,.0f} core seconds: interference report cost {results}"
