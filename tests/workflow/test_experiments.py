"""The experiments under workflow/experiments: each can be planned; those that ship, by hand."""

from collections import Counter

import pytest
import yaml

from interference.config.load import read_config
from interference.plan.jobs import rules
from tests.support import REPO
from tests.support.checkout import Checkout
from tests.support.tables import DRAWN, LEFT_OUT, OF_NETWORKS

FOLDER = "workflow/experiments"
#: One's own experiments may lie here too.
FILES = sorted(path.stem for path in (REPO / FOLDER).glob("*.yaml"))
TOY = {
    "train": 1,
    "vulnerability": 1,
    "geometry": 1,
    "toy_table": 1,
    "claims_table": 1,
    "page": 1,
    "toy_figure": 1,
    "toy_attacks_figure": 1,
    "toy_controls_figure": 1,
    "toy_elhage_figure": 1,
    "toy_geometry_figure": 1,
    "toy_interference_figure": 1,
    "toy_densities_figure": 1,
}
#: Tables, figures and pages that there is one of, where there are networks of one architecture.
ONCE = (
    {f"{name}_table": 1 for name in (*OF_NETWORKS, "claims") if name not in LEFT_OUT}
    | {f"{name}_figure": 1 for name in DRAWN if name not in LEFT_OUT}
    | {"page": 1}
)
#: 15 networks at 5 layers, 2 SAE types, 14 attacks and controls.
PAPER = ONCE | {
    "images": 1,
    "convert": 15,
    "predict": 15,
    "craft": 15 * 14,
    "extract": 15 * 5,
    "fit": 15 * 5 * 2,
    "baselines": 15 * 5,
    "measure": 15 * 5,
    "intervene": 15 * 5,
    "defend": 15,
    "gallery": 15,
    "gates_table": 1,
    "fvu_figure": 5,
    "matched_figure": 2,
    "fair_figure": 2,
    "l0_figure": 15,
    "gallery_figure": 15,
}
#: 34 networks of 9 architectures at 3 layers, 2 SAE types, 12 attacks and controls.
ROBUST_ZOO = ONCE | {
    "images": 1,
    "convert": 34,
    "predict": 34,
    "craft": 34 * 12,
    "extract": 34 * 3,
    "fit": 34 * 3 * 2,
    "baselines": 34 * 3,
    "measure": 34 * 3,
    "intervene": 34 * 3,
    "defend": 34,
    "gallery": 34,
    "gates_table": 1,
    "accuracy_figure": 9,
    "baselines_figure": 9,
    "splice_figure": 9,
    "interventions_figure": 9,
    "defences_figure": 9,
    "fvu_figure": 9 * 3,
    "matched_figure": 9 * 2,
    "fair_figure": 9 * 2,
    "l0_figure": 34,
    "gallery_figure": 34,
}
#: Three seeds of a clean network and six robust ones at 5 layers, 2 SAE types, 15 attacks and controls.
CIFAR10 = ONCE | {
    "images": 1,
    "trunk": 3,
    "finetune": 21,
    "predict": 21,
    "craft": 21 * 15,
    "extract": 21 * 5,
    "fit": 21 * 5 * 2,
    "baselines": 21 * 5,
    "measure": 21 * 5,
    "intervene": 21 * 5,
    "defend": 21,
    "gallery": 21,
    "fvu_figure": 5,
    "matched_figure": 2,
    "fair_figure": 2,
    "l0_figure": 21,
    "gallery_figure": 21,
}
#: Three seeds of a clean network and five robust ones, 3 SAE types.
FASHION = ONCE | {
    "images": 1,
    "trunk": 3,
    "finetune": 18,
    "predict": 18,
    "least": 18,
    "structure": 18,
    "exchange": 1,
    **{f"{name}_{kind}": 1 for name in LEFT_OUT for kind in ("table", "figure")},
    "craft": 18 * 15,
    "extract": 18 * 5,
    "fit": 18 * 5 * 3,
    "baselines": 18 * 5,
    "measure": 18 * 5,
    "intervene": 18 * 5,
    "defend": 18,
    "gallery": 18,
    "fvu_figure": 5,
    "matched_figure": 3,
    "fair_figure": 3,
    "l0_figure": 18,
    "gallery_figure": 18,
    "learn": 3,
    "flip": 3,
    "mount": 18,
    "dose_table": 1,
    "mounted_table": 1,
    "canvas_dose_figure": 1,
    "canvas_graphs_figure": 1,
    "canvas_mounted_figure": 1,
}
#: Two regimes, six seeds; seven families, and correlated features for transfer.
CANVAS = {
    "images": 1,
    "learn": 2 * 6 * 9,
    "flip": 2 * 6 * 8,
    "transfer": 2,
    "calibrate": 2 * 6,
    "dose_table": 1,
    "crossover_table": 1,
    "adversarial_table": 1,
    "transfer_table": 1,
    "proxies_table": 1,
    "claims_table": 1,
    "page": 1,
    "canvas_dose_figure": 1,
    "canvas_graphs_figure": 1,
    "canvas_crossover_figure": 1,
    "canvas_ladder_figure": 1,
    "canvas_transfer_figure": 1,
    "canvas_ruler_figure": 1,
}
#: Six seeds.
RIVALS = {
    "page": 1,
    "images": 1,
    "classify": 6,
    "aim": 1,
    "count": 6,
    "overlap": 1,
    "relearn": 6,
    "bottlenecks_table": 1,
    "abundance_table": 1,
    "interpretability_table": 1,
    "relearning_table": 1,
    "overlap_table": 1,
    "claims_table": 1,
    "bottlenecks_figure": 1,
    "abundance_figure": 1,
    "interpretability_figure": 1,
    "relearning_figure": 1,
    "overlap_figure": 1,
}
#: experiment that ships → jobs a rule
JOBS = {
    "canvas": CANVAS,
    "rivals": RIVALS,
    "toy-full": TOY,
    "toy-preprint": TOY,
    "toy-elhage": TOY,
    "paper": PAPER,
    "robust-zoo": ROBUST_ZOO,
    "cifar10": CIFAR10,
    "fashion": FASHION,
}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Checkout:
    return Checkout.copy(tmp_path_factory.mktemp("experiments"))


def test_the_experiments_that_ship_are_there():
    assert JOBS.keys() <= set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_an_experiment_can_be_planned_and_one_that_ships_has_these_jobs_under_its_name(
    name, checkout
):
    path = f"{FOLDER}/{name}.yaml"
    jobs = checkout.plan(config=path).jobs
    assert "claims_table" in jobs
    if name not in JOBS:
        return
    assert yaml.safe_load((REPO / path).read_text())["experiment"] == name
    assert Counter(job.split("/")[0] for job in jobs) == JOBS[name]
    planned = {rule.name: rule.jobs for rule in rules(read_config(REPO / path))}
    assert planned == JOBS[name]


def test_without_imagenet_the_preprints_run_is_planned_and_says_what_is_missing(checkout):
    done = checkout.snakemake("--dry-run", "--quiet", config=f"{FOLDER}/paper.yaml")
    assert done.returncode == 0, done.stdout
    assert "missing here: data.root, /data/imagenet: no folder with image-folder" in done.stdout


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
