"""Specs: a job's changes with what it reads and with every job upstream, and with nothing else."""

import copy
import json

import pytest
import yaml

from interference.config.load import check_config
from interference.plan.specs import Specs
from tests.support import REPO
from tests.support.tables import IN_TINY

TINY = yaml.safe_load((REPO / "tests" / "experiments" / "tiny.yaml").read_text())


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
        ("least", "clean-s0"),
        ("part", "clean-s0", "stem", 1),
        ("extract", "clean-s0", "stem"),
        ("predict", "clean-s0"),
        ("fit", "clean-s0", "layer2", "topk"),
        ("baselines", "clean-s0", "layer2"),
        ("measure", "clean-s0", "layer2"),
        ("intervene", "clean-s0", "stem"),
        ("defend", "clean-s0"),
        ("gallery", "clean-s0"),
        ("learn", "dose", "dense", 0),
        ("flip", "dose", "dense", 0),
        ("table", "dose"),
        *(("table", table) for table in (*IN_TINY, "claims")),
    ):
        assert getattr(before, name)(*which) != getattr(after, name)(*which), name
    assert before.table("toy") == after.table("toy")
    fewer = Specs(check_config(TINY | {"activations": TINY["activations"] | {"parts": 1}}))
    assert before.fit("clean-s0", "stem", "topk") == fewer.fit("clean-s0", "stem", "topk")
    assert before.figure("l0", model="clean-s0") != after.figure("l0", model="clean-s0")
    assert before.figure("toy") == after.figure("toy")


@pytest.mark.parametrize(
    ("change", "changes", "keeps"),
    [
        (
            lambda c: c["toy"].update(steps=101),
            [("train",)],
            [("vulnerability",), ("trunk", 0), ("fit", "clean-s0", "stem", "topk")],
        ),
        (
            lambda c: c["canvas"]["flips"].update(pairs=13),
            [("flip", "dose", "dense", 1)],
            [("learn", "dose", "dense", 1), ("table", "dose"), ("train",)],
        ),
        (
            lambda c: c["canvas"]["seeds"].append(2),
            [],
            [("learn", "dose", "dense", 1), ("flip", "dose", "dense", 1)],
        ),
        (
            lambda c: c["saes"]["types"]["topk"].update(k=[8]),
            [("fit", "clean-s0", "stem", "topk")],
            [
                ("fit", "clean-s0", "stem", "relu_l1"),
                ("extract", "clean-s0", "stem"),
                ("baselines", "clean-s0", "stem"),
            ],
        ),
        (
            lambda c: c["saes"]["baselines"].update(k=[4]),
            [("baselines", "clean-s0", "stem")],
            [("fit", "clean-s0", "stem", "topk"), ("table", "baselines")],
        ),
        (
            lambda c: c["activations"]["layers"].update(stem=5),
            [("extract", "clean-s0", "stem")],
            [("extract", "clean-s0", "layer2"), ("finetune", "clean-s0")],
        ),
        (
            lambda c: c["models"]["epsilons"].update(l2=[1.0, 2.0]),
            [],
            [("trunk", 0), ("finetune", "l2-1-s0"), ("craft", "l2-1-s0", "pgd")],
        ),
        (
            lambda c: c["analysis"].update(resamples=101),
            [("table", "matched")],
            [
                ("table", "accuracy"),
                ("table", "toy"),
                ("table", "dose"),
                ("measure", "clean-s0", "stem"),
            ],
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


def test_attacks_are_compared_with_noise_and_the_headline_attack_with_every_control():
    values = copy.deepcopy(TINY)
    values["attacks"]["methods"] |= {
        "max": {"type": "fgsm", "norm": "linf", "epsilons": [0.1]},
        "static": {"type": "noise", "norm": "linf", "epsilons": [0.1]},
        "other": {"type": "fgsm", "norm": "l2", "epsilons": [1.0]},
        "low": {"type": "frequency", "norm": "l2", "epsilons": [1.0], "band": "low"},
        "low-max": {"type": "frequency", "norm": "linf", "epsilons": [0.1], "band": "low"},
        "mixed": {"type": "shuffled", "norm": "l2", "epsilons": [1.0], "of": "pgd"},
        "mixed-other": {"type": "shuffled", "norm": "l2", "epsilons": [1.0], "of": "other"},
    }
    controls = json.loads(Specs(check_config(values)).table("l0"))["controls"]
    every = ("noise", "low", "mixed", "displaced-random", "displaced-covariance")
    assert controls["pgd"] == {"norm": "l2", **{name: name for name in every}}
    assert controls["other"] == {"norm": "l2", "noise": "noise"}
    assert controls["max"] == {"norm": "linf", "noise": "static"}
    assert controls["displaced-random"] == {"norm": "l2", "noise": "noise"}


ENSEMBLE = {"type": "strongest", "norm": "l2", "epsilons": [1.0], "steps": 2, "restarts": 1,
            "targets": 2, "queries": 3}  # fmt: skip


@pytest.mark.parametrize(
    ("methods", "headline"),
    [
        (["noise", "fgsm", "pgd", "late"], "pgd"),
        (["noise", "fgsm"], "fgsm"),
        (["noise", "mixed", "fgsm"], "fgsm"),
        (["noise"], "noise"),
    ],
)
def test_probes_and_claims_are_about_the_first_pgd_else_the_first_attack(methods, headline):
    values = copy.deepcopy(TINY)
    there = values["attacks"]["methods"]
    there["late"] = {**there["pgd"], "steps": 3}
    there["fgsm"] = {"type": "fgsm", "norm": "l2", "epsilons": [1.0]}
    there["mixed"] = {"type": "shuffled", "norm": "l2", "epsilons": [1.0], "of": "fgsm"}
    values["attacks"]["methods"] = {name: there[name] for name in methods}
    specs = Specs(check_config(values))
    for job in (specs.defend("clean-s0"), specs.intervene("clean-s0", "stem")):
        assert json.loads(job)["attack"] == headline
    assert json.loads(specs.defend("clean-s0"))["method"]["type"] == there[headline]["type"]


@pytest.mark.parametrize(("images", "probed"), [(8, False), (32, True)])
def test_an_ensemble_on_fewer_images_is_no_condition_of_probes(images, probed):
    values = copy.deepcopy(TINY)
    values["attacks"]["methods"]["worst"] = {**ENSEMBLE, "images": images}
    specs = Specs(check_config(values))
    craft, measure = json.loads(specs.craft("clean-s0", "worst")), specs.measure("clean-s0", "stem")
    assert craft["images"] == images
    assert ("worst" in json.loads(measure)["attacks"]) == probed
    assert ("worst" in json.loads(specs.table("l0"))["controls"]) == probed


def test_a_control_that_is_made_of_an_attack_is_on_its_images_and_downstream_of_it():
    values = copy.deepcopy(TINY)
    methods = values["attacks"]["methods"]
    methods["worst"] = {**ENSEMBLE, "images": 8}
    mixed = {"type": "shuffled", "norm": "l2", "epsilons": [1.0], "of": "worst"}
    methods["mixed"] = mixed
    before = json.loads(Specs(check_config(values)).craft("l2-1-s0", "mixed"))
    assert before["images"] == 8
    assert before["source"] == {"model": "l2-1-s0", "attack": "worst"}
    methods["worst"]["queries"] = 4
    after = json.loads(Specs(check_config(values)).craft("l2-1-s0", "mixed"))
    assert {k for k in before if before[k] != after[k]} == {"inputs"}


@pytest.mark.parametrize(
    ("across", "sources"),
    [
        ("epsilon", {"clean-s0": "l2-1-s0", "l2-0.5-s0": "clean-s0", "linf-0.1-s0": "clean-s0",
                     "clean-s3": "l2-1-s3", "l2-2-s3": "clean-s3"}),
        ("seed", {"clean-s0": "clean-s3", "clean-s3": "clean-s0", "linf-0.1-s0": "linf-0.1-s3",
                  "l2-2-s3": "l2-2-s0"}),
    ],
)  # fmt: skip
def test_images_are_transferred_between_networks_of_two_epsilons_or_of_two_seeds(across, sources):
    values = copy.deepcopy(TINY)
    values["models"] |= {"epsilons": {"l2": [2.0, 0.5, 1.0], "linf": [0.1]}, "seeds": [0, 3]}
    moved = {"type": "transferred", "norm": "l2", "epsilons": [1.0], "of": "pgd", "across": across}
    values["attacks"]["methods"]["moved"] = moved
    specs = Specs(check_config(values))
    for model, source in sources.items():
        assert json.loads(specs.craft(model, "moved"))["source"] == {
            "model": source,
            "attack": "pgd",
        }
