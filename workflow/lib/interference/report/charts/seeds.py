"""What charts of means over seeds or trainings share: Student’s intervals, and what hovering says of them."""

from collections.abc import Mapping

import altair as alt
import numpy as np
import pandas as pd

from interference.analysis.statistics import student
from interference.report.charts.base import tips

#: Columns that name a seed, and of what, of networks' tables and of others.
SEEDS = {"model_seed": "network", "sae_seed": "SAE", "seed": "bottleneck"}
#: Columns that say which networks a row about several trainings is of, and what was measured of them.
KIND = ["model_architecture", "model_norm", "model_epsilon", "family", "layer", "type", "sparsity", "attack",
        "norm", "reference", "quantity", "comparison", "among", "intervention", "set", "defence", "measure"]  # fmt: skip


def each(rows: pd.DataFrame, values: pd.Series) -> str:
    """Every number with its seed, such as 0: 1.234, 1: 1.301, without what is no number; where not only the
    first of `SEEDS` varies that the rows have, such as network 0 SAE 1: 1.234.

    rows: with columns of `SEEDS`; values: one per row.
    """
    first, *others = [name for name in SEEDS if name in rows]
    varying = [name for name in others if len(set(rows[name])) > 1]
    labels = [f"{seed}" for seed in rows[first]]
    if varying:
        pairs = rows[[first, *varying]].itertuples(index=False)
        words = [SEEDS[name] for name in (first, *varying)]
        labels = [" ".join(f"{word} {seed}" for word, seed in zip(words, pair)) for pair in pairs]
    said = zip(labels, values.tolist(), strict=True)
    return ", ".join(f"{label}: {value:.4g}" for label, value in said if np.isfinite(value))


def over_trainings(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """The rows of a table of networks about all trainings of a kind, or about the only one; and in ``each``
    what `each` says of a column in every training that a row is of, empty where the table lacks them."""
    kind = [name for name in KIND if name in table]
    if "attack" in table:
        kind.append("epsilon")
    shown = table[table["about"] != "one of several"]
    single = table[table["model_seed"].notna()]
    single = single.sort_values([name for name in SEEDS if name in table], kind="stable")
    texts = [
        {**dict(zip(kind, key)), "each": each(rows, rows[column])}
        for key, rows in single.groupby(kind, dropna=False)
    ]
    if not texts:
        return shown.assign(each="")
    found = shown[kind].merge(pd.DataFrame(texts), on=kind, how="left")["each"]
    return shown.assign(each=found.fillna("").to_numpy())


def over_seeds(
    table: pd.DataFrame,
    by: list[str],
    columns: Mapping[str, str],
    confidence: float,
    *,
    exponential: bool = False,
) -> pd.DataFrame:
    """One row per group and column: mean over seeds and Student's interval, of logarithms the exponentials.

    columns: column → what it is, in words. What is no number in a seed is left out.
    Columns of the result: those of ``by``; what, in words; value, low, high; seeds, how many; each, of
    `each`.
    """
    rows = []
    for key, part in table.groupby(by, sort=True):
        for column, name in columns.items():
            known = part[np.isfinite(part[column])]
            values = known[column].to_numpy(float)
            if len(values):
                numbers = np.array([values.mean(), *student(values, confidence)])
                numbers = np.exp(numbers) if exponential else numbers
                own = known[column].map(np.exp) if exponential else known[column]
                found = dict(zip(("value", "low", "high"), numbers)) | {"seeds": len(values)}
                found |= {"what": name, "each": each(known, own)}
                rows.append(dict(zip(by, key, strict=True)) | found)
    return pd.DataFrame(rows)


def tips_over_seeds(value: str, **fields: str) -> list[alt.Tooltip]:
    """What hovering shows of a row of `over_seeds`. value: what the number is; fields: as of `tips`."""
    return tips(
        what="what", **fields, value=f"{value}#", low="from#", high="to#", seeds="seeds#",
        each="each seed",
    )  # fmt: skip


def intervals(what: str, confidence: float) -> str:
    """What marks of intervals are, a sentence. what: the marks, such as bars."""
    return f"{what.capitalize()} are Student’s {100 * confidence:g} % intervals over seeds."
