"""The experiments under workflow/experiments: each can be planned; those that ship, by hand."""

from collections import Counter

import pytest
import yaml
from checkout import REPO, Checkout

FOLDER = "workflow/experiments"
#: One's own experiments may lie here too.
FILES = sorted((REPO / FOLDER).glob("*.yaml"))
TOY = {
    "toy_models": 1,
    "toy_vulnerability": 1,
    "toy_geometry": 1,
    "toy_table": 1,
    "claims_table": 1,
    "toy_figure": 1,
    "toy_attacks_figure": 1,
    "toy_controls_figure": 1,
    "toy_elhage_figure": 1,
    "toy_geometry_figure": 1,
    "toy_interference_figure": 1,
    "toy_densities_figure": 1,
}
#: experiment that ships → jobs a rule
JOBS = {"toy-full": TOY, "toy-preprint": TOY, "toy-elhage": TOY}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Checkout:
    return Checkout.copy(tmp_path_factory.mktemp("experiments"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_experiment_can_be_planned(path, checkout):
    assert "claims_table" in checkout.plan(config=str(path.relative_to(REPO))).jobs


@pytest.mark.parametrize("name", JOBS)
def test_an_experiment_that_ships_plans_these_jobs_under_its_name(name, checkout):
    path = f"{FOLDER}/{name}.yaml"
    assert yaml.safe_load((REPO / path).read_text())["experiment"] == name
    jobs = checkout.plan(config=path).jobs
    assert Counter(job.split("/")[0] for job in jobs) == JOBS[name]


def flat(section: dict, prefix: str = "") -> dict[str, object]:
    """Leaf values by dotted key."""
    leaves = {}
    for name, value in section.items():
        inner = flat(value, f"{name}.") if isinstance(value, dict) else {name: value}
        leaves |= {prefix + key: leaf for key, leaf in inner.items()}
    return leaves


def differences(name: str, other: str) -> dict[str, object]:
    """What the toy section of ``name`` says otherwise than ``other``; both have the same keys."""
    mine, its = (flat(yaml.safe_load((REPO / p).read_text())["toy"]) for p in (name, other))
    assert mine.keys() == its.keys()
    return {key: value for key, value in mine.items() if value != its[key]}


FULL = f"{FOLDER}/toy-full.yaml"


@pytest.mark.parametrize(
    ("name", "other", "expected"),
    [
        (
            "toy-full",
            "config.yaml",
            {
                "densities.count": 30,
                "seeds": [0, 1, 2, 3, 4],
                "steps": 20_000,
                "batch_size": 256,
                "learning_rate": 0.001,
                "evaluation.samples": 1024,
                "evaluation.pgd.starts": 3,
            },
        ),
        ("toy-preprint", FULL, {"steps": 150_000}),
        (
            "toy-elhage",
            FULL,
            {
                "densities.min": 0.02,
                "densities.count": 25,
                "seeds": [0, 1, 2],
                "steps": 10_000,
                "batch_size": 1024,
            },
        ),
    ],
)
def test_experiments_on_toy_models_differ_in_these_keys_alone(name, other, expected):
    assert differences(f"{FOLDER}/{name}.yaml", other) == expected
