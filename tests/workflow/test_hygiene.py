"""The workflow as its tools see it: lint, formats, the report, profiles, the pins."""

import json
import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest
import yaml

from interference.plan.catalogue import FIGURES, TABLES
from tests.support import REPO
from tests.support.checkout import TINY, Checkout, rule_blocks
from tests.support.tiny import JOBS

RULES = rule_blocks()
CATALOGUE = (*TABLES, *FIGURES)
#: The fields of a rule, in the order in which each rule has them; a first rule has no input.
FORM = ["input", "output", "log", "benchmark", "resources", "params", "shell"]


def checked(*command: str) -> None:
    """Run a tool on the checkout, which it must not change, and see that it finds nothing."""
    tool = str(Path(sys.executable).parent / command[0])
    done = subprocess.run([tool, *command[1:]], cwd=REPO, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("config", ["config.yaml", TINY])
def test_snakemake_lint_finds_nothing(config, tmp_path):
    done = Checkout.copy(tmp_path).snakemake("--lint", config=config)
    assert done.returncode == 0, done.stdout
    assert "perfectly fine" in done.stdout or "Lints for" not in done.stdout


def test_a_bare_snakemake_plans_the_default_experiment(tmp_path):
    done = Checkout.copy(tmp_path).run("snakemake", "--dry-run")
    assert done.returncode == 0, done.stdout
    assert "Job stats:" in done.stdout


def test_rules_are_formatted():
    checked("snakefmt", "--check", "Snakefile", "workflow/rules")


def test_ruff_finds_nothing():
    checked("ruff", "check", "--no-cache", "workflow", "tests")


def test_python_is_formatted():
    checked("ruff", "format", "--no-cache", "--check", "workflow", "tests")


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_has_every_field_in_the_same_order(rule):
    fields = re.findall(r"^    (\w+):", RULES[rule], re.MULTILINE)
    if rule == "images":  # the one job of several processes
        fields.remove("threads")
    if rule in {entry.rule for entry in CATALOGUE}:  # the rules of a loop say their name
        assert fields.pop(0) == "name"
    assert fields in (FORM, FORM[1:])


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_calls_one_verb_with_one_spec(rule):
    shell = RULES[rule].partition("    shell:\n")[2]
    assert len(re.findall(r"\binterference \w+ \w+", shell)) == 1
    assert "--spec {params.spec:q}" in shell
    assert "> {log} 2>&1" in shell


def test_every_figure_and_table_has_a_caption_of_its_own():
    there = {path.stem for path in (REPO / "workflow" / "report").glob("*.rst")} - {"workflow"}
    assert {entry.rule for entry in CATALOGUE} == there


def test_profiles_share_no_key():
    profiles = {
        path.parent.name: yaml.safe_load(path.read_text())
        for path in (REPO / "profiles").glob("*/config.yaml")
    }
    default = profiles.pop("default")
    for name, profile in profiles.items():
        assert default.keys() & profile.keys() == set(), name


@pytest.mark.parametrize("path", ["envs/requirements.txt", "tests/benchmarks/peers.txt"])
def test_pinned_requirements_name_versions_and_no_place(path):
    lines = (REPO / path).read_text().splitlines()
    pins = [line for line in lines if line.strip() and not line.strip().startswith("#")]
    for line in pins:
        assert re.match(
            r"^[A-Za-z0-9._-]+(\[[a-z,]+\])?==[^\s/:]+( ;.*)?$", line.split(" \\")[0]
        ), line
    assert not re.search(r"://|--(extra-)?index-url|--find-links|(^|\s)/\w", "\n".join(lines))


def test_the_peers_that_are_asked_for_are_pinned():
    asked, pinned = (
        (REPO / "tests" / "benchmarks" / f"peers.{kind}").read_text().splitlines()
        for kind in ("in", "txt")
    )
    asked = {line for line in asked if line and not line.startswith("#")}
    assert "sae-lens" in {line.partition("==")[0] for line in asked}
    assert asked <= set(pinned)


@pytest.mark.workflow
@pytest.mark.xdist_group("workflow")
def test_the_report_of_a_run_shows_every_figure_and_table_with_its_caption(completed):
    done = completed.snakemake("--cores", "1", "--report", "results/tiny/report/snakemake.html")
    assert done.returncode == 0, done.stdout
    html = (completed.results / "report" / "snakemake.html").read_text()
    rules = {entry.rule for entry in CATALOGUE}
    shown = [
        *completed.results.joinpath("analysis/figures").rglob("*.svg"),
        *completed.results.joinpath("analysis/tables").rglob("*.csv"),
    ]
    assert len(shown) == sum(job.partition("/")[0] in rules for job in JOBS)
    names = {path.stem for path in (REPO / "workflow" / "report").glob("*.rst")}
    for path in shown:
        name = f'"{path.relative_to(completed.folder)}": '
        assert html.count(name) >= 1, name
        entry, _ = json.JSONDecoder().raw_decode(html, html.index(name) + len(name))
        kind, *parts = path.relative_to(completed.results / "analysis").with_suffix("").parts
        (named,) = {f"{part}_{kind.removesuffix('s')}" for part in parts} & names
        caption = REPO / "workflow" / "report" / f"{named}.rst"
        plain = re.sub(r"{%.*%}", "", caption.read_text())
        longest = max(re.split(r"[{}*`\n]", plain), key=len).strip()
        assert len(longest) > 20
        assert longest in unescape(re.sub(r"<.*?>", "", entry["caption"])), name
        assert entry["labels"], name


def test_tests_of_a_group_run_in_one_worker(tmp_path):
    """What a group's tests share takes minutes: run once a worker, it is most of the suite's time."""
    (tmp_path / "test_group.py").write_text(
        "import os, pytest\n"
        "pytestmark = pytest.mark.xdist_group('one')\n"
        "@pytest.mark.parametrize('i', range(8))\n"
        "def test_it(i):\n"
        f"    open(f'{tmp_path}/{{os.getpid()}}.worker', 'w').close()\n"
    )
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadgroup", tmp_path]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    assert len([*tmp_path.glob("*.worker")]) == 1
