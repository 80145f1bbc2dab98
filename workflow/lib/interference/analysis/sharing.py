"""What claims on attacks between networks are about: does geometry that is shared foretell who falls to whom?"""

import math
from functools import partial

import numpy as np
import pandas as pd

from interference.analysis.partial import correlations, without
from interference.analysis.statistics import ranks
from interference.analysis.verdicts import Measured

#: What is taken out of success, and of likeness, before they are correlated: what the target does whoever
#: attacks it, and what both networks say of clean images.
CONTROLS = ("agreement", "noise", "own")
#: Deals of networks, and the seed of their order.
DEALS, SEED = 2000, 0


def shared(
    rows: pd.DataFrame,
    spec: dict,
    *,
    among: str,
    likeness: str = "cka",
    beyond: tuple[str, ...] = (),
) -> Measured:
    """Partial rank correlation over pairs of success and likeness, beyond that of permuted geometry.

    The geometry of each network is dealt to another one, and with it every likeness that it has (Mantel 1967;
    partial, Smouse et al. 1986), among all networks or among those that were trained alike. The number is
    the correlation less its mean over deals; the interval, what it is beyond the middle ones of the deals.

    rows: of one layer, one per ordered pair. among: ``all`` networks, or those ``alike``. likeness: its
    column. beyond: columns that are taken out beside `CONTROLS`, and not dealt.
    """
    names = sorted({*rows["source"], *rows["target"]})
    source, target = (np.searchsorted(names, rows[side]) for side in ("source", "target"))
    groups = _groups(len(names), source, target) if among == "alike" else [np.arange(len(names))]
    values = rows[["success", *CONTROLS, *beyond, likeness]].to_numpy(np.float64)
    success, *controls, own = ranks(values.T)
    columns = np.column_stack([np.ones(len(rows)), *controls])
    square = np.full((len(names), len(names)), np.nan)
    square[source, target] = own
    rng = np.random.default_rng(SEED)
    dealt = np.stack([_deal(len(names), groups, rng) for _ in range(DEALS)])
    null = np.stack([square[deal[source], deal[target]] for deal in dealt])
    found = correlations(without(columns, success), without(columns, np.vstack([own, null])))
    value, null = float(found[0]), found[1:]
    tail = 100 * (1 - spec["confidence"]) / 2
    low, high = np.percentile(null, [tail, 100 - tail])
    return Measured(
        value - float(null.mean()),
        value - float(high),
        value - float(low),
        f"{spec['confidence']:.0%} of {DEALS} deals of {len(names)} networks",
        "networks",
        _shortage([len(group) for group in groups], len(rows), len(controls), spec["confidence"]),
        p=partial(_p, value=value, null=null),
    )


def _groups(count: int, source: np.ndarray, target: np.ndarray) -> list[np.ndarray]:
    """The networks that are paired with each other. source, target: (pairs,), places below count."""
    paired = np.eye(count, dtype=bool)
    paired[source, target] = True
    return [np.flatnonzero(row) for row in np.unique(paired, axis=0)]


def _deal(count: int, groups: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Whose geometry each network gets, of its group: (count,)."""
    deal = np.arange(count)
    for group in groups:
        deal[group] = rng.permutation(group)
    return deal


def _p(bound: float, *, value: float, null: np.ndarray) -> float:
    """The two-sided p of the correlation being ``bound`` beyond the deals (Phipson & Smyth 2010)."""
    above = (1 + (null + bound >= value - 1e-12).sum()) / (1 + len(null))
    below = (1 + (null + bound <= value + 1e-12).sum()) / (1 + len(null))
    return float(min(1, 2 * min(above, below)))


def _shortage(sizes: list[int], pairs: int, controls: int, confidence: float) -> str:
    """What is too few for a verdict: pairs, beside the controls; or deals that differ."""
    if pairs < controls + 4:
        return f"pairs {pairs}, {controls} controls need {controls + 4}"
    # two networks that are dealt to each other keep the likeness of their pair
    deals, need = (
        math.prod(math.factorial(size) for size in sizes if size > 2),
        2 / (1 - confidence),
    )
    return "" if deals >= need else f"networks that can be dealt {deals} ways, need {need:.0f}"
