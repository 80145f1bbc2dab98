"""The job that decodes pictures takes the cores that it was given, and how many changes nothing."""

import os
import re

import pytest
import yaml

from tests.support import REPO
from tests.support.checkout import TINY, Checkout
from tests.support.pictures import make_folder

STORE = "results/pictures/data/images.json"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of the workflow with an experiment on a small folder of pictures."""
    folder = tmp_path_factory.mktemp("cores")
    make_folder(folder / "pictures", classes=4, per_class=10, seed=0)
    copy = Checkout.copy(folder)
    config = yaml.safe_load((REPO / TINY).read_text())
    config["experiment"] = "pictures"
    config["data"] |= {
        "dataset": "image-folder",
        "root": str(folder / "pictures"),
        "image_size": 32,
        "pictures": {"resize": 36, "corrupt": "refuse"},
        "train": 32,
        "heldout": 4,
        "evaluation": 8,
    }
    del config["data"]["classes"]  # there are fewer
    config["attacks"] |= {"images": 8, "defence_images": 8}
    config["attacks"]["least"]["images"] = 8
    config["activations"]["parts"] = 1
    (copy.folder / "pictures.yaml").write_text(yaml.safe_dump(config))
    return copy


def decoders(checkout, *arguments):
    """Processes that decoded in a run of the images' job, and the bytes of what it made."""
    done = checkout.snakemake(
        "--force", "--nolock", *arguments, "--", STORE, config="pictures.yaml"
    )
    assert done.returncode == 0, done.stdout
    folder = checkout.folder / "results" / "pictures"
    log = (folder / "logs" / "data" / "images" / "images.log").read_text()
    (number,) = {int(found) for found in re.findall(r"processes (\d+)", log)}
    files = sorted(path for path in (folder / "data").rglob("*") if path.is_file())
    return number, {path.relative_to(folder): path.read_bytes() for path in files}


def test_the_job_decodes_with_the_cores_that_it_was_given(checkout, monkeypatch):
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    one, bytes_of_one = decoders(checkout, "--cores", "1")
    assert one == 1
    several, bytes_of_several = decoders(checkout, "--cores", "3")
    assert several == 3
    assert bytes_of_one == bytes_of_several
    clipped, _ = decoders(checkout, "--cores", "3", "--set-threads", "images=2")
    assert clipped == 2
    for cores in ("1", "2"):
        assert checkout.plan("--cores", cores, "--", STORE, config="pictures.yaml").jobs == set()


def test_on_a_cluster_the_profile_says_how_many_and_slurm_no_more(checkout, monkeypatch):
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    asked = ("--cores", "1", "--set-resources", "images:cpus_per_task=3")
    assert decoders(checkout, *asked)[0] == 3
    monkeypatch.setitem(os.environ, "SLURM_CPUS_PER_TASK", "2")
    assert decoders(checkout, *asked)[0] == 2


def test_a_dataset_that_holds_no_pictures_takes_one_core(checkout):
    done = checkout.snakemake("-n", "--cores", "4", "--", "results/tiny/data/images.json")
    assert "rule images:" in done.stdout
    assert "threads:" not in done.stdout
