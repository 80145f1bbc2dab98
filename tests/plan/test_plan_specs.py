"""Specs: a job's changes with what it reads and with every job upstream, and with nothing else."""

import copy
import json

import pytest
import yaml

from interference.config.load import check_config
from interference.plan.specs import Specs
from tests.support import REPO

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
        ("part", "clean-s0", "stem", 1),
        ("extract", "clean-s0", "stem"),
        ("predict", "clean-s0"),
        ("fit", "clean-s0", "layer2", "topk"),
        ("baselines", "clean-s0", "layer2"),
        ("measure", "clean-s0", "layer2"),
        ("intervene", "clean-s0", "stem"),
        *(
            ("table", table)
            for table in (
                "accuracy",
                "saes",
                "matched",
                "baselines",
                "l0",
                "splice",
                "interventions",
                "claims",
            )
        ),
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
            [("table", "accuracy"), ("table", "toy"), ("measure", "clean-s0", "stem")],
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
