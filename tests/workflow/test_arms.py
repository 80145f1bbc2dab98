"""Experiments with toy models alone or networks alone: lint, the report's page, a whole run."""

import re
from types import SimpleNamespace

import jinja2
import pytest
import yaml

from tests.support import REPO
from tests.support.checkout import NETWORK_SECTIONS, TINY, Checkout, without

#: arm → sections of the other
OTHER = {"toy": NETWORK_SECTIONS, "networks": ("toy",)}


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
    toy, networks = page(alone("toy")), page(alone("networks"))
    both = page(yaml.safe_load((REPO / TINY).read_text()))
    assert "*toy-alone*: toy models of superposition.\n" in toy
    assert "claim of the papers on toy models beside" in toy
    assert not any(word in toy for word in ("network", "SAE", "epsilon", "resnet18"))
    assert "*networks-alone*: resnet18 networks trained" in networks
    assert "claim of the papers on networks beside" in networks
    assert "toy" not in networks
    assert "*tiny*: toy models of superposition, and resnet18 networks trained" in both
    assert "claim of the papers on toy models and networks beside" in both
    for text in (networks, both):
        assert "Results on networks are an association" in text


TOY_FIGURES = ("toy", *(f"toy_{name}" for name in (
    "attacks", "controls", "elhage", "geometry", "interference", "densities")))  # fmt: skip
#: All that a run of toy models alone makes, logs and benchmarks left out.
MADE = {
    "toy/models.json",
    "toy/models.safetensors",
    "toy/vulnerability.parquet",
    "toy/geometry.parquet",
    "toy/geometry.example.parquet",
    *(f"analysis/tables/{name}.{kind}" for name in ("toy", "claims") for kind in ("parquet", "csv")),
    *(f"analysis/figures/{name}.{kind}" for name in TOY_FIGURES for kind in ("svg", "png")),
}  # fmt: skip


@pytest.mark.workflow
@pytest.mark.xdist_group("workflow")
def test_toy_models_alone_run_to_a_report_with_the_numbers_of_both_arms(tmp_path, completed):
    checkout = Checkout.copy(tmp_path)
    config = written(checkout, "toy")
    done = checkout.snakemake("--cores", "2", config=config)
    assert done.returncode == 0, done.stdout
    results = checkout.folder / "results" / "toy-alone"
    made = {str(path.relative_to(results)) for path in results.rglob("*") if path.is_file()}
    assert {name for name in made if not name.startswith(("logs/", "benchmarks/"))} == MADE
    assert checkout.plan(config=config).jobs == set()

    for name in MADE - {f"analysis/tables/claims.{kind}" for kind in ("parquet", "csv")}:
        assert (results / name).read_bytes() == (completed.results / name).read_bytes(), name
    head, *rows = (results / "analysis/tables/claims.csv").read_text().splitlines()
    of_both = (completed.results / "analysis/tables/claims.csv").read_text().splitlines()
    assert rows
    assert [head, *rows] == [of_both[0], *(row for row in of_both if "toy models" in row)]

    done = checkout.snakemake(
        "--cores", "1", "--report", "results/toy-alone/report.html", config=config
    )
    assert done.returncode == 0, done.stdout
    html = (results / "report.html").read_text()
    shown = {f"results/toy-alone/{name}" for name in MADE if name.endswith((".svg", ".csv"))}
    assert set(re.findall(r'"(results/[^"]+\.(?:svg|csv))": ', html)) == shown

    done = checkout.run("interference", "analysis", "conclude", "results/toy-alone")
    assert done.returncode == 0, done.stdout
    assert "interference" in done.stdout
    assert "L0" not in done.stdout
