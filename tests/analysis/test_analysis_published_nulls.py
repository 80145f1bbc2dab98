"""The committed nulls: what is judged of networks of which what claims look for was taken out."""

import pandas as pd
import pytest

from interference.config.load import read_config
from tests.support import REPO
from tests.support.documented import columns_of
from tests.support.nulls import DEALT, claimed, judged
from tests.support.published import hold, quotes_of, read_claims, unclaimed

FOLDER = REPO / "workflow/published/nulls"
NULLS = pytest.mark.parametrize("name", ["toy", "canvas", "networks", "rivals"])
PAGE = (REPO / "docs/nulls.md").read_text(encoding="utf-8")


def test_every_claim_is_dealt_anew_in_one_test():
    keys = [key for pattern, _ in DEALT.values() for key in claimed(pattern)]
    assert sorted(keys) == sorted(claimed(".*"))


def test_every_null_that_is_there_is_held():
    (mark,) = [NULLS.mark]
    assert {path.parent.name for path in FOLDER.glob("*/claims.csv")} == set(mark.args[1])


@NULLS
def test_its_claims_are_those_that_the_code_makes_of_its_tables(name):
    hold(FOLDER / name, FOLDER / name / "config.yaml")


@NULLS
def test_its_tables_have_the_columns_that_are_named(name):
    for path in (FOLDER / name).glob("*.parquet"):
        if path.stem != "vulnerability":
            assert set(pd.read_parquet(path).columns) == columns_of(f"analysis/tables/{path.stem}")


@NULLS
def test_nothing_is_there_to_be_learned_of_labels_or_by_radius(name):
    config = read_config(FOLDER / name / "config.yaml")
    assert config.experiment == f"null-{name}"
    if name == "toy":
        densities = config.toy.densities
        assert densities.max / densities.min < 1.01
        assert config.toy.adversarial.relative_epsilon < 1e-5
    else:
        assert config.data.labels == "shuffled"


@NULLS
def test_the_page_counts_its_verdicts_and_says_whether_it_keeps_the_rule(name):
    verdicts = judged(read_claims(FOLDER / name))["verdict"]
    counts = [
        int((verdicts == kind).sum())
        for kind in ("reproduced", "not reproduced", "no effect", "undecided")
    ]
    kept = "yes" if counts[0] <= len(verdicts) / 20 else "no"
    assert sum(counts) == len(verdicts)
    assert f"| `{name}` | {' | '.join(map(str, [len(verdicts), *counts]))} | {kept} |" in PAGE


@NULLS
def test_the_page_names_every_claim_that_is_reproduced(name):
    section = PAGE.partition(f"\n## `{name}`\n")[2].partition("\n## ")[0]
    claims = judged(read_claims(FOLDER / name))
    keys = claims["key"][claims["verdict"] == "reproduced"].value_counts()
    named = "; ".join(f"`{key}` {count}" for key, count in sorted(keys.items()))
    assert f"*Reproduced* all the same: {named or 'nothing'}." in section


def test_the_null_of_the_rivals_reproduces_nothing_that_would_have_to_be_learned():
    claims = judged(read_claims(FOLDER / "rivals"))
    learned = ("rivals-bottleneck-profile", "rivals-training", "rivals-interpretability",
               "rivals-relearning", "rivals-overlap")  # fmt: skip
    about = claims[claims["key"].str.startswith(learned)]
    assert len(about) == 60
    assert "reproduced" not in set(about["verdict"])


def test_the_intervals_of_the_page_are_among_the_claims_of_nulls_and_runs():
    quotes = quotes_of(PAGE)
    assert len(quotes) >= 13
    runs = [FOLDER.parent / name for name in ("canvas", "fashion")]
    folders = [path.parent for path in FOLDER.glob("*/claims.csv")] + runs
    assert unclaimed(quotes, pd.concat([read_claims(folder) for folder in folders])) == []
