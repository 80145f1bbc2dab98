"""What a config implies: densities, positions, widths and the jobs of a plan."""

import copy
import json
from functools import cache

import numpy as np
import pytest
import torch
import yaml

from interference.activations import forward
from interference.config import facts
from interference.config.load import check_config, read_config
from interference.config.model import epsilon_name
from interference.models.network import Network
from interference.plan.jobs import describe, missing, rules
from interference.plan.specs import Specs
from tests.support import REPO

torch.set_num_threads(1)
FILES = [
    REPO / "config.yaml",
    *sorted((REPO / "workflow" / "experiments").glob("*.yaml")),
    *sorted((REPO / "tests" / "experiments").glob("*.yaml")),
]
TINY = yaml.safe_load((REPO / "tests" / "experiments" / "tiny.yaml").read_text())


@cache
def network(stem, channels=1):
    return Network(
        architecture="resnet18",
        stem=stem,
        channels=channels,
        classes=2,
        mean=[0.5] * channels,
        std=[0.25] * channels,
    ).eval()


@pytest.mark.parametrize("stem", ["imagenet", "small"])
@pytest.mark.parametrize("size", [8, 28, 33, 46])
def test_positions_and_widths_are_those_of_the_network(stem, size):
    net, x = network(stem), torch.rand(1, 1, size, size)
    predicted = facts.positions(size, stem)
    for layer, width in facts.ARCHITECTURES["resnet18"].items():
        with torch.inference_mode():
            assert net.activations(x, layer).shape == (1, predicted[layer], width)


def test_positions_at_imagenets_size_are_the_ones_of_the_paper():
    assert list(facts.positions(224, "imagenet").values()) == [3136, 3136, 784, 196, 49]


@pytest.mark.parametrize(("high", "low", "count"), [(1.0, 0.1, 30), (0.9, 0.05, 7), (1.0, 0.5, 2)])
def test_densities_are_geometric(high, low, count):
    values = copy.deepcopy(TINY)
    values["toy"]["densities"] = {"max": high, "min": low, "count": count}
    densities = check_config(values).toy.densities.values
    np.testing.assert_allclose(densities, np.geomspace(high, low, count), atol=5.1e-7)
    assert len(set(densities)) == count


def test_a_small_density_is_never_rounded_to_zero():
    values = copy.deepcopy(TINY)
    values["toy"]["densities"] = {"max": 1.0, "min": 1e-8, "count": 3}
    densities = check_config(values).toy.densities.values
    np.testing.assert_allclose(densities, [1, 1e-4, 1e-8], rtol=1e-4)


@pytest.mark.parametrize(
    ("epsilon", "name"), [(1, "1"), (0.5, "0.5"), (8 / 255, repr(8 / 255)), (10.0, "10")]
)
def test_an_epsilon_is_written_as_the_shortest_decimal_that_is_the_same_number(epsilon, name):
    assert epsilon_name(epsilon) == name
    assert float(name) == epsilon


def test_a_plan_and_extraction_share_images_in_the_same_blocks():
    assert facts.BLOCK == forward.BLOCK


def test_there_is_a_clean_baseline_for_each_seed_and_one_network_an_epsilon():
    values = copy.deepcopy(TINY)
    values["models"] |= {"seeds": [3, 1], "epsilons": {"linf": [0.1], "l2": [2.0, 0.5]}}
    models = Specs(check_config(values)).models
    assert list(models) == [
        "clean-s3", "l2-0.5-s3", "l2-2-s3", "linf-0.1-s3",
        "clean-s1", "l2-0.5-s1", "l2-2-s1", "linf-0.1-s1",
    ]  # fmt: skip
    assert models["l2-0.5-s1"].identity == {
        "model": "l2-0.5-s1",
        "model_architecture": "resnet18",
        "model_norm": "l2",
        "model_epsilon": 0.5,
        "model_seed": 1,
    }


TOY_FIGURES = (
    "toy",
    "toy_attacks",
    "toy_controls",
    "toy_elhage",
    "toy_geometry",
    "toy_interference",
    "toy_densities",
)


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
            "checkpoint": [specs.checkpoint(m) for m in specs.converted],
            "predictions": [specs.predictions(m) for m in specs.converted],
            "craft": [specs.craft(m, a) for m in models for a in specs.attacks],
            "part": [specs.part(*a, part) for a in at for part in specs.parts],
            "activations": [specs.extract(*a) for a in at],
            "attacked_activations": [specs.attacked_activations(m) for m in models],
            "saes": [specs.fit(*a, t) for a in at for t in types],
            "baselines": [specs.baselines(*a) for a in at],
            "l0": [specs.l0(m) for m in models],
            "splice": [specs.splice(m) for m in models],
            "l0_figure": [specs.figure("l0", model=m) for m in models],
        }
        for name in ("accuracy", "saes", "matched", "baselines", "l0", "splice"):
            jobs[f"{name}_table"] = [specs.table(name)]
        for architecture in specs.architectures:
            which = {"architecture": architecture}
            drawn = [("fvu", {"layer": layer}) for layer in layers]
            drawn += [("matched", {"type": sae_type}) for sae_type in types]
            drawn += [(name, {}) for name in ("accuracy", "baselines", "splice")]
            for name, more in drawn:
                jobs.setdefault(f"{name}_figure", []).append(specs.figure(name, **which, **more))
    if networks and specs.config.models.source == "hub":
        jobs["gates_table"] = [specs.table("gates")]
    if toy:
        jobs |= {f"{name}_figure": [specs.figure(name)] for name in TOY_FIGURES}
        jobs |= {
            "train": [specs.train()],
            "vulnerability": [specs.vulnerability()],
            "toy_geometry": [specs.geometry()],
            "toy_table": [specs.table("toy")],
        }
    jobs["claims_table"] = [specs.table("claims")]
    return {rule: len(set(specs)) for rule, specs in jobs.items() if specs}


def counted(config):
    return {rule.name: rule.jobs for rule in rules(config)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_plan_counts_the_jobs_that_the_specs_imply(path):
    config = read_config(path)
    assert counted(config) == implied(Specs(config))


NETWORKS = ("data", "models", "attacks", "activations", "saes")
TOY_ALONE = {name: section for name, section in TINY.items() if name not in NETWORKS}
NETWORKS_ALONE = {name: section for name, section in TINY.items() if name != "toy"}
ONE_PART = {**TINY, "activations": {**TINY["activations"], "parts": 1}}


@pytest.mark.parametrize(
    "values", [TOY_ALONE, NETWORKS_ALONE, ONE_PART], ids=["toy", "networks", "one part"]
)
def test_a_plan_counts_the_jobs_of_one_arm_alone_and_of_parts(values):
    config = check_config(values)
    assert counted(config) == implied(Specs(config))


def test_the_plans_of_the_arms_make_up_the_plan_of_both():
    both, networks, toy = (
        rules(check_config(values)) for values in (TINY, NETWORKS_ALONE, TOY_ALONE)
    )
    assert {rule.name for rule in networks} & {rule.name for rule in toy} == {"claims_table"}
    assert {*networks, *toy} == {*both}


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
    assert by_name["activations"].rows.startswith("9,600 ")
    # 2 networks × 32 images × 5 (method, epsilon)
    assert by_name["craft"].rows.startswith("320 ")
    # 2 networks × 2 layers × (2 k + 2 l1 + 2 l0) SAEs; each sees 3200 rows
    assert by_name["saes"].rows == "24 SAEs, 76,800 rows seen"
    assert by_name["baselines"].rows == "8 SAEs, 25,600 rows seen"
    # W_enc and W_dec of 2 networks × SAEs a layer, each in its sweep and in a file of its own
    matrices = 2 * (128 * 64 + 256 * 128)
    assert by_name["saes"].stored == 2 * (6 + 6) * matrices * 4
    assert by_name["baselines"].stored == 2 * 2 * matrices * 4


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
    said = missing(check_config({**TINY, "data": data, "models": models}))
    assert said[0] == "missing here: data.root, /nowhere: no folder with image-folder"
    assert len(said) == 2
    assert lacks in said[1]
    assert missing(check_config(TINY)) == []


def spec_of(change, name, *arguments):
    values = copy.deepcopy(TINY)
    change(values)
    spec = json.loads(getattr(Specs(check_config(values)), name)(*arguments))
    return {key: value for key, value in spec.items() if key != "inputs"}


def test_a_spec_changes_with_every_job_that_is_upstream():
    before, after = (Specs(check_config(copy.deepcopy(TINY) | data)) for data in (
        {}, {"data": TINY["data"] | {"seed": 1}},
    ))  # fmt: skip
    for name, *which in (
        ("trunk", 0),
        ("finetune", "l2-1-s0"),
        ("craft", "l2-1-s0", "pgd"),
        ("part", "clean-s0", "stem", 1),
        ("activations", "clean-s0", "stem"),
        ("attacked_activations", "clean-s0"),
        ("saes", "clean-s0", "layer2", "topk"),
        ("baselines", "clean-s0", "layer2"),
        ("l0", "clean-s0"),
        ("splice", "clean-s0"),
        *(
            ("table", table)
            for table in ("accuracy", "saes", "matched", "baselines", "l0", "splice", "claims")
        ),
    ):
        assert getattr(before, name)(*which) != getattr(after, name)(*which), name
    assert before.table("toy") == after.table("toy")
    fewer = Specs(check_config(TINY | {"activations": TINY["activations"] | {"parts": 1}}))
    assert before.saes("clean-s0", "stem", "topk") == fewer.saes("clean-s0", "stem", "topk")
    assert before.figure("l0", model="clean-s0") != after.figure("l0", model="clean-s0")
    assert before.figure("toy") == after.figure("toy")


@pytest.mark.parametrize(
    ("change", "changes", "keeps"),
    [
        (
            lambda c: c["toy"].update(steps=101),
            [("train",)],
            [("vulnerability",), ("trunk", 0), ("saes", "clean-s0", "stem", "topk")],
        ),
        (
            lambda c: c["saes"]["types"]["topk"].update(k=[8]),
            [("saes", "clean-s0", "stem", "topk")],
            [
                ("saes", "clean-s0", "stem", "relu_l1"),
                ("activations", "clean-s0", "stem"),
                ("baselines", "clean-s0", "stem"),
            ],
        ),
        (
            lambda c: c["saes"]["baselines"].update(k=[4]),
            [("baselines", "clean-s0", "stem")],
            [("saes", "clean-s0", "stem", "topk"), ("table", "baselines")],
        ),
        (
            lambda c: c["activations"]["layers"].update(stem=5),
            [("activations", "clean-s0", "stem")],
            [("activations", "clean-s0", "layer2"), ("finetune", "clean-s0")],
        ),
        (
            lambda c: c["models"]["epsilons"].update(l2=[1.0, 2.0]),
            [],
            [("trunk", 0), ("finetune", "l2-1-s0"), ("craft", "l2-1-s0", "pgd")],
        ),
        (
            lambda c: c["analysis"].update(resamples=101),
            [("table", "matched")],
            [("table", "accuracy"), ("table", "toy"), ("l0", "clean-s0")],
        ),
        (
            lambda c: c.update(experiment="other"),
            [],
            [("images",), ("trunk", 0), ("train",), ("table", "claims")],
        ),
    ],
)
def test_a_spec_changes_with_what_its_job_reads_and_with_nothing_else(change, changes, keeps):
    for call in changes:
        assert spec_of(change, *call) != spec_of(lambda c: None, *call)
    for call in keeps:
        assert spec_of(change, *call) == spec_of(lambda c: None, *call)


def test_each_attack_is_compared_with_the_noise_of_its_norm():
    values = copy.deepcopy(TINY)
    values["attacks"]["methods"] |= {
        "max": {"type": "fgsm", "norm": "linf", "epsilons": [0.1]},
        "static": {"type": "noise", "norm": "linf", "epsilons": [0.1]},
    }
    controls = json.loads(Specs(check_config(values)).table("l0"))["controls"]
    assert controls["pgd"] == {"norm": "l2", "noise": "noise"}
    assert controls["max"] == {"norm": "linf", "noise": "static"}
