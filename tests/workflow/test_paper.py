"""The preprint's own run, shrunk in numbers alone: checkpoints in MadryLab's format, JPEGs, 224 pixels.

What the real one reads, ImageNet and the hub's files, is replaced by stand-ins of the same formats:
two ResNet-18 with random weights and ten classes, and pictures of many sizes and modes.
"""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from interference.config.load import check_config
from interference.plan.jobs import rules
from tests.support import REPO
from tests.support.checkout import Checkout
from tests.support.checkpoints import body, entries, write
from tests.support.pictures import make_folder
from tests.support.tables import DRAWN, LEFT_OUT, OF_NETWORKS

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("paper")]

#: Networks of the experiment.
CHECKPOINTS = ("resnet18_l2_eps0", "resnet18_linf_eps4.0")
#: What is shrunk: counts of images, radii, layers, sparsities; never a size of an image.
SHRUNK = {
    "data": {"train": 40, "heldout": 8, "evaluation": 16},
    "attacks": {
        "images": 8,
        "defence_images": 8,
        "methods": {
            "pgd": {"type": "pgd", "norm": "l2", "epsilons": [3.0], "steps": 2,
                    "relative_step": 0.5, "random_start": True, "restarts": 1, "loss": "log-odds"},
            "noise": {"type": "noise", "norm": "l2", "epsilons": [3.0]},
            "pgd-linf": {"type": "pgd", "norm": "linf", "epsilons": [0.01568627], "steps": 2,
                         "relative_step": 0.5, "random_start": True, "restarts": 1, "loss": "log-odds"},
            "noise-linf": {"type": "noise", "norm": "linf", "epsilons": [0.01568627]},
        },
    },
    "activations": {"layers": {"layer4": 20}},
    "saes": {
        "layers": {
            "layer4": {"expansion_factor": 1, "rows": 2400, "batch_size": 128, "learning_rate": 0.002}
        },
        "types": {"topk": {"k": [8, 32], "aux_k": 512, "aux_weight": 1.0, "dead_after": 1000}},
        "baselines": {"type": "topk", "k": [8]},
    },
}  # fmt: skip


def make_pictures(root: Path) -> None:
    """ImageNet's folders, ten classes; of one class, half of the training pictures are cut short."""
    make_folder(root, classes=10, per_class=16, seed=0)
    for cut in sorted((root / "train" / "n01440000").iterdir())[::2]:
        cut.write_bytes(cut.read_bytes()[:-2000])


@pytest.fixture(scope="module")
def paper(tmp_path_factory) -> Checkout:
    """The checkout in which the shrunk experiment ran to its end."""
    folder = tmp_path_factory.mktemp("paper")
    make_pictures(folder / "pictures")
    (folder / "hub").mkdir()
    for seed, name in enumerate(CHECKPOINTS):
        write(folder / "hub" / f"{name}.ckpt", entries(body(seed=seed)))
    checkout = Checkout.copy(folder)
    config = yaml.safe_load((REPO / "workflow" / "experiments" / "paper.yaml").read_text())
    for section, values in SHRUNK.items():
        config[section] |= values
    config["data"]["root"] = str(folder / "pictures")
    config["models"] |= {
        "folder": str(folder / "hub"),
        "checkpoints": {name: config["models"]["checkpoints"][name] for name in CHECKPOINTS},
    }
    (checkout.folder / "shrunk.yaml").write_text(yaml.safe_dump(config))
    done = checkout.snakemake("--cores", "2", config="shrunk.yaml")
    assert done.returncode == 0, done.stdout[-6000:]
    return checkout


@pytest.fixture(scope="module")
def results(paper) -> Path:
    return paper.folder / "results" / "paper"


def test_every_job_of_the_plan_ran_and_nothing_is_left_to_do(paper):
    config = check_config(yaml.safe_load((paper.folder / "shrunk.yaml").read_text()))
    # a job's decoding processes have its arguments
    ran = {tuple(record["arguments"]) for record in paper.recorded()}
    assert len([verb for verb in ran if "--spec" in verb]) == sum(r.jobs for r in rules(config))
    assert paper.plan(config="shrunk.yaml").jobs == set()


def test_every_table_and_figure_speaks_of_the_networks(results):
    for name in sorted({*OF_NETWORKS} - {"fair", *LEFT_OUT}):  # of which random networks have none
        table = pd.read_parquet(results / "analysis" / "tables" / f"{name}.parquet")
        assert set(table["model"]) == set(CHECKPOINTS), name
        assert set(table["model_architecture"]) == {"resnet18"}, name
    drawn = {path.name for path in (results / "analysis" / "figures").rglob("*.png")}
    assert drawn == {
        f"{name}.png" for name in ({*DRAWN} - {*LEFT_OUT}) | {"layer4", "topk", *CHECKPOINTS}
    }


def test_gates_have_no_verdict_on_pictures_that_are_not_imagenets(results):
    gates = pd.read_parquet(results / "analysis" / "tables" / "gates.parquet")
    assert gates["model"].to_list() == [*CHECKPOINTS, CHECKPOINTS[-1]]
    assert set(gates["verdict"]) == {"not ImageNet: no verdict"}
    assert gates["images"].to_list() == [16, 16, 8]


def test_pictures_that_are_cut_short_were_left_out_and_are_listed(results):
    skipped = pd.read_csv(results / "data" / "images.skipped.csv")
    assert set(skipped["part"]) == {"train"}
    assert 0 < len(skipped) <= 8  # what lies beyond the images that were asked for is not read
    assert skipped["name"].str.startswith("n01440000/n01440000_").all()


def test_rows_went_once_all_that_read_them_ran(results):
    kept = {path.name for path in (results / "activations").rglob("*.zarr")}
    assert kept == set()
    assert len(list((results / "activations").rglob("rows.json"))) == len(CHECKPOINTS)
