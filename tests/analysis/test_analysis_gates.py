"""Gates: what passes, what fails, and where there is no verdict."""

import json

import pandas as pd
import pytest

from interference.analysis.tables import gates

CLEAN = {"model": "resnet18_l2_eps3", "source": "its authors", "reported": 0.5312}
ROBUST = {"model": "resnet18_linf_eps4.0", "source": "RobustBench", "reported": 0.2532,
          "norm": "linf", "epsilon": 4 / 255, "images": 5000}  # fmt: skip
IMAGENET = ["n01440764", *(f"n{i:08d}" for i in range(2_000_000, 2_000_998)), "n15075141"]


def verdicts(tmp_path, rows, *asked, classes=IMAGENET):
    """Verdicts of gates on rows of the table accuracy: (model, attack, type, epsilon, share, images)."""
    names = ["model", "attack", "type", "norm", "epsilon", "accuracy", "images"]
    pd.DataFrame(rows, columns=names).to_parquet(tmp_path / "accuracy.parquet")
    (tmp_path / "images.json").write_text(json.dumps({"class_names": classes}))
    inputs = {"accuracy": [tmp_path / "accuracy.parquet"], "images": [tmp_path / "images.json"]}
    return gates.build({"gates": list(asked)}, **inputs)


def clean(share, images):
    return (CLEAN["model"], "clean", "clean", "none", 0.0, share, images)


def pgd(share, images, epsilon=4 / 255):
    return (ROBUST["model"], "pgd-linf", "pgd", "linf", epsilon, share, images)


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (clean(0.5312 + 0.0029, 50_000), "pass"),
        (clean(0.5312 - 0.0029, 50_000), "pass"),
        (clean(0.5312 + 0.0031, 50_000), "fail"),
        (clean(0.5312 - 0.0031, 50_000), "fail"),
        # 99 % of a thousand images: 4.06 points to each side
        (clean(0.5312 + 0.039, 1000), "pass"),
        (clean(0.5312 + 0.042, 1000), "fail"),
        (clean(0.5312 - 0.042, 1000), "fail"),
    ],
)
def test_clean_accuracy_must_be_the_reported_one_as_far_as_the_images_tell(row, verdict, tmp_path):
    table = verdicts(tmp_path, [row], CLEAN)
    assert table["verdict"].to_list() == [verdict]
    assert table["images"].to_list() == [row[-1]]


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (pgd(0.30, 1000), "pass"),  # PGD finds less than AutoAttack
        (pgd(0.2532, 1000), "pass"),
        # 2.33 deviations of sqrt(p q / 1000 + p q / 5000) are 3.5 points
        (pgd(0.22, 1000), "pass"),
        (pgd(0.21, 1000), "fail"),
    ],
)
def test_accuracy_under_pgd_must_not_be_below_autoattacks(row, verdict, tmp_path):
    table = verdicts(tmp_path, [row], ROBUST)
    assert table["verdict"].to_list() == [verdict]


def test_a_robust_gate_is_read_at_its_own_epsilon_however_it_is_rounded(tmp_path):
    rows = [pgd(0.1, 1000, epsilon=8 / 255), pgd(0.26, 1000, epsilon=0.015686)]
    table = verdicts(tmp_path, rows, ROBUST)
    assert table["measured"].to_list() == [0.26]
    assert verdicts(tmp_path, rows[:1], ROBUST).empty


@pytest.mark.parametrize(
    ("classes", "real"),
    [
        (IMAGENET, True),
        (IMAGENET[:-1], False),
        ([*IMAGENET[:-1], "n15075142"], False),
        ([str(i) for i in range(1000)], True),  # of shards, which name no class
        ([str(i) for i in range(10)], False),
    ],
)
def test_there_is_a_verdict_on_imagenet_alone(classes, real, tmp_path):
    table = verdicts(tmp_path, [clean(0.1, 1000)], CLEAN, classes=classes)
    assert table["verdict"].to_list() == ["fail" if real else "not ImageNet: no verdict"]
    assert table["measured"].to_list() == [0.1]
