"""What a plan costs: work counted by hand on small configs, rates of a finished run, hours."""

import copy
from itertools import chain

import pytest
import yaml

from interference.config import facts
from interference.config.load import check_config, read_config
from interference.plan import costs
from interference.plan.jobs import rules
from interference.plan.work import TOY, passes, work_of
from interference.provenance import InterferenceError
from tests.support import REPO

TINY = yaml.safe_load((REPO / "tests" / "experiments" / "tiny.yaml").read_text())
EXPERIMENTS = [REPO / "config.yaml", *sorted((REPO / "workflow" / "experiments").glob("*.yaml"))]


def tiny(**sections):
    return check_config({**copy.deepcopy(TINY), **sections})


def test_a_small_image_takes_less_and_a_small_stem_or_a_wide_network_more():
    def to_logits(**models):
        return passes(tiny(models={**TINY["models"], **models}), "resnet18")["logits"]

    whole = facts.FLOPS["resnet18"]["logits"] * (28 / 224) ** 2
    assert to_logits(width=None) == pytest.approx(whole)
    assert to_logits(width=None, stem="small") == pytest.approx(16 * whole, rel=0.07)
    assert to_logits(width=128) == pytest.approx(4 * whole, rel=0.04)


def test_work_is_what_a_hand_counts():
    work, to = work_of(tiny()), passes(tiny(), "resnet18")
    whole, layer2 = to["logits"], to["layer2"]
    # 400 images, one epoch; then one for each of two networks, one of which is attacked in one step
    assert work["trunk"] == pytest.approx(3 * 400 * whole)
    assert work["finetune"] == pytest.approx((2 * 3 * 400 + 2 * 400) * whole)
    # 32 images: two steps at two epsilons, none at two; scored at each of the four
    steps = 2 * 2 * 2 + 2 * 4
    assert work["craft"] == pytest.approx(2 * 32 * steps * whole)
    # 16 images: ten steps forward and back, the end, and eight halvings
    assert work["least"] == pytest.approx(2 * 16 * (2 * 10 + 9) * whole)
    assert work["part"] == pytest.approx(2 * 400 * (to["stem"] + layer2))
    assert work["extract"] == pytest.approx(2 * 60 * (to["stem"] + layer2))
    assert work["predict"] == pytest.approx(2 * 80 * whole)
    dense = 16 * 32 + 32 * 64
    assert work["fit/topk"] == pytest.approx(2 * 10 * dense * 3200 * 2)
    assert work["baselines"] == pytest.approx(2 * 10 * dense * 3200 * 2)
    assert work["train"] == 3 * 2 * 100 * 32 * TOY


def test_work_of_probes_is_what_a_hand_counts():
    """32 images, clean, under four attacks, and displaced in two ways; two SAEs of each of two types in
    each of two layers, of which one of each type is intervened on, and one has a gallery of the 80
    evaluation images."""
    to, members = passes(tiny(), "resnet18"), 2 * 2
    expected = intervened = shown = 0
    for layer, positions, dense in (("stem", 49, 16 * 32), ("layer2", 16, 32 * 64)):
        rest = to["logits"] - to[layer]
        expected += 5 * 32 * to[layer]  # up to the layer
        expected += 32 * to["logits"] + 32 * rest  # the network as it is, and with the layer's mean
        expected += members * 7 * 32 * positions * 4 * dense  # encoded and decoded
        expected += (
            members * 32 * (positions * 4 * dense + rest)
        )  # reconstructed, and from there on
        # to the layer clean and attacked, from it on as it is and with eight sets put back and in
        intervened += 32 * (2 * to[layer] + 2 * 17 * (rest + 2 * dense * positions))
        # clean, attacked and under noise, encoded; attacked once more, and all evaluation images
        shown += 3 * 32 * (to[layer] + 2 * dense * positions) + (32 + 80) * to[layer]
    assert work_of(tiny())["measure"] == pytest.approx(2 * expected)
    assert work_of(tiny())["intervene"] == pytest.approx(2 * intervened)
    assert work_of(tiny())["gallery"] == pytest.approx(2 * shown)


def test_work_of_canvases_is_what_a_hand_counts():
    """Two seeds of networks with 6 and 2 dimensions on 6 cells of 14 × 14 pixels, with 8 features each."""
    trunk = 2 * (196 * 16 + 16 * 16 * 16 + 64 * 8)
    passes = sum(6 * (trunk + 2 * 8 * m) + 2 * m * 6 for m in (6, 2))
    assert work_of(tiny())["learn"] == pytest.approx(2 * 3 * passes * 20 * 32)
    # 12 pairs, each over all cells and over all but one, 4 steps forward and back
    assert work_of(tiny())["flip"] == pytest.approx(2 * 2 * 2 * passes * 12 * 4)


def test_work_of_mounted_bottlenecks_is_what_a_hand_counts():
    """Bottlenecks at two doses on each of two networks: every image once; 800 canvases to measure, and
    8 draws of noise on each of 5 pairs; then 3 steps forward and back over all of the 6 cells, over
    one, and over five."""
    flips = {"pairs": 5, "steps": 3, "starts": 1}
    canvas = TINY["canvas"] | {"mount": {"cells": 6, "doses": [1.0, 2.0], "flips": flips}}
    config = tiny(canvas=canvas)
    images = config.data.train + config.data.heldout + config.data.evaluation
    images += 2 * ((800 + 8 * 5) * 6 + 2 * 3 * 5 * (6 + 1 + 6))
    whole = passes(config, "resnet18")["logits"]
    assert work_of(config)["mount"] == pytest.approx(2 * images * whole)


def test_work_of_rivals_is_what_a_hand_counts():
    """Two seeds, 10 steps of 32 images of 28 × 28 pixels, each trained clean and under attack of one step."""
    found = work_of(read_config(REPO / "tests/experiments/every.yaml"))
    seen, once = 2 * 10 * 32, 2 * 784
    # 2 widths × 3 geometries of 8 hidden units: forward and twice back; half of it again under attack
    assert found["classify"] == pytest.approx(6 * (3 + 8) * once * 8 * seen)
    # 2 numbers of classes × 4 and 8 hidden units; SAEs of twice as many latents on three kinds of rows
    saes = 3 * 2 * 10 * 16 * 12 * 2 * (4**2 + 8**2)
    assert found["count"] == pytest.approx(2 * ((3 + 8) * once * 12 * seen + saes))
    # 2 seeds × clean and robust × 4 and 8 hidden units: each is attacked on 30 images by two steps, and sees
    # those of all 8; twice as many latents are correlated with all others' on 400 images
    networks, units = 8, 2 * 2 * 12
    attacks = once * units * 30 * (networks + 2 * 2)
    assert found["overlap"] == pytest.approx(attacks + 400 * (2 * units) ** 2)
    # a clean source and a robust one; six that learn from attacks on these and from noise, to two kinds of
    # targets each; attacks of two steps on every training image
    crafted = 2 * 2 * 2 * 400 * 2 * 2
    assert found["relearn"] == pytest.approx(once * 8 * ((3 + 8 + 6 * 3) * seen + crafted))


def test_work_of_defences_is_what_a_hand_counts():
    """16 images: two steps with a gradient and a look at where they end, then three predictions; the
    network as it is, and at each of two layers an SAE and PCA beside it."""
    whole = passes(tiny(), "resnet18")["logits"]
    codes = 4 * (49 * 16 * 32 + 16 * 32 * 64)  # encoded and decoded, at both layers
    expected = 2 * 16 * (2 * 2 + 1 + 3) * (5 * whole + codes)
    assert work_of(tiny())["defend"] == pytest.approx(expected)


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_step_but_cheap_ones_has_work(path):
    config = read_config(path)
    cheap = {"convert", "vulnerability", "geometry", "transfer", "calibrate", "aim", "page"}
    cheap |= set() if config.data and config.data.pictures else {"images"}
    steps = {rule.name for rule in rules(config) if rule.room != "analysis"} - cheap
    assert {rule.partition("/")[0] for rule in work_of(config)} == steps


def test_without_parts_one_job_takes_all_images():
    alone = work_of(tiny(activations={**TINY["activations"], "parts": 1}))
    shared = work_of(tiny())
    assert "part" not in alone
    assert alone["extract"] == pytest.approx(shared["part"] + shared["extract"])


@pytest.fixture
def finished(tmp_path):
    """A run's folder with the seconds of some jobs, beyond their start: ROOM/STEP/JOB."""

    def write(**seconds):
        for name, value in seconds.items():
            path = tmp_path / "benchmarks" / f"{name}.tsv"
            path.parent.mkdir(parents=True, exist_ok=True)
            rows = [(99, "-", "NA", "NA"), (costs.START + value, "-", "NA", "NA")]
            lines = ["s\th:m:s\tmax_rss\tcpu_time", *("\t".join(map(str, row)) for row in rows)]
            path.write_text("\n".join([*lines, ""]))
        return tmp_path

    return write


MODELS, LAYERS = ("clean-s0", "l2-1-s0"), ("stem", "layer2")
#: Benchmarks of the tiny run whose work is counted, by what is counted together.
BENCHMARKS = {
    "trunk": ["models/trunk/trunk-s0"],
    "finetune": [f"models/finetune/{m}" for m in MODELS],
    "predict": [f"models/predict/{m}" for m in MODELS],
    "craft": [f"attacks/craft/{m}/{a}" for m in MODELS for a in ("pgd", "noise")],
    "least": [f"attacks/least/{m}" for m in MODELS],
    "part": [f"activations/part/{m}/{n}/{i}" for m in MODELS for n in LAYERS for i in (0, 1)],
    "extract": [f"activations/extract/{m}/{n}" for m in MODELS for n in LAYERS],
    **{
        f"fit/{t}": [f"saes/fit/{m}/{n}/{t}" for m in MODELS for n in LAYERS]
        for t in ("topk", "relu_l1")
    },
    "baselines": [f"saes/baselines/{m}/{n}" for m in MODELS for n in LAYERS],
    **{
        name: [f"probes/{name}/{m}/{n}" for m in MODELS for n in LAYERS]
        for name in ("measure", "intervene")
    },
    "defend": [f"probes/defend/{m}" for m in MODELS],
    "gallery": [f"probes/gallery/{m}" for m in MODELS],
    "train": ["toy/train/models"],
    **{
        name: [f"canvas/{name}/dose-dense-s{seed}" for seed in (0, 1)] for name in ("learn", "flip")
    },
}


def test_rates_are_those_of_a_finished_run_beyond_the_start_of_a_job(finished):
    seconds = {name: i + 2.0 for i, name in enumerate(chain(*BENCHMARKS.values()))}
    rates, work = costs.measured(tiny(), finished(**seconds)), work_of(tiny())
    assert rates.keys() == work.keys() == BENCHMARKS.keys()
    for rule, names in BENCHMARKS.items():
        assert rates[rule] == pytest.approx(work[rule] / sum(seconds[name] for name in names)), rule


@pytest.mark.parametrize("rule", [rule for rule, names in BENCHMARKS.items() if len(names) > 1])
def test_a_step_that_is_not_finished_is_no_measure(rule, finished):
    names = [*BENCHMARKS["trunk"], *BENCHMARKS[rule][1:]]
    assert costs.measured(tiny(), finished(**dict.fromkeys(names, 2.0))).keys() == {"trunk"}


def test_a_folder_without_benchmarks_is_refused(tmp_path):
    with pytest.raises(InterferenceError, match="no benchmarks of tiny; run it first"):
        costs.measured(tiny(), tmp_path)


def test_hours_of_the_run_that_was_measured_are_the_ones_it_took(finished):
    rates = costs.measured(tiny(), finished(**{"models/trunk/trunk-s0": 3600.0}))
    (trunk,) = (c for c in costs.costs(tiny(), rates, rates) if c.rule.name == "trunk")
    assert trunk.core == trunk.gpu == pytest.approx((3600 + costs.START) / 3600)


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_experiment_that_ships_is_costed_with_the_rates_that_ship(path):
    config, core, gpu = read_config(path), costs.shipped("core"), costs.shipped("gpu")
    text = costs.describe(config, core, gpu, gpus=4)
    lines = text.splitlines()
    assert [line.split()[0] for line in lines[2:-5]] == [rule.name for rule in rules(config)]
    assert (lines[-2], lines[-1]) == (f"core: {core[0]}", f"GPU:  {gpu[0]}")


def test_rates_that_ship_are_of_rules_that_have_work():
    paper = work_of(read_config(REPO / "workflow" / "experiments" / "paper.yaml"))
    default = work_of(read_config(REPO / "config.yaml"))
    rivals = work_of(read_config(REPO / "workflow" / "experiments" / "rivals.yaml"))
    used = paper.keys() | default.keys() | rivals.keys() | {"part", "mount", "exchange"}
    _, core = costs.shipped("core")
    _, gpu = costs.shipped("gpu")
    assert core.keys() == used
    assert gpu.keys() == {rule for rule in used if costs._STEPS[rule.partition("/")[0]].gpu}
    assert min([*core.values(), *gpu.values()]) > 10


def test_what_was_not_measured_is_as_slow_as_the_slowest_of_its_rule_or_of_all():
    rates = {"images": 5.0, "trunk": 20.0, "fit/topk": 40.0, "fit/relu_l1": 30.0}
    assert costs.rate_of("fit/topk", rates) == 40
    assert costs.rate_of("fit/gated", rates) == 30
    assert costs.rate_of("craft", rates) == 20
    assert costs.rate_of("images", rates) == 5


def test_more_gpus_take_less_until_each_job_has_one():
    config, (_, rates) = tiny(), costs.shipped("core")
    found = costs.costs(config, rates, rates)
    shared = sum(cost.gpu for cost in found if cost.gpu is not None)
    walls = [costs._wall(found, gpus) for gpus in (1, 2, 4, 1000)]
    assert walls[0] == pytest.approx(shared)
    assert walls == sorted(walls, reverse=True)
    assert walls[-1] == pytest.approx(
        sum(cost.gpu / cost.rule.jobs for cost in found if cost.gpu is not None)
    )


def test_expected_seconds_of_steps_are_the_hours_of_their_rules_and_jobs_are_all():
    core, gpu = costs.shipped("core")[1], costs.shipped("gpu")[1]
    plan, steps = costs.costs(tiny(), core, gpu), costs.expected(tiny())
    assert sum(step.jobs for step in steps.values()) == sum(c.rule.jobs for c in plan)
    assert sum(step.core for step in steps.values()) == pytest.approx(
        3600 * sum(c.core for c in plan)
    )
    (trunk,) = (c for c in plan if c.rule.name == "trunk")
    assert steps["models/trunk"] == (1, pytest.approx(3600 * trunk.core))
    tables = [c for c in plan if c.rule.name.endswith("_table")]
    assert steps["analysis/tables"].jobs == len(tables)
