"""What a run cost: by step, beside its plan, where it was measured."""

import json
import re
import shutil

import pytest

from interference.config.load import KEPT
from interference.plan.benchmarks import benchmarks
from interference.provenance import InterferenceError
from interference.report import cost, provenance
from tests.support import REPO
from tests.support.checkout import TINY

HEAD = "s\th:m:s\tmax_rss\tcpu_time\n"


@pytest.fixture
def results(tmp_path):
    """Results of which two jobs of fits and one of tables were measured, and a config."""
    folder = tmp_path / "tiny"
    for name, seconds in {
        "saes/fit/clean-s0/stem/topk": 3000,
        "saes/fit/l2-1-s0/stem/topk": 1.5,
        "analysis/tables/toy": 0.5,
    }.items():
        path = folder / "benchmarks" / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{HEAD}{seconds}\t-\t1.0\t{seconds / 2}\n", encoding="utf-8")
    (folder / KEPT).parent.mkdir()
    shutil.copy(REPO / TINY, folder / KEPT)
    return folder


def test_seconds_add_up_by_step_and_in_all(results):
    found = cost.record(results)
    steps = {step["step"]: step for step in found["steps"]}
    fits, tables = steps["saes/fit"], steps["analysis/tables"]
    assert (fits["measured"], fits["jobs"]) == (2, 8)
    assert (fits["core"], fits["seconds"], fits["memory"]) == (1500.8, 3001.5, 2**20)
    assert tables["core"] == 0.2
    assert steps["toy/train"]["measured"] == steps["toy/train"]["core"] == 0
    assert (found["measured"], found["core"]) == (3, 1501.0)
    assert json.loads(cost.as_json(found)) == found


def test_cost_is_printed_at_80_columns_with_what_was_not_measured(results, capsys):
    cost.cost(results)
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    assert "tiny took 1,501 core seconds in 3 of" in said
    assert re.search(r"saes/fit +2 of 8 +1,500\.8 .* 3,001\.5 +1\.05 MB", said)


def test_a_run_that_was_not_measured_has_no_cost_and_its_record_says_so(results):
    shutil.rmtree(results / "benchmarks")
    with pytest.raises(InterferenceError, match=r"holds no benchmarks: a run writes them"):
        cost.cost(results)
    readable = cost.as_markdown(cost.record(results))
    assert "What tiny took was not measured. Its plan expects" in readable


def test_versions_and_machine_are_this_ones_and_have_no_name_of_it():
    import platform

    import numpy
    import torch

    found = provenance.versions()
    assert found["python"] == platform.python_version()
    assert found["numpy"] == numpy.__version__
    assert torch.__version__.startswith(found["torch"])
    machine = provenance.machine()
    assert {"processor", "cores", "memory", "operating system"} <= machine.keys()
    assert provenance.machine() == machine
    assert platform.node() not in " ".join(machine.values()).split()


def test_the_commit_is_the_clones_or_unknown(monkeypatch, tmp_path):
    if (REPO / ".git").exists():
        assert re.fullmatch(r"at commit [0-9a-f]{12,}(-dirty)?", provenance.commit())
    monkeypatch.setattr(provenance, "CLONE", tmp_path)
    assert provenance.commit() == ""
    (tmp_path / ".git").mkdir()  # which is no repository
    assert provenance.commit() == ""


@pytest.mark.workflow
@pytest.mark.xdist_group("workflow")
def test_every_job_of_a_run_is_measured_under_a_step_of_its_plan(completed):
    found = cost.record(completed.results)
    assert all(step["measured"] >= step["jobs"] for step in found["steps"]), found["steps"]
    measured = [*benchmarks(completed.results)]
    assert {step for step, _ in measured} == {step["step"] for step in found["steps"]}
    assert found["core"] == pytest.approx(sum(job.core for _, job in measured), abs=2)
