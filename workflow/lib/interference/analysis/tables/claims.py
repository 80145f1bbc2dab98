"""Every claim of `analysis.claims` beside what this run measured, with a verdict; or what it would take."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd

from interference.analysis.claim import Claim
from interference.analysis.claims import CLAIMS
from interference.analysis.findings import CHECKS, NOT_TESTED
from interference.analysis.frames import read_frames
from interference.analysis.significance import adjusted
from interference.analysis.verdicts import Measured, Rule, verdict

COLUMNS = ["key", "claim", "scope", "layer", "type", "against", "about", "source", "reported", "measured", "low", "high", "interval",
           "bound", "equivalence", "of_reported", "verdict", "why", "p", "false_discovery_rate",
           "survives"]  # fmt: skip
#: Those of them that are numbers.
NUMBERS = ("measured", "low", "high", "of_reported", "p", "false_discovery_rate")


def build(
    spec: dict,
    accuracy: Sequence[Path] = (),
    matched: Sequence[Path] = (),
    baselines: Sequence[Path] = (),
    l0: Sequence[Path] = (),
    fair: Sequence[Path] = (),
    interventions: Sequence[Path] = (),
    defences: Sequence[Path] = (),
    least: Sequence[Path] = (),
    structure: Sequence[Path] = (),
    exchange: Sequence[Path] = (),
    dose: Sequence[Path] = (),
    crossover: Sequence[Path] = (),
    adversarial: Sequence[Path] = (),
    transfer: Sequence[Path] = (),
    proxies: Sequence[Path] = (),
    mounted: Sequence[Path] = (),
    bottlenecks: Sequence[Path] = (),
    abundance: Sequence[Path] = (),
    interpretability: Sequence[Path] = (),
    relearning: Sequence[Path] = (),
    overlap: Sequence[Path] = (),
    toy: Sequence[Path] = (),
) -> pd.DataFrame:
    """One row per claim and subject, of the tables that are given; last one per claim that has none.

    spec: ``confidence`` of intervals; of networks ``attack`` and ``epsilon``, at which
        claims about attacked images are read.
    accuracy, matched, baselines, l0, fair, interventions, defences, least, structure, exchange: the
        tables, of networks.
    toy: the measurements of toy models, one row per model, inputs and attack.
    dose, crossover, adversarial, transfer, proxies, mounted: the tables, of canvases.
    bottlenecks, abundance, interpretability, relearning, overlap: the tables, of the preprint's rivals.
    """
    given = {
        "accuracy": accuracy, "matched": matched, "baselines": baselines, "l0": l0,
        "fair": fair, "interventions": interventions, "defences": defences, "least": least,
        "structure": structure, "exchange": exchange, "toy": toy,
        "dose": dose, "crossover": crossover, "adversarial": adversarial, "transfer": transfer,
        "proxies": proxies, "mounted": mounted,
        "bottlenecks": bottlenecks, "abundance": abundance, "interpretability": interpretability,
        "relearning": relearning, "overlap": overlap,
    }  # fmt: skip
    rows = decide({name: read_frames(paths) for name, paths in given.items() if paths}, spec)
    return pd.concat([rows, untested(set(rows["key"]))], ignore_index=True)


def decide(tables: Mapping[str, pd.DataFrame], spec: dict) -> pd.DataFrame:
    """The rows of claims that the tables decide, or cannot. tables: of `build`'s inputs those that there
    are, by name."""
    rows = []
    for claim, scope, subject in _pairs(tables, spec):
        measured = claim.quantity(subject, spec)
        if measured is not None:
            rows.append(_row(claim, scope, subject, measured))
    return surviving(pd.DataFrame(rows, columns=COLUMNS), spec["confidence"])


def surviving(rows: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """The rows with the rate of false discoveries at which each verdict is one, and whether it survives
    the rate that the confidence allows; empty of what has no p-value, or is undecided."""
    rate = adjusted(rows["p"].to_numpy())
    said = np.where(rate <= 1 - confidence, "yes", "no")
    tested = ~np.isnan(rate) & (rows["verdict"] != "undecided")
    return rows.assign(false_discovery_rate=rate, survives=np.where(tested, said, ""))


def untested(keys: set[str]) -> pd.DataFrame:
    """One row per claim that no table of the experiment is about: what it would take. keys: of all others.

    There is none of checks.
    """
    rows: list[dict] = []
    for claim in CLAIMS:
        if claim.key not in keys and claim.source not in CHECKS:
            takes = dict.fromkeys(subjects.takes for subjects in claim.subjects)
            rows.append({
                **dict.fromkeys(COLUMNS, ""), **dict.fromkeys(NUMBERS, np.nan),
                "key": claim.key, "claim": claim.wording, "source": claim.source,
                "reported": claim.reported.text, **_of_rule(claim.rule),
                "verdict": NOT_TESTED, "why": f"it takes {', or '.join(takes)}",
            })  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def _pairs(
    tables: Mapping[str, pd.DataFrame], spec: dict
) -> Iterator[tuple[Claim, str, pd.DataFrame]]:
    """Each claim with the scope and rows of each of its subjects, in the table's order."""
    for kinds, neighbours in groupby(CLAIMS, key=lambda claim: claim.subjects):
        claims = list(neighbours)
        for kind in kinds:
            if kind.table in tables:
                for scope, subject in kind.split(tables[kind.table], spec):
                    yield from ((claim, scope, subject) for claim in claims)


def _row(claim: Claim, scope: str, subject: pd.DataFrame, measured: Measured) -> dict:
    reported = claim.reported_of(subject)
    size = reported.size
    return {
        "key": claim.key,
        "claim": claim.wording,
        "scope": ", ".join(filter(None, [scope, measured.cases])),
        **_of_all(subject),
        "about": measured.about,
        "source": claim.source,
        "reported": reported.text,
        "measured": measured.value,
        "low": measured.low,
        "high": measured.high,
        "interval": measured.interval,
        **_of_rule(claim.rule),
        "of_reported": np.nan if size is None else claim.rule.of_reported(measured.value, size),
        **verdict(measured, claim.rule, size),
    }


def _of_rule(rule: Rule) -> dict[str, str]:
    """The columns bound and equivalence."""
    region = rule.equivalence
    return {
        "bound": str(rule),
        "equivalence": "{:.3g} to {:.3g}".format(*region) if region else "",
    }


def _of_all(subject: pd.DataFrame) -> dict[str, str]:
    """The columns layer, type and against, which is the reference; empty where rows differ or have none."""
    names = {"layer": "layer", "type": "type", "against": "reference"}
    values = {name: subject.get(column, pd.Series()).unique() for name, column in names.items()}
    return {name: found[0] if len(found) == 1 else "" for name, found in values.items()}
