"""The image store: disjoint deterministic splits, exact statistics, and damage is noticed."""

import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interference.data.errors import DatasetError
from interference.data.fashion import FASHION_FILES
from interference.data.idx import idx_bytes, read_idx
from interference.data.images import (
    channel_histogram,
    check_shipped,
    statistics,
    stratified_order,
)
from interference.data.images import run as build
from interference.data.labels import UNTAKEN, taken
from interference.data.read import read_manifest, read_split
from interference.data.sources import load
from interference.store.files import StoreError
from interference.store.tables import read_columns, write_table

SPLITS = {"train": 200, "heldout": 50, "evaluation": 60}


def made(folder, data):
    output = folder / "images.json"
    build({"data": data, "checksums": None, "code": {}}, output)
    return output


@pytest.fixture
def images(data, tmp_path):
    return made(tmp_path / "store", data)


def test_store_holds_the_images_that_its_table_says(images, data):
    source = load("fashion-mnist", data["root"], None)
    table = read_columns(images.with_suffix(".parquet"))
    assert table["image"].tolist() == list(range(310))
    for name, count in SPLITS.items():
        part = source.test if name == "evaluation" else source.train
        split = read_split(images, name)
        origin = table["source"][split.indices]
        assert set(table["split"][split.indices]) == {name}
        assert len(split.pixels) == count
        assert np.array_equal(split.pixels[:], part.pixels(origin))
        assert np.array_equal(split.labels, part.labels[origin])


def test_no_image_is_in_two_splits(images):
    table = read_columns(images.with_suffix(".parquet"))
    parts = table["split"] == "evaluation"
    for part in (parts, ~parts):
        assert len(set(table["source"][part])) == part.sum()


def test_every_split_is_balanced_and_so_are_its_first_images(images):
    for name, count in SPLITS.items():
        assert np.bincount(read_split(images, name).labels).tolist() == [count // 10] * 10
    assert np.bincount(read_split(images, "evaluation", 20).labels).tolist() == [2] * 10


def test_equal_seeds_give_equal_bytes_and_others_another_split(data, tmp_path):
    first, again = made(tmp_path / "a", data), made(tmp_path / "b", data)
    for suffix in (".json", ".parquet"):
        assert first.with_suffix(suffix).read_bytes() == again.with_suffix(suffix).read_bytes()
    other = made(tmp_path / "c", data | {"seed": 1})
    orders = [read_columns(path.with_suffix(".parquet"))["source"] for path in (first, other)]
    assert not np.array_equal(*orders)


def test_a_larger_evaluation_does_not_change_the_training_images(data, tmp_path):
    first, other = made(tmp_path / "a", data), made(tmp_path / "b", data | {"evaluation": 80})
    assert np.array_equal(
        read_split(first, "train").pixels[:], read_split(other, "train").pixels[:]
    )


def test_statistics_are_numpys_over_the_train_split(cifar, data, tmp_path):
    data |= {"dataset": "cifar10", "root": str(cifar), "train": 60, "heldout": 20, "evaluation": 20}
    images = made(tmp_path / "store", data)
    manifest = read_manifest(images)
    pixels = read_split(images, "train").pixels[:].astype(np.float64) / 255
    assert len(manifest["mean"]) == 3
    np.testing.assert_allclose(manifest["mean"], pixels.mean(axis=(0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(manifest["std"], pixels.std(axis=(0, 2, 3)), rtol=1e-12)


def test_manifest_says_what_the_store_is(images, data):
    manifest = read_manifest(images)
    assert manifest["spec"]["data"] == data
    assert manifest["splits"] == {
        "train": [0, 200],
        "heldout": [200, 250],
        "evaluation": [250, 310],
    }
    assert manifest["array"]["shape"] == [310, 1, 28, 28]
    assert (manifest["classes"], manifest["class_names"][9]) == (10, "Ankle boot")


@given(st.lists(st.integers(0, 4), min_size=1, max_size=200), st.integers(0, 99))
def test_every_stretch_has_the_classes_in_proportion(labels, seed):
    labels = np.array(labels)
    order = stratified_order(labels, (seed,))
    assert sorted(order) == list(range(len(labels)))
    share = np.bincount(labels) / len(labels)
    for stop in range(1, len(labels) + 1):
        counts = np.bincount(labels[order[:stop]], minlength=len(share))
        assert np.abs(counts - share * stop).max() <= len(share) / 2 + 0.5


def test_the_first_classes_alone_are_taken_in_the_order_of_the_split(data, tmp_path):
    source = load("fashion-mnist", data["root"], None)
    data |= {"classes": 3, "train": 60, "heldout": 15, "evaluation": 18}
    images = made(tmp_path / "three", data)
    manifest, table = read_manifest(images), read_columns(images.with_suffix(".parquet"))
    assert manifest["classes"] == len(manifest["class_names"]) == 3
    for name, count in {"train": 60, "heldout": 15, "evaluation": 18}.items():
        part = source.test if name == "evaluation" else source.train
        split = read_split(images, name)
        origin = table["source"][split.indices]
        assert np.bincount(split.labels).tolist() == [count // 3] * 3
        assert np.array_equal(split.labels, part.labels[origin])
        assert np.array_equal(split.pixels[:], part.pixels(origin))


def test_all_classes_by_number_are_all_classes(images, data, tmp_path):
    again = made(tmp_path / "again", data | {"classes": 10})
    for split in SPLITS:
        assert np.array_equal(
            read_split(again, split).pixels[:], read_split(images, split).pixels[:]
        )
        assert np.array_equal(read_split(again, split).labels, read_split(images, split).labels)


def test_shuffled_labels_keep_their_numbers_and_tell_nothing_of_the_image(data, tmp_path):
    source = load("fashion-mnist", data["root"], None)
    data |= {"labels": "shuffled", "classes": 5, "train": 100, "heldout": 25, "evaluation": 40}
    images, again = made(tmp_path / "a", data), made(tmp_path / "b", data)
    assert images.with_suffix(".parquet").read_bytes() == again.with_suffix(".parquet").read_bytes()
    table = read_columns(images.with_suffix(".parquet"))
    for name, count in {"train": 100, "heldout": 25, "evaluation": 40}.items():
        part = source.test if name == "evaluation" else source.train
        split = read_split(images, name)
        origin = table["source"][split.indices]
        assert np.bincount(split.labels).tolist() == [count // 5] * 5
        assert set(part.labels[origin]) <= set(range(5))
        # a fifth of all, by chance; five deviations of it
        right = (split.labels == part.labels[origin]).mean()
        assert abs(right - 0.2) < 5 * np.sqrt(0.2 * 0.8 / count)


@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=300),
    st.none() | st.integers(2, 7),
    st.integers(0, 99),
)
def test_labels_that_are_taken_are_dealt_out_among_their_own_images(labels, classes, seed):
    labels = np.array(labels)
    own = taken(labels, classes, None, (seed, 0))
    dealt = taken(labels, classes, "shuffled", (seed, 0))
    kept = labels < (classes or 7)
    assert np.array_equal(own, np.where(kept, labels, UNTAKEN))
    assert np.array_equal(dealt != UNTAKEN, kept)
    assert sorted(dealt) == sorted(own)
    assert np.array_equal(dealt, taken(labels, classes, "shuffled", (seed, 0)))


def test_more_classes_than_a_dataset_of_files_has_are_refused(data, tmp_path):
    with pytest.raises(
        DatasetError, match=r"data\.classes: 11 asked for, fashion-mnist has 10 there"
    ):
        made(tmp_path / "store", data | {"classes": 11})


def test_more_images_than_the_classes_taken_have_are_refused(data, tmp_path):
    with pytest.raises(DatasetError, match="there of its first 2 classes"):
        made(tmp_path / "store", data | {"classes": 2, "train": 5000})


def one_class(fashion, part):
    labels = FASHION_FILES[1 if part == "train" else 3]
    count = len(read_idx(fashion / labels, axes=1))
    (fashion / labels).write_bytes(idx_bytes(np.full(count, 4, np.uint8)))


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_dataset_of_one_class_is_refused_and_leaves_nothing(fashion, data, tmp_path, part):
    one_class(fashion, part)
    with pytest.raises(
        DatasetError, match=rf"the {part} part has images of one class only, Coat, .*at least two"
    ):
        made(tmp_path / "store", data)
    assert not (tmp_path / "store").exists()


def test_cifar_of_one_class_is_refused(cifar, data, tmp_path):
    file = cifar / "cifar-100-python" / "train"
    batch = {b"data": np.zeros((40, 3072), np.uint8), b"fine_labels": [7] * 40}
    file.write_bytes(pickle.dumps(batch, protocol=4))
    data |= {"dataset": "cifar100", "root": str(cifar), "train": 20, "heldout": 10, "evaluation": 9}
    with pytest.raises(
        DatasetError, match=r"cifar100 in .*: the train part has images of one class"
    ):
        made(tmp_path / "store", data)


@pytest.mark.parametrize("split", ["train", "evaluation"])
def test_a_split_of_one_class_is_refused(data, tmp_path, split):
    with pytest.raises(
        DatasetError, match=rf"data.{split}: 1 images asked for, .* of one class, .*two"
    ):
        made(tmp_path / "store", data | {split: 1})
    assert list((tmp_path / "store").iterdir()) == []


def test_constant_training_images_are_refused():
    pixels = np.full((4, 1, 8, 8), 9, np.uint8)
    with pytest.raises(DatasetError, match="nothing to learn"):
        statistics(channel_histogram(pixels))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": 260}, r"data.train \+ heldout: 260 \+ 50 images asked for, .* has 300"),
        ({"evaluation": 81}, "data.evaluation: 81 images asked for, .* has 80"),
    ],
)
def test_more_images_than_there_are_is_an_error_and_leaves_nothing(data, tmp_path, change, message):
    with pytest.raises(DatasetError, match=message):
        made(tmp_path / "store", data | change)
    assert not (tmp_path / "store").exists()


def test_shipped_files_other_than_planned_are_refused():
    with pytest.raises(DatasetError, match="SHA256SUMS changed after this job was planned"):
        check_shipped("fashion-mnist-subset", "0" * 16)


def test_reading_more_than_a_split_has_is_an_error(images):
    assert len(read_split(images, "heldout", 7).labels) == 7
    with pytest.raises(StoreError, match=r"51 heldout images asked for, .* has 50"):
        read_split(images, "heldout", 51)


def shard_of(images):
    (shard,) = [file for file in (images.with_suffix(".zarr") / "c").rglob("*") if file.is_file()]
    return shard


@pytest.mark.parametrize("count", [None, 1])
def test_a_flipped_byte_is_noticed_by_any_read_of_its_chunk(images, count):
    shard = shard_of(images)
    content = bytearray(shard.read_bytes())
    content[5000] ^= 1
    shard.write_bytes(content)
    with pytest.raises(StoreError, match="damaged"):
        read_split(images, "evaluation", count).pixels[:]


def test_a_missing_shard_is_noticed(images):
    shard_of(images).unlink()
    with pytest.raises(StoreError, match="1 of 1 shards are missing"):
        read_split(images, "train")


@pytest.mark.parametrize("suffix", [".json", ".zarr", ".parquet"])
def test_a_missing_file_is_named(images, suffix):
    images.with_suffix(suffix).rename(images.with_name("elsewhere"))
    with pytest.raises(StoreError, match=f"images{suffix} is missing"):
        read_split(images, "train")


def test_labels_of_another_store_are_refused(images):
    table = images.with_suffix(".parquet")
    columns = read_columns(table)
    write_table(table, columns | {"label": columns["label"][::-1].copy()}, {})
    with pytest.raises(StoreError, match="labels are not those of its manifest"):
        read_split(images, "train")
    table.write_bytes(b"damaged")
    with pytest.raises(StoreError, match=r"images\.parquet is damaged"):
        read_split(images, "train")


def test_a_manifest_of_something_else_is_refused(images):
    images.write_text(json.dumps({"spec": {}}))
    with pytest.raises(StoreError, match="not the manifest of an image store"):
        read_manifest(images)


def test_reading_images_loads_neither_torch_nor_pandas_nor_pillow():
    code = "import sys, interference.data.read; print([m for m in ('torch', 'pandas', 'PIL') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
