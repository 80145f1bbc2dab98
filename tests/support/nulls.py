"""Nulls of claims: measurements whose names were dealt anew, beside the retrained nulls of docs/nulls.md.

Every claim has 21: 20 deals, in a test beside its tables, and one retrained. At most one in twenty of
them may be *reproduced*.
"""

import re
from collections.abc import Sequence

import pandas as pd

from interference.analysis.claims import CLAIMS
from interference.analysis.findings import CHECKS
from tests.support.published import PUBLISHED, read_claims

DEALS, MOST = 20, 1 / 20

#: What is dealt in one test → the claims that it decides, and the arm whose retrained null counts.
DEALT = {
    "toys": ("toy-.*", "toy"),
    "trainings": ("fvu-.*|l0-rises|l0-over-control|interference-share", "networks"),
    "images": ("l0-trend-.*|l0-fallen|woken-.*|defence-.*", "networks"),
    "least": ("least-.*", "networks"),
    "structure": ("structure-.*", "networks"),
    "exchange": ("exchange-.*", "networks"),
    "mounted": ("canvas-mounted.*", "networks"),
    "canvases": ("canvas-(?!mounted).*", "canvas"),
    "rivals": ("rivals-(?!overlap).*", "rivals"),
    "overlap": ("rivals-overlap-.*", "rivals"),
}

#: What its arm's retrained null cannot test: of the images that its networks have right none stands.
NOT_RETRAINED = {"l0-fallen"}


def claimed(pattern: str) -> set[str]:
    """The keys of claims that a pattern of `DEALT` names, checks of attacks aside."""
    return {
        claim.key
        for claim in CLAIMS
        if claim.source not in CHECKS and re.fullmatch(pattern, claim.key)
    }


def judged(claims: pd.DataFrame) -> pd.DataFrame:
    """The claims that an experiment can test, checks of attacks aside."""
    return claims[(claims["verdict"] != "not tested") & ~claims["source"].isin(CHECKS)]


def hold(what: str, deals: Sequence[pd.DataFrame]) -> None:
    """Assert that each claim of `DEALT` is *reproduced* in at most one in twenty of its nulls.

    deals: DEALS tables of claims or more. A claim about several layers, SAE types or controls counts in
    each null by the share of them.
    """
    assert len(deals) >= DEALS
    pattern, arm = DEALT[what]
    shares = pd.DataFrame([
        (rows["verdict"] == "reproduced").groupby(rows["key"]).mean()
        for rows in map(judged, [*deals, read_claims(PUBLISHED / "nulls" / arm)])
    ])[sorted(claimed(pattern))]  # fmt: skip
    untested = set(shares.columns[shares.isna().any()])
    assert untested <= NOT_RETRAINED, untested
    rates = shares.mean()
    assert rates.max() <= MOST, rates[rates > MOST].to_dict()
