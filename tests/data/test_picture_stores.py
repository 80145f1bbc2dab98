"""The store of an ImageNet-like folder: torchvision's pixels, and what becomes of corrupt files."""

import csv
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from torchvision import transforms
from torchvision.datasets import ImageFolder

from interference.data.errors import DatasetError
from interference.data.images import run as build
from interference.data.read import read_manifest, read_split
from interference.store.arrays import open_array
from interference.store.tables import read_columns
from tests.support.pictures import DAMAGED, damage, make_folder, make_parquet, make_webdataset

pytestmark = pytest.mark.xdist_group("imagenet")

CORRUPT = sum(map(len, DAMAGED.values()))


def made(output, data):
    build({"data": data, "checksums": None, "code": {}}, output)
    return output


@pytest.fixture(scope="module")
def section(imagenet):
    """All of `imagenet`, as the preprint takes ImageNet but smaller."""
    return {
        "dataset": "image-folder",
        "root": str(imagenet),
        "image_size": 112,
        "pictures": {"resize": 128, "corrupt": "skip"},
        "train": 350,
        "heldout": 50,
        "evaluation": 100,
        "seed": 0,
    }


@pytest.fixture(scope="module")
def images(section, tmp_path_factory):
    return made(tmp_path_factory.mktemp("store") / "images.json", section)


def test_every_sound_picture_is_torchvisions_bit_for_bit(images, imagenet):
    content, table = read_manifest(images), read_columns(images.with_suffix(".parquet"))
    array = open_array(images.with_suffix(".zarr"), content["array"])
    steps = transforms.Compose([transforms.Resize(128), transforms.CenterCrop(112)])
    theirs = {part: ImageFolder(imagenet / part, steps) for part in ("train", "val")}
    assert len(array) == 500 - CORRUPT
    modes = set()
    for i, (split, label, source, name) in enumerate(
        zip(table["split"], table["label"], table["source"], table["name"], strict=True)
    ):
        folder = theirs["val" if split == "evaluation" else "train"]
        path, their_label = folder.samples[source]
        assert path.endswith(f"/{name}")
        assert label == their_label
        modes.add(Image.open(path).mode)
        picture, _ = folder[source]
        assert np.array_equal(array[i : i + 1][0], np.asarray(picture).transpose(2, 0, 1)), name
    assert modes == {"RGB", "L", "CMYK"}
    assert content["class_names"] == theirs["train"].classes


def test_splits_are_as_much_shorter_as_pictures_are_corrupt(images):
    content = read_manifest(images)
    train, val = (len(files) for files in DAMAGED.values())
    assert content["skipped"] == {"train": train, "test": val}
    assert content["splits"] == {
        "train": [0, 350],
        "heldout": [350, 400 - train],
        "evaluation": [400 - train, 500 - CORRUPT],
    }
    assert len(read_split(images, "heldout").pixels) == 50 - train


def test_skipped_pictures_are_listed_with_their_reasons(images):
    with images.with_suffix(".skipped.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    reasons = {
        "truncated": "truncated",
        "empty": "no bytes",
        "text": "not a picture",
        "sixteen bits": "more than 8 bits",
    }
    assert len(rows) == CORRUPT
    for part, files in DAMAGED.items():
        listed = {r["name"]: r["reason"] for r in rows if r["part"] == part.replace("val", "test")}
        assert listed.keys() == files.keys()
        for name, how in files.items():
            assert reasons[how] in listed[name]


def test_a_corrupt_picture_is_replaced_by_the_next_in_the_order(layouts, picture_data, tmp_path):
    skip = {"resize": 56, "corrupt": "skip"}
    names = {}
    for kind in ("sound", "damaged"):
        data = picture_data("image-folder", pictures=skip)
        if kind == "damaged":
            spoilt = names["sound"][[0, 85, 105]]  # of train, heldout and evaluation
            root = tmp_path / "damaged"
            shutil.copytree(layouts["image-folder"], root)
            for part, name in zip(("train", "train", "val"), spoilt, strict=True):
                damage(root / part / name, "truncated")
            data["root"] = str(root)
        more = data | {"heldout": 23, "evaluation": 17}
        whole = made(tmp_path / kind / "images.json", more if kind == "sound" else data)
        names[kind] = read_columns(whole.with_suffix(".parquet"))["name"]
    train, val = names["sound"][:103], names["sound"][103:]
    kept = [name for name in train if name not in spoilt][:100]
    spoilt_val = read_manifest(tmp_path / "damaged" / "images.json")["skipped"]["test"]
    assert names["damaged"][:100].tolist() == kept
    assert names["damaged"][100:].tolist() == [n for n in val if n not in spoilt][:16]
    assert spoilt_val == 1


def test_refusing_names_the_corrupt_pictures_of_both_parts_and_leaves_nothing(
    section, imagenet, tmp_path, capfd
):
    refuse = section | {"pictures": {"resize": 40, "corrupt": "refuse"}, "image_size": 32}
    with pytest.raises(DatasetError) as error:
        made(tmp_path / "store" / "images.json", refuse)
    message = str(error.value)
    assert message.startswith(f"{CORRUPT} of the pictures asked for are corrupt: n0144000")
    assert "; and 1 more; the log names all" in message
    assert "data.pictures.corrupt: skip" in message
    log = capfd.readouterr().err
    assert all(name in log for files in DAMAGED.values() for name in files)
    assert list((tmp_path / "store").iterdir()) == []


def test_a_split_with_no_sound_picture_is_refused(layouts, picture_data, tmp_path):
    root = tmp_path / "damaged"
    shutil.copytree(layouts["image-folder"], root)
    for file in (root / "val").rglob("*.JPEG"):
        damage(file, "empty")
    data = picture_data("image-folder", root=str(root), pictures={"resize": 56, "corrupt": "skip"})
    with pytest.raises(
        DatasetError, match=r"data\.evaluation: 16 images .* none is left: 28 pict.*no bytes"
    ):
        made(tmp_path / "store" / "images.json", data)


def test_a_split_of_which_one_class_is_left_is_refused(layouts, picture_data, tmp_path):
    root = tmp_path / "damaged"
    shutil.copytree(layouts["image-folder"], root)
    for file in (root / "val").rglob("*.JPEG"):
        if file.parent.name != "n01440002":
            damage(file, "empty")
    data = picture_data("image-folder", root=str(root), pictures={"resize": 56, "corrupt": "skip"})
    with pytest.raises(
        DatasetError, match=r"data\.evaluation: 16 .* are of one class, n01440002; at"
    ):
        made(tmp_path / "store" / "images.json", data)


def test_a_thin_picture_is_skipped_and_listed(layouts, picture_data, tmp_path):
    root = tmp_path / "thin"
    shutil.copytree(layouts["image-folder"], root)
    files = sorted((root / "train").rglob("*.JPEG"))
    Image.new("P", (1, 40_000)).save(files[0], "GIF")
    assert files[0].stat().st_size < 400
    data = picture_data(
        "image-folder", root=str(root), pictures={"resize": 56, "corrupt": "skip"}, train=100
    )
    images = made(tmp_path / "store" / "images.json", data)
    assert read_manifest(images)["skipped"] == {"train": 1, "test": 0}
    assert "56 x 2240000 after the resize" in images.with_suffix(".skipped.csv").read_text()


@pytest.mark.parametrize("dataset", ["image-folder", "image-parquet", "image-webdataset"])
def test_pictures_of_one_class_are_refused_in_every_layout(dataset, picture_data, tmp_path):
    make = {"image-folder": make_folder, "image-parquet": make_parquet}.get(
        dataset, make_webdataset
    )
    make(tmp_path / "one", classes=1, per_class=30, seed=0)
    data = picture_data(dataset, root=str(tmp_path / "one"), train=20, heldout=5, evaluation=4)
    with pytest.raises(DatasetError, match=r"one class .*at least two"):
        made(tmp_path / "store" / "images.json", data)


def test_a_resize_beyond_all_bounds_is_refused(picture_data, tmp_path):
    data = picture_data("image-folder", pictures={"resize": 20_000, "corrupt": "skip"})
    with pytest.raises(
        DatasetError, match=r"data.pictures.resize: 20000 x 20000 pixels, more than"
    ):
        made(tmp_path / "images.json", data)


def test_a_resize_smaller_than_the_crop_is_refused(picture_data, tmp_path):
    data = picture_data("image-folder", pictures={"resize": 47, "corrupt": "skip"})
    with pytest.raises(DatasetError, match=r"data.pictures.resize: 47 is smaller than .*\(48\)"):
        made(tmp_path / "images.json", data)


def test_the_log_says_how_fast_pictures_were_decoded(picture_data, tmp_path, capfd):
    made(tmp_path / "images.json", picture_data("image-folder"))
    log = capfd.readouterr().err
    assert "train: 100 pictures decoded and stored in" in log
    assert "images/s" in log
    assert "MB/s read, 0 corrupt" in log


MEMORY = """
import json, resource, sys
from pathlib import Path
from interference.data.images import run as build
if __name__ == "__main__":
    build({"data": json.loads(sys.argv[1]), "checksums": None}, Path(sys.argv[2]))
    # this program's own: ru_maxrss has that of the process which started it, too
    (own,) = [x for x in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in x]
    print(own.split()[1], resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def test_peak_memory_does_not_grow_with_the_number_of_images(
    section, imagenet, tmp_path, monkeypatch
):
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "2")
    shutil.copytree(imagenet / "val", tmp_path / "many" / "val")
    for time in range(3):  # each picture thrice
        for file in (imagenet / "train").rglob("*.JPEG"):
            link = tmp_path / "many" / "train" / file.parent.name / f"{time}_{file.name}"
            link.parent.mkdir(parents=True, exist_ok=True)
            os.link(file, link)
    script = tmp_path / "build.py"
    script.write_text(MEMORY)
    peaks = []
    for count in (200, 1000):  # 30 and 150 MB of pixels at 224 pixels a side
        edits = {"train": count - 20, "heldout": 10, "evaluation": 10, "image_size": 224}
        edits |= {"root": str(tmp_path / "many"), "pictures": {"resize": 256, "corrupt": "skip"}}
        data = section | edits
        command = [sys.executable, script, json.dumps(data), tmp_path / f"{count}" / "images.json"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks.append([int(kilobytes) for kilobytes in done.stdout.split()])
    # what waits between the processes differs by how busy the machine is, by a few tasks of 2.4 MB
    more = 800 * 3 * 224 * 224 / 1024
    for small, large in zip(*peaks, strict=True):
        assert large - small < 0.2 * more, peaks
