"""What is committed under workflow/published, and what the README quotes of it."""

import re
from pathlib import Path

import pandas as pd

from interference.analysis.tables.claims import NUMBERS
from tests.support import REPO

#: Columns of the claims in which nothing stands for no number.
FLOATS = dict.fromkeys(NUMBERS, "")


def read_claims(folder: Path) -> pd.DataFrame:
    """The claims as they were published."""
    return pd.read_csv(folder / "claims.csv", keep_default_na=False, na_values=FLOATS)


def quoted(heading: str) -> list[tuple[str, ...]]:
    """Each number with an interval in the README's section of a heading: value, low, high."""
    text = (REPO / "README.md").read_text(encoding="utf-8")
    section = re.split(r"^#+ ", text.partition(f"### {heading}")[2], flags=re.MULTILINE)[0]
    return re.findall(r"(−?[\d.]+) \[(−?[\d.]+), (−?[\d.]+)\]", section)


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
