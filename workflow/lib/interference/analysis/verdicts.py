"""Verdicts: what a measured interval says of a claim.

A verdict comes from the interval alone: *reproduced* where the whole of it is where the claim says,
*not reproduced* where the whole of it is elsewhere, else *undecided*. Where a size is reported,
elsewhere includes all that is less than `LEAST_SIZE` of it. Where the interval's units (images,
seeds, networks) are too few to carry one it is undecided too. Of one training the words are *holds
here* and *fails here*: what another training gives is not known.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from interference.analysis.statistics import FEWEST_RANKED, fewest

#: Share of the reported effect below which an effect in the same direction is not the reported one.
LEAST_SIZE = 0.5


@dataclass(frozen=True)
class Measured:
    """A number with its interval, in the unit of its quantity.

    value: the number.
    low, high: the interval's ends; NaN where there is no interval.
    interval: what the interval is over, in words.
    about: whose number it is, such as ``networks``; ``this network`` where there is one training.
    shortage: what the interval's units are too few for, in words; empty where they are enough.
    cases: what the number sums up, in words, where the subject's scope does not say so.
    """

    value: float
    low: float
    high: float
    interval: str
    about: str
    shortage: str = ""
    cases: str = ""


@dataclass(frozen=True)
class Rule:
    """Where a claim says that its number lies.

    side: ``>`` or ``<`` the bound, which decides where the whole interval is on one side of it; or,
        of checks, whose interval is the extremes of all cases, ``>=`` or ``=``, which fails where
        one case does.
    bound: in the unit of the quantity.
    """

    side: Literal[">", "<", ">=", "="]
    bound: float

    def __str__(self) -> str:
        return f"{self.side} {self.bound:g}"

    def holds(self, low: float, high: float) -> bool | None:
        """Whether the claim holds of an interval; None where the interval includes the bound."""
        if self.side == ">=":
            return low >= self.bound
        if self.side == "=":
            return low == high == self.bound
        above, below = low > self.bound, high < self.bound
        if not above and not below:
            return None
        return above if self.side == ">" else below

    def of_reported(self, value: float, reported: float) -> float:
        """The effect of a ratio over the reported effect, both as logarithms of ratio over bound."""
        with np.errstate(divide="ignore"):
            return float(np.log(value / self.bound) / np.log(reported / self.bound))


def verdict(measured: Measured, rule: Rule, reported: float | None = None) -> dict[str, str]:
    """The columns verdict and why. reported: the ratio that the source has, if it has one."""
    if measured.shortage:
        return {"verdict": "undecided", "why": measured.shortage}
    if not np.isfinite([measured.low, measured.high]).all():
        return {"verdict": "undecided", "why": "a value that it needs could not be measured"}
    holds, why = rule.holds(measured.low, measured.high), ""
    if reported is not None and holds is not False:
        ends = (rule.of_reported(end, reported) for end in (measured.low, measured.high))
        if max(ends) < LEAST_SIZE:
            share = rule.of_reported(measured.value, reported)
            why = "the direction holds, " if holds else ""
            why, holds = f"{why}the size is {share:.2f} of what is reported", False
    if holds is None:
        return {"verdict": "undecided", "why": f"the interval includes {rule.bound:g}"}
    if measured.about == "this network":
        why = f"{why}; one training" if why else "one training"
        return {"verdict": "holds here" if holds else "fails here", "why": why}
    return {"verdict": "reproduced" if holds else "not reproduced", "why": why}


def few_images(images: int, confidence: float) -> str:
    """The shortage of an interval over images; empty where they are enough."""
    need = fewest(confidence)
    return (
        "" if images >= need else f"images {images}, an interval at {confidence:.0%} needs {need}"
    )


def few_to_miss(images: int, least: float, confidence: float) -> str:
    """The shortage of images that leaves out a share of at least ``least``; empty where they are enough.

    Of fewer none may have it by chance, and the bootstrap of a difference that no image shows has no
    width.
    """
    need = math.ceil(math.log((1 - confidence) / 2) / math.log(1 - least))
    return "" if images >= need else f"images {images}, to see {least:.0%} of them needs {need}"


def few_seeds(seeds: int) -> str:
    """The shortage of extremes over seeds; empty where they are enough."""
    return "" if seeds >= 2 else f"seeds {seeds}, extremes need two"


def few_ranked(count: int, units: str) -> str:
    """The shortage of a rank correlation over ``count`` units, such as networks; empty where they
    are enough for it to be other than 1 or -1."""
    if count >= FEWEST_RANKED:
        return ""
    return f"{units} {count}, a rank correlation over fewer than {FEWEST_RANKED} is 1 or -1 by construction"
