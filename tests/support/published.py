"""What is committed under workflow/published, and what README and docs/published.md quote of it.

`python -m tests.support.published` writes claims and findings of every folder anew, as today's code makes
them of its tables: after a claim was added, or its wording changed.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from interference.analysis.findings import findings
from interference.analysis.tables import claims as claims_table
from interference.analysis.tables.claims import NUMBERS
from interference.config.load import read_config
from interference.plan.catalogue import JUDGED
from interference.plan.specs import Specs
from tests.support import REPO

PUBLISHED = REPO / "workflow/published"

#: Columns of the claims in which nothing stands for no number.
FLOATS = dict.fromkeys(NUMBERS, "")


def read_claims(folder: Path) -> pd.DataFrame:
    """The claims as they were published."""
    return pd.read_csv(folder / "claims.csv", keep_default_na=False, na_values=FLOATS)


def quoted(heading: str) -> list[tuple[str, ...]]:
    """Each number with an interval in the section of docs/published.md with a heading: value, low, high."""
    text = (REPO / "docs/published.md").read_text(encoding="utf-8")
    return quotes_of(text.partition(f"\n## {heading}")[2].partition("\n## ")[0])


def quotes_of(text: str) -> list[tuple[str, ...]]:
    """Each number with an interval: value, low, high."""
    return re.findall(r"(−?[\d.]+) \[(−?[\d.]+), (−?[\d.]+)\]", text)


def unclaimed(quotes: list[tuple[str, ...]], claims: pd.DataFrame) -> list[tuple[str, ...]]:
    """The quotes that no claim has, at the places after the point that the value is given with."""
    wrong = []
    for numbers in quotes:
        places = len(numbers[0].partition(".")[2])
        wanted = [float(number.replace("−", "-")) for number in numbers]
        rows = claims[["measured", "low", "high"]].round(places)
        if not (rows == wanted).all(axis=1).any():
            wrong.append(numbers)
    return wrong


def folders() -> Iterator[tuple[Path, Path]]:
    """Every folder, and the config of its experiment: its own, or the one of its name that ships."""
    for claims in sorted(PUBLISHED.rglob("claims.csv")):
        own = claims.with_name("config.yaml")
        yield (
            claims.parent,
            own if own.exists() else REPO / f"workflow/experiments/{claims.parent.name}.yaml",
        )


def remade(folder: Path, config: Path) -> pd.DataFrame:
    """The claims that today's code makes of a folder's tables."""
    spec = json.loads(Specs(read_config(config)).table("claims"))
    tables = {name: [folder / f"{name}.parquet"] for name in JUDGED}
    tables["toy"] = [folder / "vulnerability.parquet"]
    return claims_table.build(
        spec, **{name: own for name, own in tables.items() if own[0].exists()}
    )


def hold(folder: Path, config: Path) -> None:
    """Assert that a folder's claims are those that today's code makes of its tables."""
    made = remade(folder, config)
    pd.testing.assert_frame_equal(
        read_claims(folder), made, rtol=1e-5, atol=1e-6, check_dtype=False
    )


def main() -> None:
    for folder, config in folders():
        made = remade(folder, config)
        made.to_csv(folder / "claims.csv", index=False, float_format="%.6g", lineterminator="\n")
        if (folder / "findings.md").exists():
            text = findings(read_claims(folder)) + "\n"
            (folder / "findings.md").write_text(text, encoding="utf-8")
        print(f"{folder.relative_to(REPO)}: {len(made)} rows")


if __name__ == "__main__":
    main()
