"""What docs/results.md says of the tables of a run, beside the tables."""

import csv
import re
from functools import cache
from pathlib import Path

import pyarrow.parquet as pq

from interference.analysis.frames import MEMBER, MODEL
from interference.analysis.statistics import OVER
from tests.support import REPO

#: Names in a heading that stand for one part of a path.
WILDCARD = re.compile("MODEL|LAYER|TYPE|ATTACK|FAMILY|REGIME|SEED")
#: Tables and columns that only experiments on pictures or on the hub's checkpoints have.
SOMETIMES = {
    "analysis/tables/gates",
    "data/images.skipped.csv",
    *(
        f"analysis/tables/{name}"
        for name in ("crossover", "adversarial", "transfer", "proxies", "mounted")
    ),
    "analysis/tables/bottlenecks",
    "analysis/tables/abundance",
    "analysis/tables/interpretability",
    "analysis/tables/relearning",
    "analysis/tables/overlap",
    "rivals/aims.parquet",
    "rivals/aims.landings.parquet",
    "rivals/aims.passes.parquet",
    "rivals/counts-sSEED.parquet",
    "rivals/counts-sSEED.meanings.parquet",
    "rivals/overlaps.parquet",
    "rivals/relearned-sSEED.parquet",
    "analysis/tables/structure",
    "attacks/MODEL.structure.parquet",
    "analysis/tables/exchange",
    "attacks/exchange.parquet",
    "attacks/exchange.similarity.parquet",
    "canvas/transfer-REGIME.parquet",
    "canvas/REGIME-sSEED.proxies.parquet",
    "canvas/mounted-MODEL-REGIME.flips.parquet",
    "canvas/mounted-MODEL-REGIME.features.parquet",
}
OPTIONAL = {("data/images.parquet", "name")}


@cache
def sections() -> dict[str, tuple[set[str], set[str]]]:
    """Heading of a table → the columns that its own rows name, and those that its text allows."""
    text = (REPO / "docs" / "results.md").read_text(encoding="utf-8")
    found = {}
    for block in re.split(r"^### ", text, flags=re.MULTILINE)[1:]:
        heading, _, body = block.partition("\n")
        cells = re.findall(r"^\| (`[^|]*`) \|", body, re.MULTILINE)
        own = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
        assert len(own) == len(set(own)), heading
        names = re.search(r"Names: (.*?)\.\s", body + "\n")
        named = set(MODEL) if names and "network" in names[1] else set()
        if names and "SAE" in names[1]:
            named |= set(re.findall(r"`(\w+)`", names[1])) or set(MEMBER)
        if names and "row" in names[1]:
            named |= set(OVER)
        found[heading.strip("`")] = set(own), named
    return found


def columns_of(heading: str) -> set[str]:
    """Every column that a table has, as the page says."""
    own, named = sections()[heading]
    return own | named


def heading_of(path: str) -> str | None:
    """The heading under which a result stands: of those that fit the one with the fewest
    wildcards, and the longest of these."""
    fits = [
        heading
        for heading in sections()
        if re.fullmatch(WILDCARD.sub("[^/]+", re.escape(heading)), path)
        or (
            heading.startswith("analysis/tables/")
            and path in (f"{heading}.csv", f"{heading}.parquet")
        )
    ]
    return min(fits, key=lambda h: (len(WILDCARD.findall(h)), -len(h)), default=None)


def columns(path: Path) -> set[str]:
    if path.suffix == ".csv":
        with path.open(encoding="utf-8") as file:
            return set(next(csv.reader(file)))
    return set(pq.read_schema(path).names)


def undocumented(results: Path) -> list[str]:
    """What the page and a run's tables do not agree on, a line each."""
    wrong, seen = [], set()
    for path in sorted([*results.rglob("*.parquet"), *results.rglob("*.csv")]):
        name = path.relative_to(results).as_posix()
        heading = heading_of(name)
        if heading is None:
            wrong.append(f"{name}: the page does not name it")
            continue
        seen.add(heading)
        there, said = columns(path), columns_of(heading)
        missing = {column for column in said - there if (heading, column) not in OPTIONAL}
        wrong += [f"{name}: the page lacks {column}" for column in sorted(there - said)]
        wrong += [f"{name}: the page names {column}, it has none" for column in sorted(missing)]
    tables = {heading for heading in sections() if "/" in heading}
    return wrong + [f"{heading}: no such table" for heading in sorted(tables - seen - SOMETIMES)]
