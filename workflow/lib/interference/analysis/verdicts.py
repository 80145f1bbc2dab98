"""Verdicts: what a measured interval says of a claim.

A verdict comes from the interval alone: *reproduced* where the whole of it is where the claim says,
*not reproduced* where the whole of it is elsewhere, else *undecided*. Where a size is reported,
elsewhere includes all that is less than `LEAST_SIZE` of it. *No effect* is where the whole of it is
among effects that are too small to matter, whatever the direction: two one-sided tests against the
smallest effects of interest (Schuirmann 1987; Lakens 2017). Where the interval's units (images, seeds,
networks) are too few to carry one it is undecided too. Of one training the words are *holds here*,
*fails here* and *no effect here*: what another training gives is not known.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from interference.analysis.statistics import FEWEST_RANKED, fewest

#: Share of the reported effect below which an effect in the same direction is not the reported one.
LEAST_SIZE = 0.5
#: The least gain in accuracy that is called robustness, fixed before any data were looked at.
LEAST_GAIN = 0.05
#: Smallest effects of interest, by kind of quantity and not by claim; from conventions, not from data.
#: Of ratios a twentieth, half of the smallest that the preprint reports, 1.1, as a logarithm. Of FVU a
#: tenth: SAEs of two seeds differ by so much. Of rank correlations what Cohen (1988) calls small. Of
#: shares of images the gain that is called robustness.
RATIO, TENTH = (1 / 1.05, 1.05), (0.9, 1 / 0.9)
RANKED, SHARE = (-0.1, 0.1), (-LEAST_GAIN, LEAST_GAIN)
#: What a verdict is called where there is one training.
ONE_TRAINING = {
    "reproduced": "holds here",
    "not reproduced": "fails here",
    "no effect": "no effect here",
}


@dataclass(frozen=True)
class Measured:
    """A number with its interval, in the unit of its quantity.

    value: the number.
    low, high: the interval's ends; NaN where there is no interval.
    interval: what the interval is over, in words.
    about: whose number it is, such as ``networks``; ``this network`` where there is one training.
    shortage: what the interval's units are too few for, in words; empty where they are enough.
    cases: what the number sums up, in words, where the subject's scope does not say so.
    p: the two-sided p-value of the number being at a bound; NaN of checks, whose cases are all there are.
    """

    value: float
    low: float
    high: float
    interval: str
    about: str
    shortage: str = ""
    cases: str = ""
    p: Callable[[float], float] = lambda bound: math.nan


@dataclass(frozen=True)
class Rule:
    """Where a claim says that its number lies.

    side: ``>`` or ``<`` the bound, which decides where the whole interval is on one side of it; or,
        of checks, whose interval is the extremes of all cases, ``>=`` or ``=``, which fails where
        one case does.
    bound: in the unit of the quantity.
    equivalence: the smallest effects of interest in both directions, (low, high): what lies between them
        is no effect. None where the bound is no null, or every effect counts.
    """

    side: Literal[">", "<", ">=", "="]
    bound: float
    equivalence: tuple[float, float] | None = None

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

    def least_of(self, reported: float) -> float:
        """The ratio whose effect is `LEAST_SIZE` of the reported."""
        return self.bound * (reported / self.bound) ** LEAST_SIZE


def verdict(measured: Measured, rule: Rule, reported: float | None = None) -> dict:
    """The columns verdict, why and p: of the verdict, against what it needs the interval to leave out.

    reported: the ratio that the source has, if it has one. p is NaN of checks, and of too few units.
    """
    low, high = measured.low, measured.high
    if measured.shortage:
        return {"verdict": "undecided", "why": measured.shortage, "p": np.nan}
    if not np.isfinite([low, high]).all():
        why = "a value that it needs could not be measured"
        return {"verdict": "undecided", "why": why, "p": np.nan}
    holds, why, against = rule.holds(low, high), "", [rule.bound]
    said = {True: "reproduced", False: "not reproduced", None: "undecided"}[holds]
    if holds is None:
        why = f"the interval includes {rule.bound:g}"
    least, most = rule.equivalence or (np.nan, np.nan)
    if least < low and high < most:
        said, against = "no effect", [least, most]
        why = f"all of the interval is between {least:.3g} and {most:.3g}"
    elif reported is not None and holds is not False:
        share = rule.of_reported(measured.value, reported)
        if max(rule.of_reported(end, reported) for end in (low, high)) < LEAST_SIZE:
            said, against = "not reproduced", [rule.least_of(reported)]
            why = f"the size is {share:.2f} of what is reported"
            why = f"the direction holds, {why}" if holds else why
    if measured.about == "this network" and said in ONE_TRAINING:
        said, why = ONE_TRAINING[said], f"{why}; one training" if why else "one training"
    p = max(measured.p(end) for end in against) if rule.side in ("<", ">") else np.nan
    return {"verdict": said, "why": why, "p": p}


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
