"""What a plan costs: work counted by hand on small configs, rates of a finished run, hours."""

import copy
import json

import pytest
import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode

from interference.config.load import check_config, read_config
from interference.models.network import Network
from interference.plan import costs, facts
from interference.plan.jobs import rules
from interference.provenance import InterferenceError
from tests.support import REPO

TINY = yaml.safe_load((REPO / "tests" / "experiments" / "tiny.yaml").read_text())
EXPERIMENTS = [REPO / "config.yaml", *sorted((REPO / "workflow" / "experiments").glob("*.yaml"))]


def tiny(**sections):
    return check_config({**copy.deepcopy(TINY), **sections})


@pytest.mark.parametrize("architecture", facts.ARCHITECTURES)
def test_operations_of_a_pass_are_those_that_torch_counts(architecture):
    network = Network(
        architecture=architecture,
        stem="imagenet",
        channels=3,
        classes=1000,
        mean=[0.5] * 3,
        std=[0.2] * 3,
    )
    counted = {}
    with torch.device("meta"):
        x = torch.rand(1, 3, 224, 224)
    network.to("meta").eval()
    for layer in [*facts.ARCHITECTURES[architecture], "logits"]:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            network(x) if layer == "logits" else network.activations(x, layer)
        counted[layer] = counter.get_total_flops()
    assert facts.FLOPS[architecture] == counted


def test_a_small_image_takes_less_and_a_small_stem_sixteen_times_as_much():
    imagenet = costs.passes(tiny(), "resnet18")["logits"]
    small = tiny(models={**TINY["models"], "stem": "small"})
    assert imagenet == facts.FLOPS["resnet18"]["logits"] * (28 / 224) ** 2
    assert costs.passes(small, "resnet18")["logits"] == 16 * imagenet


def test_work_is_what_a_hand_counts():
    work, to = costs.work(tiny()), costs.passes(tiny(), "resnet18")
    whole, layer2 = to["logits"], to["layer2"]
    # 400 images, one epoch; then one for each of two networks, one of which is attacked in one step
    assert work["trunk"] == pytest.approx(3 * 400 * whole)
    assert work["finetune"] == pytest.approx((2 * 3 * 400 + 2 * 400 + 2 * 80) * whole)
    # 32 images: a step at one epsilon, two steps at two, none at two; scored at each of the five
    steps = 2 * (1 + 2 * 2) + 2 * 5
    assert work["craft"] == pytest.approx(2 * 32 * steps * whole)
    assert work["part"] == pytest.approx(2 * 400 * (to["stem"] + layer2))
    assert work["activations"] == pytest.approx(2 * 60 * (to["stem"] + layer2))
    assert work["attacked_activations"] == pytest.approx(2 * 6 * 32 * layer2)
    dense = 64 * 128 + 128 * 256
    assert work["saes/topk"] == pytest.approx(2 * 10 * dense * 3200 * 2)
    assert work["baselines"] == pytest.approx(2 * 10 * dense * 3200 * 2)
    assert work["train"] == 3 * 2 * 100 * 32 * costs.TOY


def test_without_parts_one_job_takes_all_images():
    alone = costs.work(tiny(activations={**TINY["activations"], "parts": 1}))
    shared = costs.work(tiny())
    assert "part" not in alone
    assert alone["activations"] == pytest.approx(shared["part"] + shared["activations"])


@pytest.fixture
def finished(tmp_path):
    """A run's folder with the seconds of some jobs."""

    def write(**seconds):
        for name, value in seconds.items():
            path = tmp_path / "benchmarks" / f"{name.replace('__', '/')}.tsv"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"s\th:m:s\n99\t-\n{costs.START + value}\t-\n")
        return tmp_path

    return write


def test_rates_are_those_of_a_finished_run_beyond_the_start_of_a_job(finished):
    names = {"models__trunk-s0": 2.0, "models__clean-s0": 3.0, "models__l2-1-s0": 5.0,
             "saes__clean-s0__stem__topk": 4.0, "saes__clean-s0__layer2__topk": 2.0,
             "saes__l2-1-s0__stem__topk": 3.0, "saes__l2-1-s0__layer2__topk": 1.0,
             "saes__clean-s0__stem__relu_l1": 5.0}  # of four: not finished  # fmt: skip
    rates, work = costs.measured(tiny(), finished(**names)), costs.work(tiny())
    assert rates.keys() == {"trunk", "finetune", "saes/topk"}
    assert rates["trunk"] == pytest.approx(work["trunk"] / 2)
    assert rates["finetune"] == pytest.approx(work["finetune"] / 8)
    assert rates["saes/topk"] == pytest.approx(work["saes/topk"] / 10)


def test_a_folder_without_benchmarks_is_refused(tmp_path):
    with pytest.raises(InterferenceError, match="no benchmarks of tiny; run it first"):
        costs.measured(tiny(), tmp_path)


def test_hours_of_the_run_that_was_measured_are_the_ones_it_took(finished):
    names = {"models__trunk-s0": 3600.0}
    rates = costs.measured(tiny(), finished(**names))
    (trunk,) = (c for c in costs.costs(tiny(), rates, rates) if c.rule.name == "trunk")
    assert trunk.core == trunk.gpu == pytest.approx((3600 + costs.START) / 3600)


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_experiment_that_ships_is_costed_with_the_rates_that_ship(path):
    config, (device, rates) = read_config(path), costs.shipped()
    text = costs.describe(config, (device, rates), None, gpus=4)
    lines = text.splitlines()
    assert [line.split()[0] for line in lines[2:-5]] == [rule.name for rule in rules(config)]
    assert device in text
    assert "assumed" in lines[-1]


def test_rates_that_ship_are_of_rules_that_have_work():
    paper = costs.work(read_config(REPO / "workflow" / "experiments" / "paper.yaml"))
    default = costs.work(read_config(REPO / "config.yaml"))
    _, rates = costs.shipped()
    assert rates.keys() - {"part"} == paper.keys() | default.keys()
    assert json.loads(json.dumps(rates)) == rates
    assert min(rates.values()) > 10


def test_more_gpus_take_less_until_each_job_has_one():
    config, (_, rates) = tiny(), costs.shipped()
    found = costs.costs(config, rates, rates)
    shared = sum(cost.gpu for cost in found if cost.gpu is not None)
    walls = [costs._wall(found, gpus) for gpus in (1, 2, 4, 1000)]
    assert walls[0] == pytest.approx(shared)
    assert walls == sorted(walls, reverse=True)
    assert walls[-1] == pytest.approx(
        sum(cost.gpu / cost.rule.jobs for cost in found if cost.gpu is not None)
    )
