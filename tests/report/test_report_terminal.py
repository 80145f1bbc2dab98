"""What a run says in a terminal: a dozen lines at its end, and every claim on demand."""

import re
import textwrap

import numpy as np
import pytest
from typer.testing import CliRunner

from interference.analysis.claims import CLAIMS
from interference.analysis.frames import write_frame
from interference.cli import main
from interference.provenance import InterferenceError
from interference.report.finished import CLAIMS as TABLE
from interference.report.finished import find, judged
from interference.report.headlines import headlines
from interference.report.show import select
from interference.report.verdicts import arm_of
from tests.support.pages import tables_of
from tests.support.tables import MOUNTED, OF_CANVASES, OF_RIVALS

#: An experiment → what its conclusions speak of.
ABOUT = {
    "toy-full": "toy models",
    "fashion": "robust networks",
    "canvas": "networks that see images",
    "rivals": "classifiers",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / "results"


def write(folder, name, change=lambda claims: claims):
    """Results of an experiment: its claims, changed."""
    claims = change(tables_of(name)["claims"])
    write_frame(claims, folder / name / TABLE, {})
    return claims


def said(*arguments):
    done = CliRunner().invoke(main.app, ["report", *map(str, arguments)])
    assert done.exit_code == 0, done
    return done.stdout


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.key)
def test_the_arm_of_a_claim_is_that_of_the_tables_that_it_is_read_from(claim):
    arms = {
        "toy": "toy",
        **dict.fromkeys((*OF_CANVASES, MOUNTED), "canvas"),
        **dict.fromkeys(OF_RIVALS, "rivals"),
    }
    assert {arms.get(kind.table, "networks") for kind in claim.subjects} == {arm_of(claim.key)}


@pytest.mark.parametrize("name", ABOUT)
def test_a_run_ends_in_a_dozen_lines_of_80_columns(name, folder):
    write(folder, name)
    lines = said("conclude").splitlines()
    assert len([line for line in lines if line]) <= 16
    assert max(map(len, lines)) <= 80
    assert ABOUT[name] in "\n".join(lines)


def test_a_run_ends_with_its_cost_where_that_was_measured(folder):
    write(folder, "toy-full")
    assert "core seconds" not in said("conclude")
    benchmark = folder / "toy-full/benchmarks/toy/train/models.tsv"
    benchmark.parent.mkdir(parents=True)
    benchmark.write_text("s\tmax_rss\tcpu_time\n1500\t1.0\t1234.5\n", encoding="utf-8")
    lines = said("conclude").splitlines()
    assert lines[-1].split(maxsplit=1) == [
        "cost",
        "1,234 core seconds: interference report cost results/toy-full",
    ]
    assert max(map(len, lines)) <= 80


def test_questions_that_come_first_are_answered_in_full_sentences(folder):
    claims = write(folder, "canvas")
    text = " ".join(said("conclude").split())
    answered = headlines(claims, 4)
    assert len(answered) == 4
    for headline in answered:
        assert f"- {headline.question.text} {headline.answer}." in text


def test_every_claim_is_shown_with_its_number_at_80_columns(folder):
    claims = write(folder, "canvas")
    text = said("show")
    assert max(map(len, text.splitlines())) <= 80
    shown = re.findall(r"^(\w[\w ]*?) +(-?[\d.]+) \[", text, re.MULTILINE)
    expected = [
        (row.verdict, f"{row.measured:.3f}")
        for row in judged(claims).itertuples()
        if not np.isnan(row.low)
    ]
    assert sorted(shown) == sorted(expected)
    assert text.count("not tested") == len(claims) - len(judged(claims)) + 1


def test_claims_are_chosen_by_verdict_and_arm(folder):
    claims = write(folder, "canvas")
    text = said("show", "--verdict", "undecided", "--arm", "canvas")
    assert text.count("undecided  ") == (claims["verdict"] == "undecided").sum() > 0
    assert "reproduced" not in text
    with pytest.raises(InterferenceError, match=r"no claim has --arm toy; there are .*of canvas"):
        select(judged(claims), arms=["toy"])


def test_letters_of_a_name_are_text(folder):
    strange = "<script> [bold]=1+1 :smile: 'ε'"
    write(folder, "toy-full", lambda claims: claims.assign(scope=strange))
    assert strange in textwrap.dedent(said("show"))


def test_the_only_run_here_is_meant_where_none_is_named(folder):
    with pytest.raises(InterferenceError, match="none is here yet"):
        find(None)
    write(folder, "canvas")
    assert find(None).name == "canvas"
    write(folder, "toy-full")
    with pytest.raises(InterferenceError, match=r"one of results/canvas, results/toy-full"):
        find(None)
    with pytest.raises(InterferenceError, match="results/other is not the results of a finished"):
        find(folder.relative_to(folder.parent) / "other")
