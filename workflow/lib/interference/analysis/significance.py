"""p-values of measured numbers against a bound, and the false discovery rate over a table of claims.

A p-value is one less the largest confidence at which an interval made the same way leaves the bound
out (two-sided). Claims share networks, images and SAEs, and their numbers move together or against
each other: so the rate is Benjamini & Yekutieli's (2001), which holds under any dependence.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr, stdtrit
from scipy.stats import false_discovery_control


def p_of_mean(bound: float, values: ArrayLike) -> float:
    """Student's two-sided p of a mean being ``bound``; NaN of fewer than two values.

    Equal values have no spread to be judged by: theirs is that of a sign test.
    """
    found = np.asarray(values, dtype=float)
    n, away = len(found), abs(float(found.mean()) - bound)
    if n < 2:
        return np.nan
    if away == 0:
        return 1.0
    error = float(found.std(ddof=1)) / n**0.5
    return 2.0 ** (1 - n) if error <= 1e-12 * away else float(2 * stdtr(n - 1, -away / error))


def p_of_interval(
    bound: float,
    *,
    value: float,
    low: float,
    high: float,
    confidence: float,
    freedom: float,
    log: bool = False,
) -> float:
    """The two-sided p of a number being ``bound``, from its interval.

    Exact where an end is at the bound. Beyond, distances from the value are as Student's quantiles,
    which is on the wide side where a part of the interval is over images.

    freedom: degrees of freedom, of units less one; inf of images alone.
    log: whether distances are those of logarithms, as of ratios.
    Source: Altman & Bland 2011, BMJ 343:d2304, with Student's quantiles on the bound's side.
    """
    ends = np.array([bound, value, low if bound < value else high])
    with np.errstate(divide="ignore", invalid="ignore"):
        at, middle, end = np.log(ends) if log else ends
        away, reach = abs(at - middle), abs(end - middle)
        if away == 0:
            return 1.0
        if reach == 0:  # without a width it says no more than its confidence
            return 1 - confidence
        return float(2 * stdtr(freedom, -stdtrit(freedom, (1 + confidence) / 2) * away / reach))


def adjusted(p: ArrayLike) -> np.ndarray:
    """The least rate of false discoveries at which each is one, as Benjamini & Yekutieli adjust p-values.

    p: NaN of what is no test, and has none.
    """
    values = np.asarray(p, dtype=float)
    tested = ~np.isnan(values)
    rates = np.full_like(values, np.nan)
    rates[tested] = false_discovery_control(values[tested], method="by")
    return rates
