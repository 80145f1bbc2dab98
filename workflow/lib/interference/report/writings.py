"""Tables for a paper, as LaTeX and Markdown: every letter of a name comes out as text."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from pylatexenc.latexencode import UnicodeToLatexEncoder

from interference.report.finished import judged
from interference.report.verdicts import ARMS, arm_of
from interference.report.words import interval, together
from interference.store.files import replacing

#: What Markdown takes for more than a letter.
_MARKS = re.compile(r"([\\`*_{}\[\]()<>#+!|~&-])")
#: Where LaTeX takes letters together: a row's end with what follows it, hyphens and old quotes.
_TAKEN_TOGETHER = re.compile(r"^(?=[\[*])|(?<=-)(?=-)|(?<=[?!])(?=`)")
_IN_LATEX = UnicodeToLatexEncoder(unknown_char_policy="unihex", unknown_char_warning=False)


class Writing(NamedTuple):
    """A table as it is printed.

    name: of its files. caption: a sentence. cells: text, one row per line.
    widths: of each column, as a share of the line; of all together less than one.
    """

    name: str
    caption: str
    cells: pd.DataFrame
    widths: tuple[float, ...]


def writings(tables: Mapping[str, pd.DataFrame]) -> Iterator[Writing]:
    """Yield what a paper prints of an experiment.

    tables: its tables by name, claims among them.
    """
    claims = judged(tables["claims"])
    by_claim = claims.groupby("claim", sort=False)
    cells = pd.DataFrame({"claim": claim, "verdict": together(rows)} for claim, rows in by_claim)
    yield Writing("verdicts", "Verdicts, claim by claim.", cells, (0.5, 0.4))
    for arm, about in ARMS.items():
        rows = claims[claims["key"].map(arm_of) == arm]
        if len(rows):
            caption = f"Every claim on {about}, with intervals."
            yield Writing(f"claims-{arm}", caption, _claims(rows), (0.29, 0.26, 0.21, 0.11))
    if "accuracy" in tables:
        cells = _accuracy(tables["accuracy"])
        yield Writing("accuracy", "Accuracy under attack.", cells, (0.24, 0.19, 0.11, 0.24, 0.08))


def _claims(rows: pd.DataFrame) -> pd.DataFrame:
    repeated = rows["claim"].duplicated()
    return pd.DataFrame(
        {
            "claim": rows["claim"].mask(repeated, ""),
            "measured on": rows["scope"],
            "measured": [_printed(row) for row in rows.to_dict("records")],
            "verdict": rows["verdict"],
        }
    )


def _accuracy(table: pd.DataFrame) -> pd.DataFrame:
    named = {"measured": table["accuracy"], "low": table["low"], "high": table["high"]}
    return pd.DataFrame(
        {
            "network": table["model"],
            "attack": table["attack"],
            "epsilon": [f"{epsilon:.4g}" for epsilon in table["epsilon"]],
            "accuracy": [_printed(row) for row in pd.DataFrame(named).to_dict("records")],
            "images": table["images"].astype(str),
        }
    )


def _printed(row: Mapping) -> str:
    """A number and its interval, with a minus sign."""
    return interval(row).replace("-", "−")


def write(writing: Writing, folder: Path) -> None:
    """Write a table as NAME.tex, for `\\input`, and as NAME.md."""
    for suffix, text in ((".tex", latex(writing)), (".md", markdown(writing))):
        with replacing(folder / f"{writing.name}{suffix}") as temporary:
            temporary.write_text(text, encoding="utf-8")


def latex(writing: Writing) -> str:
    """A longtable with the rules of booktabs, which needs the packages array, booktabs, longtable."""
    cells = writing.cells.map(in_latex).rename(columns=in_latex)
    columns = "".join(
        rf">{{\raggedright\arraybackslash}}p{{{width}\linewidth}}" for width in writing.widths
    )
    return cells.style.hide(axis="index").to_latex(
        environment="longtable",
        hrules=True,
        column_format=columns,
        caption=in_latex(writing.caption),
        label=f"tab:{writing.name}",
    )


def markdown(writing: Writing) -> str:
    """The caption, and a table as GitHub has it."""
    cells = writing.cells.map(in_markdown).rename(columns=in_markdown)
    table = cells.to_markdown(index=False, tablefmt="github", disable_numparse=True)
    return f"{in_markdown(writing.caption)}\n\n{table}\n"


def in_latex(text: str) -> str:
    """Text as LaTeX prints it; a letter that it lacks is printed as its number."""
    return _TAKEN_TOGETHER.sub("{}", _IN_LATEX.unicode_to_latex(text))


def in_markdown(text: str) -> str:
    """Text as Markdown shows it."""
    return _MARKS.sub(r"\\\1", text)
