"""What claims on canvases are about: quantities per seed, with Student's intervals over seeds.

Each takes a subject's rows and the spec of the table claims, and settings of its own by name; None
where the rows lack what it needs.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from interference.analysis.quantities import mean_over_seeds
from interference.analysis.statistics import rank_correlation
from interference.analysis.verdicts import Measured, few_ranked, few_seeds
from interference.config.canvas import SUPERPOSED


def ordered(rows: pd.DataFrame, spec: dict, *, column: str) -> Measured:
    """Spearman's ρ of a column and the dose, in each seed of the family dose."""
    rows = _family(rows, "dose").sort_values("dose")
    values = [
        float(rank_correlation(seed["dose"].to_numpy(), seed[column].to_numpy()))
        for _, seed in rows.groupby("seed")
    ]
    return _extremes(values, few_ranked(rows["dose"].nunique(), "doses"))


def change(
    rows: pd.DataFrame,
    spec: dict,
    *,
    column: str,
    less: str | None = None,
    family: str | None = "dose",
) -> Measured | None:
    """A column at a dose of 3 less that at 1.

    less: a column whose own change is taken off. family: of these networks; None of all, in the mean.
    """
    if less is not None:
        rows = rows.assign(**{column: rows[column] - rows[less]})
    values = _change(rows, column, family)
    return None if values is None else _measured(values, spec)


def share(rows: pd.DataFrame, spec: dict, *, column: str, of: str) -> Measured | None:
    """What of the change from a dose of 1 to one of 3 is in one column: a ratio of means over seeds."""
    return _ratio(_change(rows, column), _change(rows, of), spec, of)


def width(rows: pd.DataFrame, spec: dict, *, column: str) -> Measured | None:
    """|Change of a column from as many dimensions as the features that are read to three times as many|
    over |change from a dose of 1 to one of 3|."""
    narrow, wide = (_at(rows, "width", dose, column) for dose in (1, 1 / SUPERPOSED))
    if narrow is None or wide is None:
        return None
    found = _ratio(narrow - wide, _change(rows, column), spec, column)
    if found is None:
        return None
    ends = sorted((abs(found.low), abs(found.high)))
    low, p = 0.0 if found.low < 0 < found.high else ends[0], found.p

    def of_size(bound: float) -> float:
        return max(p(bound), p(-bound))

    return replace(found, value=abs(found.value), low=low, high=ends[1], p=of_size)


def slope(rows: pd.DataFrame, spec: dict, *, column: str) -> Measured:
    """Slope of a column on the logarithm of the dose, in each seed, by least squares over pairs."""
    return _measured(_slopes(rows, column), spec)


def per_doubling(rows: pd.DataFrame, spec: dict, *, column: str) -> Measured:
    """The factor that the exponential of a column takes per doubling of the dose: 2 to its slope."""
    found = _measured(_slopes(_family(rows, "dose"), column), spec)
    value, low, high = (float(2**end) for end in (found.value, found.low, found.high))
    slope_p = found.p
    return replace(found, value=value, low=low, high=high, p=lambda bound: slope_p(np.log2(bound)))


def mean(rows: pd.DataFrame, spec: dict, *, column: str) -> Measured:
    """Mean of a column over seeds."""
    return _measured(rows.groupby("seed")[column].mean(), spec)


def share_of_gain(rows: pd.DataFrame, spec: dict, *, column: str, of: str) -> Measured | None:
    """A ratio of the means of two columns over seeds."""
    by_seed = rows.groupby("seed")
    return _ratio(by_seed[column].mean(), by_seed[of].mean(), spec, of)


def proxy_orders(rows: pd.DataFrame, spec: dict) -> Measured:
    """Spearman's ρ of a proxy and the dose at fixed dimensions, in each seed."""
    rows = rows[rows["vary"] == "dose_n"]
    shortage = few_ranked(int(rows["points"].min()), "doses")
    return _extremes(rows["spearman"].tolist(), shortage)


def proxy_follows(rows: pd.DataFrame, spec: dict) -> Measured | None:
    """How far a proxy moves under density, width or scale, whichever moves it most, over how far it
    moves under the dose."""
    others = rows[rows["vary"].isin(["density", "width", "scale"])]
    if others.empty:
        return None
    return _measured(others.groupby("seed")["of_dose"].max(), spec)


def _family(rows: pd.DataFrame, name: str | None) -> pd.DataFrame:
    return rows if name is None else rows[rows["family"] == name]


def _at(rows: pd.DataFrame, family: str | None, dose: float, column: str) -> pd.Series | None:
    """A column by seed, the mean of the networks of a family at a dose; None where there are none."""
    own = _family(rows, family)
    own = own[np.isclose(own["dose"], dose)].groupby("seed").mean(numeric_only=True)
    return None if own.empty else own[column]


def _change(rows: pd.DataFrame, column: str, family: str | None = "dose") -> pd.Series | None:
    superposed, alone = (_at(rows, family, dose, column) for dose in (SUPERPOSED, 1))
    return None if superposed is None or alone is None else superposed - alone


def _slopes(rows: pd.DataFrame, column: str) -> pd.Series:
    """By seed. A row weighs as many pairs as it is the mean of."""

    def of(seed: pd.DataFrame) -> float:
        x, y, pairs = np.log(seed["dose"]), seed[column], seed["pairs"]
        x = x - np.average(x, weights=pairs)
        return float((pairs * x * y).sum() / (pairs * x**2).sum())

    return pd.Series({key: of(seed) for key, seed in rows.groupby("seed")})


def _measured(values: pd.Series, spec: dict) -> Measured:
    return mean_over_seeds(values, spec, "canvases")


def _ratio(part: pd.Series | None, whole: pd.Series | None, spec: dict, of: str) -> Measured | None:
    """A ratio of two means over seeds, with the interval of its linear part, the mean of
    part − ratio × whole over the mean of the whole (Cochran 1977, section 6.3).

    Undecided where the interval of the whole includes 0: then the ratio is of anything.
    """
    if part is None or whole is None:
        return None
    value = float(part.mean() / whole.mean())
    rest = _measured((part - value * whole) / abs(whole.mean()), spec)
    all_of_it = _measured(whole, spec)
    vague = all_of_it.low <= 0 <= all_of_it.high
    shortage = rest.shortage or (f"the interval of the change of {of} includes 0" if vague else "")
    rest_p = rest.p
    return replace(
        rest,
        value=value,
        low=value + rest.low,
        high=value + rest.high,
        shortage=shortage,
        p=lambda bound: rest_p(bound - value),
    )


def _extremes(values: list[float], shortage: str) -> Measured:
    ends = float(np.mean(values)), float(np.min(values)), float(np.max(values))
    interval = f"extremes of {len(values)} seeds"
    return Measured(*ends, interval, "canvases", shortage or few_seeds(len(values)))
