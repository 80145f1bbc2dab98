"""Findings in words: made of the table claims, every case told once."""

import pandas as pd

from interference.analysis.claims import CLAIMS
from interference.analysis.findings import findings
from tests.support import REPO


def row(layer, sae_type, verdict, measured, key="l0-rises", against="", source="a paper"):
    claim = {"l0-rises": "L0 rises (ratio)", "check": "check: pgd is strong"}.get(key, key)
    return {
        "key": key, "claim": claim, "layer": layer, "type": sae_type, "against": against,
        "source": source, "verdict": verdict, "measured": measured,
    }  # fmt: skip


def test_a_claim_that_holds_everywhere_is_a_sentence():
    rows = [row(layer, "topk", "reproduced", 1.25) for layer in ("layer1", "stem")]
    assert (
        findings(pd.DataFrame(rows)) == "- **L0 rises (ratio)**: Reproduced at every layer (1.25)."
    )


def test_layers_come_in_the_networks_order_and_types_where_they_differ():
    rows = [
        row("layer1", "relu_l1", "reproduced", 1.5),
        row("layer1", "topk", "reproduced", 1.25),
        row("stem", "topk", "reproduced", 1.1),
        row("stem", "relu_l1", "undecided", 1.0),
        row("layer4", "topk", "not reproduced", 0.9),
    ]
    assert findings(pd.DataFrame(rows)) == (
        "- **L0 rises (ratio)**: Reproduced at layer1 and stem (TopK) (1.10 to 1.50); "
        "not reproduced at layer4 (0.90); undecided at stem (ReLU-L1) (1.00)."
    )


def test_each_control_has_its_clause_and_several_cases_of_a_type_are_counted():
    rows = [
        row("stem", "topk", "fails here", 0.9, against="noise"),
        row("stem", "topk", "holds here", 1.2, against="shuffled"),
        row("stem", "topk", "undecided", 1.1, against="shuffled"),
    ]
    assert findings(pd.DataFrame(rows)) == (
        "- **L0 rises (ratio)**: Over noise: fails here at every layer (0.90). Over shuffled: holds here at "
        "stem (TopK in 1 of 2) (1.20); undecided at stem (TopK in 1 of 2) (1.10)."
    )


def test_checks_are_one_sentence_that_names_those_that_fail():
    checks = [
        row("", "", verdict, 0.0, key="check", source="masking check")
        for verdict in ("reproduced", "not reproduced")
    ]
    said = "- **Checks of attacks**: {} of {} hold"
    assert findings(pd.DataFrame(checks[:1])) == said.format(1, 1) + "."
    assert findings(pd.DataFrame(checks)) == said.format(1, 2) + "; not: pgd is strong."


def test_every_claim_has_a_name_of_its_own():
    keys = [claim.key for claim in CLAIMS]
    assert len(keys) == len(set(keys))


def test_toy_models_alone_have_findings_about_their_checks_alone():
    claims = pd.read_csv(REPO / "workflow/published/toy-full/claims.csv", keep_default_na=False)
    (said,) = findings(claims).splitlines()
    assert said.startswith("- **Checks of attacks**: 3 of 3 hold")
