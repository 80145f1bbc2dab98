"""Experiments with toy models alone or networks alone: lint, the report's page, a whole run."""

import os
import re
import shutil
from types import SimpleNamespace

import jinja2
import pandas as pd
import pytest
import yaml

from interference.report.finished import judged
from interference.report.verdicts import arm_of
from tests.support import REPO
from tests.support.checkout import NETWORK_SECTIONS, NETWORKS_ONLY, TINY, Checkout, without

#: arm → sections of the others
OTHER = {
    "toy": (*NETWORK_SECTIONS, "canvas"),
    "networks": ("toy", "canvas"),
    "canvas": (*NETWORKS_ONLY, "toy"),
}


def alone(arm: str) -> dict:
    """The tiny experiment with one arm, under a name of its own."""
    values = yaml.safe_load((REPO / TINY).read_text())
    return without(values, OTHER[arm]) | {"experiment": f"{arm}-alone"}


def written(checkout: Checkout, arm: str) -> str:
    """The config of one arm, written into the copy."""
    (checkout.folder / f"{arm}.yaml").write_text(yaml.safe_dump(alone(arm), sort_keys=False))
    return f"{arm}.yaml"


@pytest.mark.parametrize("arm", OTHER)
def test_snakemake_lint_finds_nothing_in_one_arm(arm, tmp_path):
    checkout = Checkout.copy(tmp_path)
    done = checkout.snakemake("--lint", config=written(checkout, arm))
    assert done.returncode == 0, done.stdout
    assert "Lints for" not in done.stdout


def page(config: dict) -> str:
    """The report's page, as text."""
    template = jinja2.Template((REPO / "workflow/report/workflow.rst").read_text())
    return template.render(snakemake=SimpleNamespace(config=config))


def test_the_page_of_the_report_speaks_of_the_arms_that_are_there():
    toy, networks, canvas = (page(alone(arm)) for arm in OTHER)
    both = page(yaml.safe_load((REPO / TINY).read_text()))
    assert "*toy-alone*: toy models of superposition.\n" in toy
    assert "claim of the papers on toy models beside" in toy
    assert not any(word in toy for word in ("network", "SAE", "epsilon", "resnet18"))
    assert "*networks-alone*: resnet18 networks trained" in networks
    assert "claim of the papers on networks beside" in networks
    assert "toy" not in networks
    assert "*canvas-alone*: networks that read canvases" in canvas
    assert "claim of the papers on canvases beside" in canvas
    assert "*tiny*: toy models of superposition, and resnet18 networks trained" in both
    assert "clean and under attack, and networks that read canvases" in both
    assert "claim of the papers on toy models and networks and canvases beside" in both
    rivals = page(yaml.safe_load((REPO / "workflow/experiments/rivals.yaml").read_text()))
    assert "*rivals*: classifiers through a bottleneck, and MLPs" in rivals
    assert "claim of the papers on classifiers and MLPs beside" in rivals
    assert not any(word in rivals for word in ("network", "SAE", "canvas", "toy"))
    for text in (networks, both):
        assert "Results on networks are an association" in text


#: The table of an experiment's arms together, and its columns that hang on every row of it.
TOGETHER, OF_ALL = "analysis/tables/claims", ["false_discovery_rate", "survives"]


@pytest.fixture(params=OTHER)
def arm(request, after_a_run):
    """An arm, with what both made under the name of its own experiment."""
    results = after_a_run.folder / "results" / f"{request.param}-alone"
    shutil.copytree(after_a_run.results, results, copy_function=os.link)
    yield request.param
    shutil.rmtree(results)


@pytest.mark.workflow
@pytest.mark.xdist_group("workflow")
def test_an_arm_alone_ends_in_a_report_with_the_numbers_of_both(arm, after_a_run):
    """What the arm needs was made with the other one, and is no other without it."""
    results = after_a_run.folder / "results" / f"{arm}-alone"
    config = written(after_a_run, arm)
    planned = {path for paths in after_a_run.plan("--forceall", config=config).outputs.values()
              for path in paths}  # fmt: skip
    assert after_a_run.plan(config=config).jobs == {"claims_table", "page"}
    done = after_a_run.snakemake("--cores", "1", config=config)
    assert done.returncode == 0, done.stdout
    assert after_a_run.plan(config=config).jobs == set()

    by_itself, together = (
        judged(pd.read_parquet(folder / f"{TOGETHER}.parquet")).drop(columns=OF_ALL)
        for folder in (results, after_a_run.results)
    )
    assert len(by_itself)
    of_arm = together[together["key"].map(arm_of) == arm]
    pd.testing.assert_frame_equal(by_itself, of_arm.reset_index(drop=True))

    done = after_a_run.snakemake(
        "--cores", "1", "--report", f"results/{arm}-alone/report/snakemake.html", config=config
    )
    assert done.returncode == 0, done.stdout
    html = (results / "report" / "snakemake.html").read_text()
    shown = {path for path in planned if path.endswith((".svg", ".csv"))}
    assert set(re.findall(r'"(results/[^"]+\.(?:svg|csv))": ', html)) == shown

    done = after_a_run.run("interference", "report", "conclude", f"results/{arm}-alone")
    assert done.returncode == 0, done.stdout
    words = {
        "toy": "toy models",
        "canvas": "networks that see images",
        "networks": "robust networks",
    }
    assert {name for name, word in words.items() if word in " ".join(done.stdout.split())} == {arm}
