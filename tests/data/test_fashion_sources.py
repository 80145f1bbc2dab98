"""Fashion-MNIST in IDX files: what ships with the repository, and what a user downloads."""

import gzip
import lzma
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from interference.config.facts import RESOURCES
from interference.data.errors import DatasetError
from interference.data.fashion import (
    FASHION_CLASSES,
    FASHION_FILES,
    read_embedded,
)
from interference.data.idx import idx_bytes, read_idx
from interference.data.sources import load
from interference.data.subset import PER_CLASS, make, select

EMBEDDED = RESOURCES / "fashion-mnist-subset"
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
IMAGES, LABELS = FASHION_FILES[:2]


@pytest.fixture(scope="module")
def shipped():
    return load("fashion-mnist-subset", None, None)


def test_shipped_subset_is_balanced_and_has_the_announced_size(shipped):
    for part, count in ((shipped.train, 1_200), (shipped.test, 200)):
        assert part.shape == (1, 28, 28)
        assert np.bincount(part.labels).tolist() == [count] * 10
    assert shipped.class_names == list(FASHION_CLASSES)


def test_shipped_files_are_small_and_carry_their_licence():
    assert sum(file.stat().st_size for file in EMBEDDED.iterdir()) < 8e6
    assert "Zalando" in (EMBEDDED / "LICENSE").read_text()


def test_a_flipped_byte_in_a_shipped_file_is_refused(tmp_path):
    folder = shutil.copytree(EMBEDDED, tmp_path / "copy")
    file = folder / f"{LABELS}.xz"
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes(content)
    with pytest.raises(DatasetError, match=f"{LABELS}.xz is not what SHA256SUMS says"):
        read_embedded(folder, None)
    file.unlink()
    with pytest.raises(DatasetError, match=f"{LABELS}.xz is missing"):
        read_embedded(folder, None)


@pytest.mark.skipif(
    not DEBIAN.is_dir() and not os.environ.get("CI"),
    reason="needs the package dataset-fashion-mnist",
)
def test_shipped_subset_is_the_documented_selection_of_the_original(shipped):
    whole = load("fashion-mnist", str(DEBIAN), None)
    for name in ("train", "test"):
        ours, theirs = getattr(shipped, name), getattr(whole, name)
        kept = select(theirs.labels, name, PER_CLASS[name])
        assert np.array_equal(ours.labels, theirs.labels[kept])
        everything = np.arange(len(kept))
        assert np.array_equal(ours.pixels(everything), theirs.pixels(kept))


def test_subset_maker_repeats_its_bytes_and_keeps_images_with_their_labels(fashion, tmp_path):
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        make(fashion, folder, {"train": 7, "test": 3})
    for file in folders[0].iterdir():
        assert file.read_bytes() == (folders[1] / file.name).read_bytes()
    subset, whole = read_embedded(folders[0], None), load("fashion-mnist", str(fashion), None)
    assert np.bincount(subset.train.labels).tolist() == [7] * 10
    kept = select(whole.train.labels, "train", 7)
    assert np.array_equal(subset.train.pixels(np.arange(70)), whole.train.pixels(kept))
    assert np.array_equal(subset.train.labels, whole.train.labels[kept])


def test_subset_maker_refuses_a_source_with_too_few_images(fashion, tmp_path):
    with pytest.raises(DatasetError, match=r"train: 31 images of class 0 asked for.* has 30"):
        make(fashion, tmp_path / "out", {"train": 31, "test": 3})


@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=1, max_dims=3, min_side=0)))
def test_idx_gives_back_what_was_written(tmp_path_factory, array):
    path = tmp_path_factory.mktemp("idx") / "file"
    path.write_bytes(idx_bytes(array))
    assert np.array_equal(read_idx(path, array.ndim), array)


@given(st.binary(max_size=40))
def test_idx_of_any_other_bytes_is_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("idx") / "file"
    path.write_bytes(content)
    with pytest.raises(DatasetError):
        read_idx(path, axes=3)


@pytest.mark.parametrize(("suffix", "compress"), [(".gz", gzip.compress), (".xz", lzma.compress)])
def test_cut_short_or_damaged_compressed_file_is_refused(tmp_path, suffix, compress):
    path = tmp_path / f"file{suffix}"
    content = compress(idx_bytes(np.arange(200, dtype=np.uint8)))
    path.write_bytes(content)
    assert len(read_idx(path, axes=1)) == 200
    for damaged in (content[:-20], b"no archive", b""):
        path.write_bytes(damaged)
        with pytest.raises(DatasetError, match=f"file{suffix}"):
            read_idx(path, axes=1)


@pytest.mark.parametrize("layout", ["plain", "gz", "torchvision", "torchvision-gz"])
def test_fashion_mnist_is_found_in_every_layout(fashion, tmp_path, layout):
    root = tmp_path / "root"
    folder = root / "FashionMNIST" / "raw" if "torchvision" in layout else root
    folder.mkdir(parents=True)
    for name in FASHION_FILES:
        content = (fashion / name).read_bytes()
        if "gz" in layout:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)
    found = load("fashion-mnist", str(root), None)
    assert len(found.train.labels) == 300
    expected = read_idx(fashion / IMAGES, axes=3)[[3, 1]][:, None]
    assert np.array_equal(found.train.pixels(np.array([3, 1])), expected)


def test_missing_files_are_named_with_where_to_get_them(fashion):
    (fashion / LABELS).unlink()
    with pytest.raises(DatasetError) as error:
        load("fashion-mnist", str(fashion), None)
    for words in (
        LABELS,
        str(fashion),
        "FashionMNIST/raw",
        "download=True",
        "dataset-fashion-mnist",
    ):
        assert words in str(error.value)
    assert IMAGES not in str(error.value)


def test_images_and_labels_that_differ_in_number_are_refused(fashion):
    (fashion / LABELS).write_bytes(idx_bytes(np.zeros(299, np.uint8)))
    with pytest.raises(DatasetError, match="300 images but 299 labels"):
        load("fashion-mnist", str(fashion), None)


def test_labels_outside_the_classes_are_refused(fashion):
    (fashion / LABELS).write_bytes(idx_bytes(np.full(300, 10, np.uint8)))
    with pytest.raises(DatasetError, match="labels from 10 to 10, expected 0 to 9"):
        load("fashion-mnist", str(fashion), None)


def test_parts_of_different_image_size_are_refused(fashion):
    (fashion / IMAGES).write_bytes(idx_bytes(np.zeros((300, 8, 8), np.uint8)))
    with pytest.raises(DatasetError, match=r"\(1, 8, 8\).*\(1, 28, 28\)"):
        load("fashion-mnist", str(fashion), None)


def test_image_size_resizes_and_keeps_constant_images_constant(fashion):
    constant = np.full((300, 28, 28), 77, np.uint8)
    (fashion / IMAGES).write_bytes(idx_bytes(constant))
    part = load("fashion-mnist", str(fashion), 16).train
    pixels = part.pixels(np.array([0, 5]))
    assert part.shape == (1, 16, 16)
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, np.full((2, 1, 16, 16), 77))
