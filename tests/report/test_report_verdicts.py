"""Headlines and verdicts on planted claims, and the figures and commands that they name."""

import shlex

import pandas as pd
import pytest

from interference.report.finished import judged
from interference.report.headlines import MOST, QUESTIONS, headlines
from interference.report.verdicts import ARMS, command, static, verdicts
from tests.support import REPO, rivalry
from tests.support.pages import PUBLISHED, charts_of, page_of, spec_of, tables_of
from tests.support.published import quotes_of, unclaimed


def planted(*rows: tuple[str, str, str, str]) -> pd.DataFrame:
    """Claims of which each row has a key, a scope, an SAE type and a verdict."""
    return pd.DataFrame(
        [
            {
                "key": key, "claim": f"the claim {key}", "scope": scope, "layer": "", "type": kind,
                "against": "", "about": "networks", "source": "a paper", "reported": "1",
                "measured": 0.5, "low": 0.25, "high": 0.75, "interval": "95%", "bound": "> 0",
                "of_reported": 1.0, "verdict": verdict, "why": "",
            }
            for key, scope, kind, verdict in rows
        ]
    )  # fmt: skip


def answered(*said: str, key: str = "toy-rise") -> str:
    """The answer to a claim with these verdicts, each of another subject."""
    (headline,) = headlines(planted(*((key, f"subject {i}", "", v) for i, v in enumerate(said))))
    return headline.answer


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (["reproduced"], "Yes"),
        (["not reproduced"], "No"),
        (["undecided"], "Undecided"),
        (["reproduced", "reproduced"], "Yes for both attacks"),
        (["not reproduced"] * 3, "No for all 3 attacks"),
        (["holds here"], "Yes, in these networks"),
        (["reproduced", "undecided"], "Yes in 1, undecided in 1 of 2 attacks"),
        (["not reproduced", "reproduced", "reproduced"], "Yes in 2, no in 1 of 3 attacks"),
        (["no effect"], "No"),
        (["no effect here", "not tested"], "No, in these networks"),
        (["fails here", "undecided"], "No in 1, undecided in 1 of 2 attacks, in these networks"),
    ],
)
def test_an_answer_follows_from_the_verdicts(said, answer):
    assert answered(*said) == answer


@pytest.mark.parametrize(
    ("pair", "answer"),
    [
        (("reproduced", "reproduced"), "Yes"),
        (("reproduced", "undecided"), "Undecided"),
        (("reproduced", "not reproduced"), "No"),
        (("undecided", "not reproduced"), "No"),
    ],
)
def test_of_one_subject_all_claims_must_hold(pair, answer):
    keys = ("canvas-robustness", "canvas-route")
    claims = planted(*((key, "canvases, dense", "", said) for key, said in zip(keys, pair)))
    (headline,) = headlines(claims)
    assert headline.answer == answer
    assert len(headline.evidence) == 2


def test_attacks_are_held_against_every_control_of_a_layer_and_type():
    claims = planted(
        ("l0-over-control", "resnet18 layer1, topk 8, pgd 1 against noise, clean network", "topk", "reproduced"),
        ("l0-over-control", "resnet18 layer1, topk 8, pgd 1 against low, clean network", "topk", "not reproduced"),
        ("l0-over-control", "resnet18 layer2, topk 8, pgd 1 against noise, clean network", "topk", "reproduced"),
    )  # fmt: skip
    (headline,) = headlines(claims)
    assert headline.answer == "Yes in 1, no in 1 of 2 layers and SAE types"


def test_geometry_foretells_attacks_where_it_says_more_than_away_from_the_own_class():
    scopes = [f"10 classes in {m} dimensions, class vectors forced, trained at 0" for m in (2, 3)]
    said = {"rivals-bottleneck-direction": ["reproduced"] * 2,
            "rivals-bottleneck-direction-class": ["reproduced", "no effect"]}  # fmt: skip
    claims = planted(*((key, scope, "", verdict) for key, verdicts_of in said.items()
                       for scope, verdict in zip(scopes, verdicts_of)))  # fmt: skip
    (headline,) = headlines(claims)
    assert headline.answer == "Yes in 1, no in 1 of 2 kinds of classifiers"


def test_rivals_that_are_planted_are_said_to_be_right():
    told = {h.question.keys[0]: h.answer for h in headlines(rivalry.tables()["claims"])}
    assert told == {
        "rivals-bottleneck-direction": "Yes for all 12 kinds of classifiers",
        "rivals-features-abundance": "Yes",
        "rivals-bottleneck-transfer": "Yes for all 12 kinds of classifiers",
        "rivals-interpretability-selectivity-sparsity": "Yes for both cases",
        "rivals-overlap-matched-alike": "Yes for both kinds of pairs",
        "rivals-relearning-random": "Yes for all 3 attacked networks",
    }


def test_known_measures_are_no_proxies():
    scopes = (
        "canvases, dense, linear decoder, fvu",
        "canvases, dense, linear decoder, squared_cosines",
    )
    claims = planted(
        ("canvas-proxy-orders", scopes[0], "", "not reproduced"),
        ("canvas-proxy-orders", scopes[1], "", "reproduced"),
    )
    (headline,) = headlines(claims)
    assert headline.answer == "No"


def test_of_all_arms_no_more_are_told_than_a_reader_takes_in():
    claims = planted(*((key, "a subject", "", "reproduced") for q in QUESTIONS for key in q.keys))
    told = headlines(claims)
    assert len(told) == MOST
    assert {headline.question.arm for headline in told} == {*ARMS}
    order = [QUESTIONS.index(headline.question) for headline in told]
    assert order == sorted(order)


@pytest.mark.parametrize("experiment", PUBLISHED)
def test_an_arm_alone_has_three_headlines_at_least(experiment):
    assert 3 <= len(headlines(tables_of(experiment)["claims"])) <= MOST


def test_every_key_that_a_question_names_is_a_claims():
    from interference.analysis.claims import CLAIMS

    keys = {claim.key for claim in CLAIMS}
    assert {key for question in QUESTIONS for key in question.keys} <= keys


def test_the_readme_asks_and_answers_as_published_runs_do():
    text = (REPO / "README.md").read_text(encoding="utf-8")
    section = text.partition("\n## What came out\n")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if "? | " in line]
    claims = {experiment: tables_of(experiment)["claims"] for experiment in PUBLISHED}
    answers = [(h.question.text, h.answer) for own in claims.values() for h in headlines(own)]
    assert len(rows) >= 16
    assert {(question, answer) for question, answer, _ in rows} <= set(answers)
    quotes = quotes_of(section)
    assert len(quotes) >= 16
    assert unclaimed(quotes, pd.concat(claims.values())) == []


@pytest.mark.parametrize("experiment", PUBLISHED)
def test_every_claim_has_a_chart_of_the_page_and_a_figure_that_the_experiment_draws(experiment):
    figures = spec_of(experiment)["figures"]
    planned = {path for paths in figures.values() for path in paths}
    drawn = charts_of(page_of(experiment))
    for verdict in verdicts(judged(tables_of(experiment)["claims"]), figures):
        assert verdict.figure in planned, verdict.key
        assert verdict.chart in drawn, verdict.key


def test_a_figure_is_that_of_the_claims_sae_type_and_of_a_clean_network():
    claims = planted(("fvu-falls", "resnet50 layer1, relu_l1, l2", "relu_l1", "reproduced"))
    paths = [
        f"figures/{a}/matched/{t}" for a in ("resnet18", "resnet50") for t in ("topk", "relu_l1")
    ]
    assert static(paths, claims) == "figures/resnet50/matched/relu_l1"
    assert static(["figures/l0/l2-1-s0", "figures/l0/clean-s0"], claims) == "figures/l0/clean-s0"
    assert static([], claims) == ""


def test_a_command_is_one_line_for_a_shell():
    line = command("mine", "analysis/figures/toy.svg", "results/mine/report/config.yaml")
    assert shlex.split(line)[-2:] == ["--", "results/mine/analysis/figures/toy.svg"]
    assert "\n" not in line
