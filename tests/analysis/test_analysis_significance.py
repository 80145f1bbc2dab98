"""No effect, p-values and false discoveries: beside scipy's tests, brute force and planted nulls."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from interference.analysis.claims import CLAIMS
from interference.analysis.findings import CHECKS
from interference.analysis.significance import adjusted, p_of_interval, p_of_mean
from interference.analysis.statistics import student
from interference.analysis.tables import claims
from interference.analysis.verdicts import RATIO, Measured, Rule, verdict

CONFIDENCE = 0.95


def of_values(values):
    """A mean over seeds with Student's interval, as canvases have it."""
    low, high = student(values, CONFIDENCE)
    return Measured(
        float(values.mean()), low, high, "", "networks", p=lambda b: p_of_mean(b, values)
    )


@pytest.mark.parametrize("bound", [-1.0, 0.0, 0.3])
def test_the_p_of_a_mean_is_that_of_students_test(bound):
    values = np.random.default_rng(0).standard_normal(5)
    assert p_of_mean(bound, values) == pytest.approx(stats.ttest_1samp(values, bound).pvalue)


def test_equal_values_have_the_p_of_a_sign_test_and_one_has_none():
    assert p_of_mean(0, [1.0] * 6) == pytest.approx(stats.binomtest(6, 6).pvalue)
    assert p_of_mean(1, [1.0] * 6) == 1
    assert np.isnan(p_of_mean(0, [1.0]))


@pytest.mark.parametrize("n", [3, 6])
def test_the_p_of_students_interval_is_that_of_the_test_that_it_inverts(n):
    values = np.random.default_rng(n).standard_normal(n) + 1
    low, high = student(values, CONFIDENCE)
    ends = {"value": values.mean(), "low": low, "high": high, "confidence": CONFIDENCE}
    for bound in (-2.0, 0.0, 5.0):
        found = p_of_interval(bound, **ends, freedom=n - 1)
        assert found == pytest.approx(stats.ttest_1samp(values, bound).pvalue)
    ratio = {name: np.exp(end) for name, end in ends.items() if name != "confidence"}
    found = p_of_interval(1.0, **ratio, confidence=CONFIDENCE, freedom=n - 1, log=True)
    assert found == pytest.approx(stats.ttest_1samp(values, 0).pvalue)


def test_an_interval_over_images_alone_has_the_normals_p_on_the_side_of_the_bound():
    ends = {"value": 2.0, "low": 1.0, "high": 5.0, "confidence": CONFIDENCE, "freedom": np.inf}
    error = 1 / stats.norm.ppf(0.975)
    assert p_of_interval(0.5, **ends) == pytest.approx(2 * stats.norm.sf(1.5 / error))
    assert p_of_interval(1.0, **ends) == p_of_interval(5.0, **ends) == pytest.approx(0.05)
    assert p_of_interval(2.0, **ends) == 1


def test_an_interval_without_a_width_says_no_more_than_its_confidence():
    ends = {"value": 1.0, "low": 1.0, "high": 1.0, "confidence": CONFIDENCE, "freedom": np.inf}
    assert p_of_interval(0.0, **ends) == pytest.approx(0.05)


def test_a_rate_of_false_discoveries_is_the_least_that_benjamini_and_yekutieli_reject_at():
    p = np.random.default_rng(0).beta(0.4, 2, 30)
    rates, levels = adjusted(p), np.linspace(0.001, 0.99, 500)
    harmonic = (1 / np.arange(1, 31)).sum()
    for level in levels:
        allowed = np.arange(1, 31) * level / (30 * harmonic)
        passed = np.flatnonzero(np.sort(p) <= allowed)
        rejected = p <= np.sort(p)[passed[-1]] if len(passed) else np.zeros(30, bool)
        assert ((rates <= level) == rejected).all()


def test_what_is_no_test_has_no_rate_and_changes_none():
    alone, beside = adjusted([0.01, 0.03]), adjusted([0.01, np.nan, 0.03])
    assert np.isnan(beside[1])
    assert (beside[[0, 2]] == alone).all()
    assert len(adjusted([])) == 0


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.97, 1.02, "no effect"),
        (1.01, 1.04, "no effect"),  # above the bound, and too little to matter
        (0.96, 0.99, "no effect"),
        (0.97, 1.06, "undecided"),
        (0.94, 1.02, "undecided"),
        (1.01, 1.06, "reproduced"),
        (0.94, 0.99, "not reproduced"),
    ],
)
def test_no_effect_needs_the_whole_interval_between_the_smallest_effects_of_interest(
    low, high, said
):
    measured = Measured((low + high) / 2, low, high, "95%", "networks")
    assert verdict(measured, Rule(">", 1, RATIO))["verdict"] == said
    assert verdict(measured, Rule(">", 1))["verdict"] != "no effect"
    one = Measured((low + high) / 2, low, high, "95%", "this network")
    here = verdict(one, Rule(">", 1, RATIO))
    assert (here["verdict"] == "no effect here") == (said == "no effect")


@pytest.mark.parametrize("reported", [None, 2.0])
@pytest.mark.parametrize("equivalence", [None, RATIO])
def test_a_verdicts_p_is_below_what_the_confidence_leaves_exactly_where_it_is_decided(
    equivalence, reported
):
    rng, said = np.random.default_rng(0), []
    for _ in range(300):
        values = rng.normal(rng.uniform(0.8, 1.4), rng.choice([0.01, 0.1]), 4)
        row = verdict(of_values(values), Rule(">", 1, equivalence), reported)
        assert (row["p"] < 1 - CONFIDENCE) == (row["verdict"] != "undecided")
        said.append(row["verdict"])
    assert len(set(said)) == 3 + (equivalence is not None)


def test_checks_and_what_could_not_be_measured_have_no_p():
    values = np.array([1.0, 1.1])
    assert np.isnan(verdict(of_values(values), Rule(">=", 1))["p"])
    assert np.isnan(verdict(Measured(1.2, 1.1, 1.3, "", "networks", "too few"), Rule(">", 1))["p"])


def table_of(values):
    """Rows of the table claims about so many numbers, (claims, seeds) of which 0 is the bound."""
    rows = [verdict(of_values(row), Rule(">", 0)) for row in values]
    return claims.surviving(pd.DataFrame(rows), CONFIDENCE)


def test_where_nothing_is_true_a_table_has_a_survivor_in_one_of_twenty_at_most():
    """Claims share networks: half of each number is common, and some go against the others."""
    rng, survivors, decided = np.random.default_rng(0), 0, 0
    signs = rng.choice([-1, 1], (20, 1))
    for _ in range(200):
        table = table_of(signs * rng.standard_normal(4) + rng.standard_normal((20, 4)))
        survivors += (table["survives"] == "yes").any()
        decided += (table["verdict"] != "undecided").any()
    assert survivors / 200 <= 0.05
    assert decided / 200 > 0.2  # which is why there is a column survives


def test_a_planted_effect_survives_among_nulls():
    rng = np.random.default_rng(0)
    table = table_of(rng.standard_normal((20, 6)) + 20 * (np.arange(20) < 5)[:, None])
    assert (table["survives"] == "yes")[:5].all()
    assert not (table["survives"] == "yes")[5:].any()
    assert (table.loc[table["verdict"] == "undecided", "survives"] == "").all()


def test_a_claim_that_no_table_is_about_says_what_it_takes_and_a_check_says_nothing():
    rows = claims.build({"confidence": CONFIDENCE})
    assert list(rows.columns) == claims.COLUMNS
    assert rows["key"].tolist() == [each.key for each in CLAIMS if each.source not in CHECKS]
    assert set(rows["verdict"]) == {"not tested"}
    assert rows["why"].str.startswith("it takes ").all()
    assert rows[[*claims.NUMBERS]].isna().all(axis=None)
    assert len(claims.untested({each.key for each in CLAIMS})) == 0
