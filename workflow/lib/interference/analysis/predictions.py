"""Claims on canvases, decided before there were data.

The dose is features per dimension, n / m. Claims are about a dose of 3, superposition, against one of 1,
none, where they do not say otherwise: P3 and P5 were read at 3 alone until a null showed that P3 could
not fail so. Intervals are Student's over seeds; those of rank correlations are the extremes of all
seeds, each of which counts. A tight frame of equal norms predicts −½ for the slope of the interference
term on the logarithm of the dose: 2^−½ per doubling.
"""

from collections.abc import Callable
from functools import partial

from interference.analysis.claim import Claim, Reported, Subjects
from interference.analysis.doses import (
    change,
    mean,
    ordered,
    per_doubling,
    proxy_follows,
    proxy_orders,
    share,
    share_of_gain,
    slope,
    width,
)
from interference.analysis.verdicts import Measured, Rule
from interference.config.canvas import SUPERPOSED

PREDICTION, NOT_REPORTED = "prediction", Reported()
_SCOPE, _PER = "canvases, {regime}, {decoder} decoder", ("regime", "decoder")
DOSES = Subjects("dose", _SCOPE, "family in ['dose', 'width']", "canvases (canvas, data)", per=_PER)
EQUAL = Subjects(
    "dose",
    _SCOPE + ", features as accurate at dose {dose:g}",
    "family == 'dose' and dose > 1",
    "canvases (canvas, data)",
    per=(*_PER, "dose"),
)
CROSSED = Subjects(
    "crossover",
    _SCOPE + ", doses within a network",
    "pairs > 0",
    "canvases with the family crossover",
    per=_PER,
)
HARDENED = Subjects(
    "adversarial",
    _SCOPE + ", trained at {epsilon:g}",
    "attacked == 'all'",
    "canvases with the family ladder",
    per=_PER,
    at_middle_of="epsilon",
)
PASSED_ON = Subjects(
    "transfer",
    _SCOPE + ", {features} features, dose {dose:g}",
    "region == 'others'",
    "canvases with transfer",
    per=(*_PER, "features", "dose"),
)
MOUNTED = Subjects(
    "mounted",
    "bottlenecks on frozen networks, {regime}, {decoder} decoder",
    "pairs > 0",
    "canvases with mount",
    per=_PER,
)
ROBUST = Subjects(
    "mounted",
    "bottlenecks on networks trained at L2 {model_epsilon:g}, {regime}, {decoder} decoder",
    f"model_norm == 'l2' and dose == {SUPERPOSED}",
    "canvases with mount, on networks trained in L2",
    per=_PER,
    at_middle_of="model_epsilon",
)
PROXIES = Subjects(
    "proxies", _SCOPE + ", {proxy}", "points > 0", "canvases with a ruler", per=(*_PER, "proxy")
)


def _claim(
    key: str,
    wording: str,
    subjects: Subjects,
    quantity: Callable[..., Measured | None],
    rule: Rule,
    reported: Reported = NOT_REPORTED,
) -> Claim:
    return Claim(f"canvas-{key}", wording, PREDICTION, (subjects,), quantity, rule, reported)


PREDICTIONS = (
    _claim(
        "signal",
        "P1: interference-to-signal rises over all doses (Spearman in each seed)",
        DOSES,
        partial(ordered, column="interference_to_signal"),
        Rule(">=", 0.94),
    ),
    _claim(
        "robustness",
        "P2: superposition lowers the least change that flips (log r_full at dose 3 less that at 1)",
        DOSES,
        partial(change, column="log_r_full"),
        Rule("<", 0),
    ),
    _claim(
        "interference",
        "P3: superposition gives attacks more through interference (log r_full − log r_own at dose 3 less "
        "that at 1)",
        DOSES,
        partial(change, column="interference"),
        Rule("<", 0),
    ),
    _claim(
        "route",
        "P3: interference is the main route (share of P2 that is in log r_full − log r_own)",
        DOSES,
        partial(share, column="interference", of="log_r_full"),
        Rule(">", 0.5),
    ),
    _claim(
        "width",
        "P4: width alone does not (a third of the features at m = n/3 and m = n, change of log r_full "
        "over P2's)",
        DOSES,
        partial(width, column="log_r_full"),
        Rule("<", 0.5),
    ),
    _claim(
        "noise",
        "P5: superposition gives attacks more through interference than noise (the change of P3 less noise's)",
        DOSES,
        partial(change, column="interference", less="noise_interference"),
        Rule("<", 0),
    ),
    _claim(
        "slope",
        "P10: the interference term falls with slope −½ (r_full / r_own per doubling of the dose)",
        DOSES,
        partial(per_doubling, column="interference"),
        Rule("<", 1),
        reported=Reported("0.71 (a tight frame)", 2**-0.5),
    ),
    _claim(
        "crossover",
        "P6: features of higher dose flip more easily within a network (slope of log r_full on log dose)",
        CROSSED,
        partial(slope, column="log_r_full"),
        Rule("<", 0),
    ),
    _claim(
        "crossover-interference",
        "P6: and through interference (slope of log r_full − log r_own on log dose)",
        CROSSED,
        partial(slope, column="interference"),
        Rule("<", 0),
    ),
    _claim(
        "hardened",
        "P7: adversarial training raises the least change that flips (log r_full over clean training's)",
        HARDENED,
        partial(mean, column="gain_full"),
        Rule(">", 0),
    ),
    _claim(
        "hardened-route",
        "P7: at least half of it through interference (share of the gain in log r_full − log r_own)",
        HARDENED,
        partial(share_of_gain, column="gain_interference", of="gain_full"),
        Rule(">", 0.5),
    ),
    _claim(
        "transfer",
        "P8: attacks on other cells transfer between seeds more than noise does (share less share)",
        PASSED_ON,
        partial(mean, column="over_noise"),
        Rule(">", 0),
    ),
    # The control was named before there were data; that it goes by feature and which doses count was
    # decided when it was seen that no dose but 1 is within two points of accuracy as a whole.
    _claim(
        "equal-robustness",
        "P2 among features that lose at most two points of accuracy (log r_full less that at dose 1)",
        EQUAL,
        partial(mean, column="equal_full"),
        Rule("<", 0),
    ),
    _claim(
        "equal-interference",
        "P3 among features that lose at most two points of accuracy (log r_full − log r_own less that at "
        "dose 1)",
        EQUAL,
        partial(mean, column="equal_interference"),
        Rule("<", 0),
    ),
    # Decided before networks of an experiment had a bottleneck mounted on them.
    _claim(
        "mounted",
        "P11: on a trunk that was trained for something else the interference term falls, too (log r_full − "
        "log r_own at dose 3 less that at 1, mean over networks)",
        MOUNTED,
        partial(change, column="interference", family=None),
        Rule("<", 0),
    ),
    _claim(
        "mounted-sensitivity",
        "P12: a robust trunk raises the least change of the own cell (log r_own over the clean network's)",
        ROBUST,
        partial(mean, column="gain_own"),
        Rule(">", 0),
    ),
    _claim(
        "mounted-interference",
        "P13: and leaves attacks less interference (log r_full − log r_own over the clean network's)",
        ROBUST,
        partial(mean, column="gain_interference"),
        Rule(">", 0),
    ),
    # A proxy is valid where both hold.
    _claim(
        "proxy-orders",
        "P9: a proxy orders the doses at fixed dimensions (Spearman in each seed)",
        PROXIES,
        proxy_orders,
        Rule(">=", 0.9),
    ),
    _claim(
        "proxy-follows",
        "P9: and moves less than half as much under density, width or scale (over its move under the dose)",
        PROXIES,
        proxy_follows,
        Rule("<", 0.5),
    ),
)
