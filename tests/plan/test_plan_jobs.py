"""A plan: the jobs that the specs imply, rows, bytes, and what is missing here."""

import pytest
import yaml

from interference.config.load import check_config, read_config
from interference.plan.catalogue import FIGURES, TABLES
from interference.plan.jobs import describe, missing, rules
from interference.plan.specs import Specs
from interference.plan.steps import STEPS
from tests.support import REPO
from tests.support.tables import DRAWN, LEFT_OUT, OF_NETWORKS, OF_RIVALS

FILES = [
    REPO / "config.yaml",
    *sorted((REPO / "workflow" / "experiments").glob("*.yaml")),
    *sorted((REPO / "tests" / "experiments").glob("*.yaml")),
]
TINY = yaml.safe_load((REPO / "tests" / "experiments" / "tiny.yaml").read_text())

TOY_FIGURES = (
    "toy",
    "toy_attacks",
    "toy_controls",
    "toy_elhage",
    "toy_geometry",
    "toy_interference",
    "toy_densities",
)


def of_canvases(specs):
    canvas = specs.config.canvas
    at = [(regime, seed) for regime in canvas.regimes for seed in canvas.seeds]
    jobs = {
        "images": [specs.images()],
        "learn": [specs.learn(f, *a) for f in canvas.families for a in at],
        "flip": [specs.flip(f, *a) for f in canvas.families for a in at],
        "dose_table": [specs.table("dose")],
        "canvas_dose_figure": [specs.figure("canvas_dose")],
        "canvas_graphs_figure": [specs.figure("canvas_graphs")],
    }
    if "crossover" in canvas.families:
        jobs["crossover_table"] = [specs.table("crossover")]
        jobs["canvas_crossover_figure"] = [specs.figure("canvas_crossover")]
    if "ladder" in canvas.families:
        jobs["adversarial_table"] = [specs.table("adversarial")]
        jobs["canvas_ladder_figure"] = [specs.figure("canvas_ladder")]
    if canvas.transfer:
        jobs["learn"] += [specs.learn("correlated", *a) for a in at]
        jobs["transfer"] = [specs.transfer(regime) for regime in canvas.regimes]
        jobs["transfer_table"] = [specs.table("transfer")]
        jobs["canvas_transfer_figure"] = [specs.figure("canvas_transfer")]
    if canvas.ruler:
        jobs["calibrate"] = [specs.calibrate(*a) for a in at]
        jobs["proxies_table"] = [specs.table("proxies")]
        jobs["canvas_ruler_figure"] = [specs.figure("canvas_ruler")]
    if canvas.mount:
        jobs["mount"] = [specs.mount(m, regime) for m in specs.models for regime in canvas.regimes]
        jobs["mounted_table"] = [specs.table("mounted")]
        jobs["canvas_mounted_figure"] = [specs.figure("canvas_mounted")]
    return jobs


def of_rivals(specs):
    jobs = {
        "images": [specs.images()],
        "classify": [specs.classify(seed) for seed in specs.config.rivals.seeds],
        "aim": [specs.aim()],
        "count": [specs.count(seed) for seed in specs.config.rivals.seeds],
        "overlap": [specs.overlap()],
        "relearn": [specs.relearn(seed) for seed in specs.config.rivals.seeds],
    }
    for name in OF_RIVALS:
        jobs |= {f"{name}_table": [specs.table(name)], f"{name}_figure": [specs.figure(name)]}
    return jobs


def implied(specs):
    """Jobs a rule: one a distinct spec, which is what a rule's wildcards range over."""
    networks, toy = specs.config.models is not None, specs.config.toy is not None
    models, layers, types = list(specs.models), specs.layers, specs.sae_types
    at = [(m, layer) for m in models for layer in layers]
    jobs = {}
    if networks:
        jobs |= {
            "images": [specs.images()],
            "trunk": [specs.trunk(s) for s in specs.config.models.seeds if specs.trained]
            if specs.trained
            else [],
            "finetune": [specs.finetune(m) for m in specs.trained],
            "convert": [specs.convert(m) for m in specs.converted],
            "predict": [specs.predict(m) for m in models],
            "craft": [specs.craft(m, a) for m in models for a in specs.attacks],
            "least": [specs.least(m) for m in models if "least" in specs.has],
            "structure": [specs.structure(m) for m in models if "structure" in specs.has],
            "exchange": [specs.exchange()] if "exchange" in specs.has else [],
            "part": [specs.part(*a, part) for a in at for part in specs.parts],
            "extract": [specs.extract(*a) for a in at],
            "fit": [specs.fit(*a, t) for a in at for t in types],
            "baselines": [specs.baselines(*a) for a in at],
            "measure": [specs.measure(*a) for a in at],
            "intervene": [specs.intervene(*a) for a in at],
            "defend": [specs.defend(m) for m in models],
            "gallery": [specs.gallery(m) for m in models],
            "l0_figure": [specs.figure("l0", model=m) for m in models],
            "gallery_figure": [specs.figure("gallery", model=m) for m in models],
        }
        left_out = {*LEFT_OUT} - specs.has
        if "exchange" in specs.has:
            jobs["exchange_figure"] = [specs.figure("exchange")]
        for name in {*OF_NETWORKS} - left_out:
            jobs[f"{name}_table"] = [specs.table(name)]
        for architecture in specs.architectures:
            which = {"architecture": architecture}
            drawn = [("fvu", {"layer": layer}) for layer in layers]
            drawn += [(name, {"type": t}) for name in ("matched", "fair") for t in types]
            drawn += [(name, {}) for name in DRAWN if name not in left_out]
            for name, more in drawn:
                jobs.setdefault(f"{name}_figure", []).append(specs.figure(name, **which, **more))
    if networks and specs.config.models.source == "hub":
        jobs["gates_table"] = [specs.table("gates")]
    if toy:
        jobs |= {f"{name}_figure": [specs.figure(name)] for name in TOY_FIGURES}
        jobs |= {
            "train": [specs.train()],
            "vulnerability": [specs.vulnerability()],
            "geometry": [specs.geometry()],
            "toy_table": [specs.table("toy")],
        }
    if specs.config.canvas is not None:
        jobs |= of_canvases(specs)
    if specs.config.rivals is not None:
        jobs |= of_rivals(specs)
    jobs["claims_table"] = [specs.table("claims")]
    jobs["page"] = [specs.page()]
    return {rule: len(set(specs)) for rule, specs in jobs.items() if specs}


def counted(config):
    return {rule.name: rule.jobs for rule in rules(config)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_plan_counts_the_jobs_that_the_specs_imply(path):
    config = read_config(path)
    assert counted(config) == implied(Specs(config))


def test_rules_of_a_plan_are_the_steps_tables_and_figures_of_the_catalogue():
    named = {(step.room, step.name) for step in STEPS}
    named |= {("analysis", entry.rule) for entry in (*TABLES, *FIGURES)}
    planned = {(rule.room, rule.name) for path in FILES for rule in rules(read_config(path))}
    assert planned == named


NETWORKS = ("data", "models", "attacks", "activations", "saes")


def alone(*left_out):
    return {name: section for name, section in TINY.items() if name not in left_out}


TOY_ALONE = alone(*NETWORKS, "canvas")
NETWORKS_ALONE = alone("toy", "canvas")
CANVAS_ALONE = alone(*NETWORKS[1:], "toy")
ONE_PART = {**TINY, "activations": {**TINY["activations"], "parts": 1}}


@pytest.mark.parametrize(
    "values",
    [TOY_ALONE, NETWORKS_ALONE, CANVAS_ALONE, ONE_PART],
    ids=["toy", "networks", "canvas", "one part"],
)
def test_a_plan_counts_the_jobs_of_one_arm_alone_and_of_parts(values):
    config = check_config(values)
    assert counted(config) == implied(Specs(config))


def test_the_plans_of_the_arms_make_up_the_plan_of_all():
    every, networks, toy, canvas = (
        rules(check_config(values)) for values in (TINY, NETWORKS_ALONE, TOY_ALONE, CANVAS_ALONE)
    )
    names = [{rule.name for rule in arm} for arm in (networks, toy, canvas)]
    assert names[0] & names[1] == names[1] & names[2] == {"claims_table", "page"}
    assert names[0] & names[2] == {"claims_table", "images", "page"}
    assert {*networks, *toy, *canvas} == {*every}


def test_a_plan_is_a_line_a_rule_and_a_sum():
    config = check_config(TINY)
    first, *lines, last = describe(config).splitlines()
    assert "experiment tiny" in first
    assert [line.split()[:2] for line in lines] == [
        [rule.name, str(rule.jobs)] for rule in rules(config)
    ]
    assert last.split()[2] == str(sum(rule.jobs for rule in rules(config)))


def test_a_plan_counts_the_rows_that_are_stored():
    by_name = {rule.name: rule for rule in rules(check_config(TINY))}
    # 2 networks × 400 images × (4 + 8 positions)
    assert by_name["extract"].rows.startswith("9,600 ")
    # 2 networks × 32 images × 4 (method, epsilon)
    assert by_name["craft"].rows.startswith("256 ")
    # 2 networks × 2 layers × 32 images, clean and under each (method, epsilon)
    assert by_name["measure"].rows.startswith("640 ")
    assert (by_name["measure"].stored, by_name["measure"].room) == (0, "probes")
    # 2 networks × 2 layers × (2 k + 2 l1) SAEs; each sees 3200 rows
    assert by_name["fit"].rows == "16 SAEs, 51,200 rows seen"
    assert by_name["baselines"].rows == "8 SAEs, 25,600 rows seen"
    # W_enc and W_dec of 2 networks × SAEs a layer, each in its sweep and in a file of its own
    matrices = 2 * (32 * 16 + 64 * 32)
    assert by_name["fit"].stored == 2 * (4 + 4) * matrices * 4
    assert by_name["baselines"].stored == 2 * 2 * matrices * 4
    # 2 doses × 2 seeds, each of which sees 20 × 32 canvases and flips 12 features
    assert by_name["learn"].rows == "4 networks, 2,560 canvases seen"
    assert by_name["flip"].rows == "48 features to flip"
    # 6 cells, of 8 features each, into 6 or 2 dimensions, and out of them
    assert by_name["learn"].stored == 4 * 2 * (6 * 6 + 6 * 2) * (8 + 1)


@pytest.mark.parametrize(
    ("models", "lacks"),
    [
        ({"source": "hub", "folder": "/nowhere", "revision": "main",
          "checkpoints": {"resnet18_l2_eps0": None, "resnet18_l2_eps3": None}},
         "models.folder, /nowhere, lacks 2 of 2 checkpoints: resnet18_l2_eps0.ckpt"),
        ({"source": "files", "networks": {"mine": {
            "file": "/nowhere/mine.pt", "sha256": None, "architecture": "resnet18", "norm": "clean",
            "epsilon": 0.0, "classes": 10, "mean": [0.5] * 3, "std": [0.2] * 3}}},
         "models.networks.mine.file, /nowhere/mine.pt"),
    ],
    ids=["hub", "files"],
)  # fmt: skip
def test_a_plan_says_what_is_missing_here(models, lacks):
    data = {**TINY["data"], "dataset": "image-folder", "root": "/nowhere", "image_size": 32,
            "pictures": {"resize": 32, "corrupt": "skip"}}  # fmt: skip
    del data["classes"]
    said = missing(check_config({**TINY, "data": data, "models": models}))
    assert said[0] == "missing here: data.root, /nowhere: no folder with image-folder"
    assert len(said) == 2
    assert lacks in said[1]
    assert missing(check_config(TINY)) == []


def test_a_measure_of_ones_own_is_found_and_digested_without_being_imported(tmp_path, monkeypatch):
    """An edit of its module changes the spec; a comment does not; a module that is nowhere is said."""
    every = yaml.safe_load((REPO / "tests/experiments/every.yaml").read_text(encoding="utf-8"))
    every["canvas"]["ruler"]["measures"] = ["own_proxies.rank:of", "nowhere.at_all:of"]
    folder = tmp_path / "own_proxies"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    module = folder / "rank.py"
    monkeypatch.syspath_prepend(tmp_path)

    def spec(source):
        module.write_text(source)
        return Specs(check_config(every)).calibrate("dense", 0)

    plain, noted, edited = (
        spec(source) for source in ("of = len\n", "of = len  # rank of rows\n", "of = max\n")
    )
    assert plain == noted != edited
    assert missing(check_config(every)) == [
        "missing here: canvas.ruler.measures, nowhere.at_all:of: no module that Python finds"
    ]
