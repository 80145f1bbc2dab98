"""The table of verdicts: claims, each with its subjects, its chart, its figure and the line that remakes it."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from interference.analysis.claims import CLAIMS
from interference.analysis.findings import VERDICTS

#: Arms of an experiment as the page calls them.
ARMS = {"toy": "Toy models", "canvas": "Canvases", "rivals": "Rivals", "networks": "Networks"}
#: table that claims are read from → its chart
CHARTS = {
    "toy": "toy",
    "accuracy": "accuracy",
    "matched": "matched",
    "baselines": "baselines",
    "l0": "l0",
    "fair": "fair",
    "interventions": "interventions",
    "defences": "defences",
    "least": "least",
    "structure": "structure",
    "exchange": "exchange",
    "dose": "dose-ratio",
    "crossover": "crossover",
    "adversarial": "ladder",
    "transfer": "transfer",
    "proxies": "ruler",
    "mounted": "mounted",
    "bottlenecks": "bottleneck-direction",
    "abundance": "abundance",
    "interpretability": "interpretability",
    "relearning": "relearning",
    "overlap": "overlap",
}
#: Beginning of a claim's key → chart and figure, where its table has several.
OF_KEYS = {
    "canvas-robustness": ("dose", "canvas_dose"),
    "canvas-width": ("dose", "canvas_dose"),
    "rivals-bottleneck-vulnerability": ("bottleneck-fallen", "bottlenecks"),
    "rivals-bottleneck-profile": ("bottleneck-profile", "bottlenecks"),
    "rivals-bottleneck-transfer": ("bottleneck-transfer", "bottlenecks"),
    "rivals-training": ("mlps", "abundance"),
    "toy-rise": ("toy-phase", "toy"),
    "toy-shrinkage": ("toy", "toy_controls"),
    "toy-common": ("toy", "toy_controls"),
    "toy-pgd-over": ("toy", "toy_attacks"),
    "toy-strongest-over": ("toy", "toy_attacks"),
    "toy-bound-over": ("toy", "toy_attacks"),
}
#: table → figure
FIGURES = {
    "dose": "canvas_dose",
    "crossover": "canvas_crossover",
    "adversarial": "canvas_ladder",
    "transfer": "canvas_transfer",
    "proxies": "canvas_ruler",
    "mounted": "canvas_mounted",
}


def arm_of(key: str) -> str:
    """The arm that a claim is about, a key of `ARMS`."""
    first = key.partition("-")[0]
    return first if first in ARMS else "networks"


@dataclass(frozen=True)
class Verdict:
    """One claim with all of its subjects.

    key, wording, source, bound: of the table claims.
    arm: a key of `ARMS`.
    counts: verdict → of how many subjects, those that occur.
    rows: the subjects, dictionaries of the table claims.
    chart: the page's chart of it.
    figure: path of its static figure under the experiment's analysis, without a suffix; empty where
        there is none.
    """

    key: str
    wording: str
    source: str
    bound: str
    arm: str
    counts: Mapping[str, int]
    rows: Sequence[dict]
    chart: str
    figure: str


def verdicts(claims: pd.DataFrame, figures: Mapping[str, Sequence[str]]) -> list[Verdict]:
    """Every claim of the run, in the order of the table. figures: see `static`."""
    return [
        _verdict(str(key), rows, figures) for key, rows in claims.groupby("key", sort=False)
    ]  # fmt: skip


def _verdict(key: str, rows: pd.DataFrame, figures: Mapping[str, Sequence[str]]) -> Verdict:
    table = next((claim.subjects[0].table for claim in CLAIMS if claim.key == key), "")
    chart, figure = CHARTS.get(table, ""), FIGURES.get(table, table)
    for start, (other, drawn) in OF_KEYS.items():
        if key.startswith(start):
            chart, figure = other, drawn
    first = rows.iloc[0]
    counts = {v: int((rows["verdict"] == v).sum()) for v in VERDICTS}
    return Verdict(
        key=key,
        wording=first["claim"],
        source=first["source"],
        bound=first["bound"],
        arm=arm_of(key),
        counts={name: count for name, count in counts.items() if count},
        rows=rows.to_dict("records"),
        chart=chart,
        figure=static(figures.get(figure, ()), rows),
    )


def static(paths: Sequence[str], rows: pd.DataFrame) -> str:
    """The one of a figure's paths that shows the most of a claim: of clean networks, and of the SAE type
    that the claim's first subject has; empty where there is none.

    paths: of one figure of the catalogue, under the experiment's analysis, without a suffix.
    """
    if not paths:
        return ""
    sae_type, architecture = rows["type"].iloc[0], rows["scope"].iloc[0].split(" ")[0]

    def fits(path: str) -> int:
        folder, _, name = path.rpartition("/")
        return (name == sae_type) + name.startswith("clean") + (architecture in folder.split("/"))

    return max(paths, key=fits)


def command(experiment: str, path: str, config: str) -> str:
    """The line that makes an output anew, for a terminal in a clone.

    path: of the output, under the experiment's results; config: path of the experiment's config.
    """
    words = ["snakemake", "--cores", "all", "--force", "--configfile", config, "--"]
    return shlex.join([*words, f"results/{experiment}/{path}"])
