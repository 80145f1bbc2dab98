"""Pages of published results and of planted ones, and a text of a page as a reader without a browser has it."""

import json
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd

from interference.config.load import read_config
from interference.plan.specs import Specs
from interference.report.page import compose
from tests.support import REPO
from tests.support.published import read_claims

#: Published results by the name of their experiment and folder.
PUBLISHED = ("fashion", "canvas", "toy-full", "rivals")
#: What `provenance.gathered` may say.
PROVENANCE = {
    "versions": {"interference": "0.1.0", "torch": "2.11.0"},
    "machine": {"processor": "znver5 (x86_64)", "cores": "2"},
    "steps": [{"step": "toy/train", "jobs": 1, "expected": 18000.0}],
    "jobs": 1,
    "expected": 18000.0,
    "expected_on": "one core",
}


@cache
def spec_of(experiment: str) -> dict:
    """The spec of the page of an experiment under workflow/experiments."""
    return json.loads(
        Specs(read_config(REPO / f"workflow/experiments/{experiment}.yaml")).page()
    )  # fmt: skip


@cache
def tables_of(experiment: str) -> dict[str, pd.DataFrame]:
    """Published tables by name."""
    folder = REPO / "workflow" / "published" / experiment
    found = {path.stem: pd.read_parquet(path) for path in sorted(folder.glob("*.parquet"))}
    return {**found, "claims": read_claims(folder)}


@cache
def page_of(experiment: str) -> str:
    """The page of published results."""
    return composed(spec_of(experiment), tables_of(experiment))


def composed(spec: dict, tables: dict[str, pd.DataFrame], pictures: dict | None = None) -> str:
    """A page of these tables, as if this machine were `PROVENANCE`."""
    return compose(spec, tables, sources=[], pictures=pictures, provenance=PROVENANCE)


def charts_of(page: str) -> dict[str, dict]:
    """The Vega-Lite of a page's charts, by name."""
    return json.loads(page.partition('id="charts">')[2].partition("</script>")[0])


def written(page: str, folder: Path) -> str:
    """The address of the page in a file."""
    folder.joinpath("page.html").write_text(page, encoding="utf-8")
    return folder.joinpath("page.html").as_uri()


class Reader(HTMLParser):
    """Elements of a page: names and attributes, and the cells of its rows as text."""

    def __init__(self, page: str):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[tuple[dict[str, str | None], list[str]]] = []
        self._cell = False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append((dict(attrs), []))
        if tag in ("td", "th"):
            self.rows[-1][1].append("")
            self._cell = True

    def handle_endtag(self, tag):
        self._cell = self._cell and tag not in ("td", "th")

    def handle_data(self, data):
        if self._cell:
            self.rows[-1][1][-1] += data
