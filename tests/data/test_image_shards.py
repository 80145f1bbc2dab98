"""Pictures in Parquet files and in tars: the same images as from a folder, and clear refusals."""

import json
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interference.data.errors import DatasetError
from interference.data.images import run as build
from interference.data.read import read_manifest, read_split
from interference.data.sources import load
from interference.data.webdataset import index
from interference.store.tables import read_columns
from tests.support import pictures

pytestmark = pytest.mark.xdist_group("imagenet")

DATASETS = ("image-folder", "image-parquet", "image-webdataset")


def made(output, data):
    build({"data": data, "checksums": None, "code": {}}, output)
    return output


@pytest.fixture(scope="module")
def everything(layouts, tmp_path_factory):
    """Dataset → a store of all of its pictures."""
    stores = {}
    for dataset in DATASETS:
        data = {
            "dataset": dataset,
            "root": str(layouts[dataset]),
            "image_size": 48,
            "pictures": {"resize": 56, "corrupt": "refuse"},
            "train": 100,
            "heldout": 20,
            "evaluation": 28,
            "seed": 0,
        }
        stores[dataset] = made(tmp_path_factory.mktemp("stores") / "images.json", data)
    return stores


def names(images):
    """Names of the files in the store's order."""
    return read_columns(images.with_suffix(".parquet"))["name"].tolist()


def by_file(images):
    """Name of a file, without folder and ending → its label and pixels in the store."""
    files, found = names(images), {}
    for split in ("train", "heldout", "evaluation"):
        content = read_split(images, split)
        for i, label, pixels in zip(
            content.indices, content.labels, content.pixels[:], strict=True
        ):
            stem = files[i].rpartition("/")[2].partition(".")[0]
            found[stem] = (int(label), pixels.tobytes())
    return found


@pytest.mark.parametrize("dataset", DATASETS[1:])
def test_shards_give_the_images_of_the_folder(everything, dataset):
    folder, shards = by_file(everything["image-folder"]), by_file(everything[dataset])
    assert len(folder) == 148
    assert shards == folder


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_split_is_balanced_and_so_are_its_first_images(everything, dataset):
    for split, count in (("train", 25), ("heldout", 5), ("evaluation", 7)):
        assert np.bincount(read_split(everything[dataset], split).labels).tolist() == [count] * 4
    assert np.bincount(read_split(everything[dataset], "train", 40).labels).tolist() == [10] * 4


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_subset_is_the_first_of_the_whole_and_another_seed_gives_another(
    everything, picture_data, tmp_path, dataset
):
    whole = names(everything[dataset])
    same, other = (
        names(made(tmp_path / str(seed) / "images.json", picture_data(dataset, seed=seed)))
        for seed in (0, 1)
    )
    assert same == whole[:100] + whole[120:136]
    assert len(set(same)) == len(set(other)) == 116
    assert set(same) != set(other)


def test_names_and_classes_are_those_of_the_layout(everything):
    classes = [pictures.class_name(label) for label in range(4)]
    assert read_manifest(everything["image-folder"])["class_names"] == classes
    assert read_manifest(everything["image-parquet"])["class_names"] == classes
    assert read_manifest(everything["image-webdataset"])["class_names"] == ["0", "1", "2", "3"]
    last = [names(everything[dataset])[-1] for dataset in DATASETS]
    assert last[0].startswith("n0144000")
    assert last[1].startswith("ILSVRC2012_val_")
    assert last[2].startswith("imagenet-val-000")
    assert read_manifest(everything["image-parquet"])["skipped"] == {"train": 0, "test": 0}


def test_nothing_temporary_is_left_beside_a_store(everything):
    for images in everything.values():
        assert {path.name for path in images.parent.iterdir()} == {
            "images.json", "images.parquet", "images.skipped.csv", "images.zarr",
        }  # fmt: skip


# Parquet


def write_parquet(folder, word, images, labels, **columns):
    folder.mkdir(parents=True, exist_ok=True)
    table = pa.table({"image": images, "label": labels} | columns)
    pq.write_table(table, folder / f"{word}-00000-of-00001.parquet", row_group_size=2)


def picture(label, number=0):
    return {"bytes": pictures.jpeg(label, number, 0), "path": None}


def test_parquet_without_paths_or_class_names_has_files_and_rows_for_names(tmp_path):
    three = [picture(0), picture(1), picture(2)]
    write_parquet(tmp_path, "train", three, [0, 1, 2])
    write_parquet(tmp_path, "val", [picture(1), {"bytes": None, "path": None}], [1, 0])
    found = load("image-parquet", str(tmp_path), 16)
    assert found.class_names == ["0", "1", "2"]
    settings = {"resize": 16, "corrupt": "skip"}
    (block,) = found.train.stream(np.array([2, 0, 1]), 3, settings, tmp_path)
    assert block.names == [f"train-00000-of-00001.parquet:{row}" for row in (2, 0, 1)]
    (block,) = found.test.stream(np.array([1, 0]), 2, settings, tmp_path)
    assert block.corrupt == [("val-00000-of-00001.parquet:1", "no bytes")]
    assert block.indices.tolist() == [0]


def test_validation_is_taken_before_test_whose_labels_may_be_missing(tmp_path):
    write_parquet(tmp_path, "train", [picture(0)], [0])
    write_parquet(tmp_path, "test", [picture(0)], [-1])
    with pytest.raises(DatasetError, match=r"test-0.*: labels from -1 to -1, expected 0 to 0"):
        load("image-parquet", str(tmp_path), 16)
    write_parquet(tmp_path / "data", "validation", [picture(0), picture(0)], [0, 0])
    assert len(load("image-parquet", str(tmp_path), 16).test.labels) == 2


def test_parquet_of_other_columns_is_refused_with_what_it_has(tmp_path):
    write_parquet(tmp_path, "train", [b"bytes"], [0])
    write_parquet(tmp_path, "test", [picture(0)], [0])
    with pytest.raises(
        DatasetError, match="columns image: binary, label: int64; it needs image, a"
    ):
        load("image-parquet", str(tmp_path), 16)
    write_parquet(tmp_path, "train", [picture(0), picture(1)], pa.array([0, None]))
    with pytest.raises(DatasetError, match="1 of 2 labels are missing"):
        load("image-parquet", str(tmp_path), 16)


def test_missing_and_damaged_parquet_is_named(tmp_path):
    write_parquet(tmp_path, "train", [picture(0)], [0])
    with pytest.raises(DatasetError, match=r"no validation-\*.parquet or val-.* in "):
        load("image-parquet", str(tmp_path), 16)
    (tmp_path / "test-0.parquet").write_bytes(b"no parquet")
    with pytest.raises(DatasetError, match=r"test-0\.parquet is damaged"):
        load("image-parquet", str(tmp_path), 16)


# webdataset


def write_tar(path, **members):
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            pictures.add(tar, name.replace("__", "."), content)
    return path


def test_labels_are_read_from_cls_or_json(tmp_path):
    content = pictures.jpeg(0, 0, 0)
    tar = write_tar(
        tmp_path / "a.tar",
        a__jpg=content, a__json=b'{"label": 3, "width": 9}',
        b__json=json.dumps({"width": 9}).encode(), b__cls=b" 4\n", b__JPEG=content,
        c__png=content, c__cls=b"5", c__json=b'{"label": 6}', c__txt=b"ignored",
    )  # fmt: skip
    found = index(tar)
    assert found.names == ["a.jpg", "b.JPEG", "c.png"]
    assert found.labels.tolist() == [3, 4, 5]
    raw = tar.read_bytes()
    for offset, length in zip(found.offsets, found.lengths, strict=True):
        assert raw[offset : offset + length] == content


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"a__jpg": b"x"}, "a has no label or no picture"),
        ({"a__jpg": b"x", "a__cls": b"cat"}, "a has no label or no picture"),
        ({"a__jpg": b"x", "a__json": b'{"label": true}'}, "a has no label or no picture"),
        ({"a__cls": b"1"}, "a has no label or no picture"),
        ({"a__jpg": b"x", "a__png": b"x", "a__cls": b"1"}, "a has two pictures"),
        ({"a__txt": b"x"}, "it holds no pictures"),
    ],
)
def test_a_tar_of_another_form_is_refused(tmp_path, members, message):
    with pytest.raises(DatasetError, match=message):
        index(write_tar(tmp_path / "a.tar", **members))


def test_a_cut_tar_and_a_missing_one_are_named(tmp_path):
    tar = write_tar(tmp_path / "set-train-0001.tar", a__jpg=bytes(9000), a__cls=b"0")
    with pytest.raises(DatasetError, match=r"no \*val\*-NNNN.tar or \*test\*-NNNN.tar in"):
        load("image-webdataset", str(tmp_path), 16)
    (tmp_path / "set-test-7.tar").write_bytes(tar.read_bytes()[:4000])
    with pytest.raises(DatasetError, match=r"set-test-7\.tar is damaged"):
        load("image-webdataset", str(tmp_path), 16)


def test_labels_of_the_second_part_are_among_those_of_the_first(tmp_path):
    write_tar(tmp_path / "train-0.tar", a__jpg=b"x", a__cls=b"0")
    write_tar(tmp_path / "validation-0.tar", a__jpg=b"x", a__cls=b"1")
    with pytest.raises(
        DatasetError, match=r"validation-0\.tar: labels from 1 to 1, expected 0 to 0"
    ):
        load("image-webdataset", str(tmp_path), 16)
