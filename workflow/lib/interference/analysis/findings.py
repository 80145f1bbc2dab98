"""What a run found, in plain words: sentences made of the table claims and of nothing else."""

from collections.abc import Iterator

import pandas as pd

from interference.analysis.frames import SAE_TYPES
from interference.config.values import LAYERS

#: Verdicts, the telling ones first.
VERDICTS = (
    "reproduced",
    "holds here",
    "not reproduced",
    "fails here",
    "no effect",
    "no effect here",
    "undecided",
)
#: What stands for a verdict on claims that no table of an experiment is about.
NOT_TESTED = "not tested"
#: Sources of claims that are checks, of which one sentence speaks.
CHECKS = ("attack order", "masking check")


def findings(claims: pd.DataFrame) -> str:
    """A Markdown list: one item per claim about layers, which says where it has which verdict, and what was
    measured there; and one about the checks.

    claims: the table, rows in its order.
    """
    about_layers = claims[claims["layer"] != ""]
    items = [_item(rows) for _, rows in about_layers.groupby("key", sort=False)]
    checks = claims[claims["source"].isin(CHECKS)]
    return "\n".join(f"- {item}" for item in [*items, *_of_checks(checks)])


def _item(rows: pd.DataFrame) -> str:
    """One claim. Of several controls each has its own clause."""
    wording, clauses = rows["claim"].iloc[0], []
    controls = rows.groupby("against", sort=False)
    for control, part in controls:
        over = f"over {control}: " if len(controls) > 1 else ""
        clauses.append(_capital(over + "; ".join(_verdicts(part))))
    return f"**{_capital(wording)}**: {'. '.join(clauses)}."


def _verdicts(rows: pd.DataFrame) -> Iterator[str]:
    """Yield per verdict where a claim has it, and the range of what was measured there."""
    for verdict in VERDICTS:
        found = rows[rows["verdict"] == verdict]
        if len(found):
            low, high = (f"{found['measured'].agg(end):.2f}" for end in ("min", "max"))
            spread = low if low == high else f"{low} to {high}"
            yield f"{verdict} {_places(found, rows)} ({spread})"


def _places(found: pd.DataFrame, rows: pd.DataFrame) -> str:
    """At which layers; of a layer some of whose cases are elsewhere, which types. rows: all cases."""
    whole, parts = [], []
    for layer in LAYERS:
        here, cases = (frame.loc[frame["layer"] == layer, "type"] for frame in (found, rows))
        if len(here) == len(cases) > 0:
            whole.append(layer)
        elif len(here):
            names = [_typed(name, here, cases) for name in SAE_TYPES if name in set(here)]
            parts.append(f"{layer} ({', '.join(names)})")
    return "at every layer" if len(found) == len(rows) else f"at {_list([*whole, *parts])}"


def _typed(name: str, here: pd.Series, cases: pd.Series) -> str:
    """A type, and in how many of its cases where that is not all. here, cases: types, one per case."""
    count, of = int((here == name).sum()), int((cases == name).sum())
    return SAE_TYPES[name] + (f" in {count} of {of}" if count < of else "")


def _of_checks(checks: pd.DataFrame) -> Iterator[str]:
    """Yield the sentence about checks, if there are any."""
    if checks.empty:
        return
    failed = checks[checks["verdict"] == "not reproduced"]["claim"].drop_duplicates()
    names = "; ".join(claim.removeprefix("check: ") for claim in failed)
    yield (
        f"**Checks of attacks**: {len(checks) - len(failed)} of {len(checks)} hold"
        + (f"; not: {names}" if len(failed) else "")
        + "."
    )


def _list(words: list[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
