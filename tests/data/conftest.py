"""Small stand-ins for the files of real datasets, written as their authors write them."""

import csv
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from interference.data.fashion import FASHION_FILES
from interference.data.idx import idx_bytes
from interference.data.images import run as build
from interference.data.read import read_manifest
from tests.support import pictures


class Python2Pickler(pickle._Pickler):
    """Writes bytes and ASCII text as Python 2 wrote its strings, as CIFAR's authors did."""

    dispatch = pickle._Pickler.dispatch.copy()

    def save_string(self, value):
        raw = value.encode() if isinstance(value, str) else value
        self.write(b"T" + len(raw).to_bytes(4, "little") + raw)

    dispatch[bytes] = dispatch[str] = save_string


def python2_pickle(path: Path, value: object) -> None:
    """Pickle as Python 2 and numpy 1 did."""
    with path.open("wb") as file:
        Python2Pickler(file, protocol=2).dump(value)
    path.write_bytes(path.read_bytes().replace(b"numpy._core", b"numpy.core"))


@pytest.fixture
def fashion(tmp_path):
    """A folder with Fashion-MNIST's four files: 300 train and 80 test images, 10 classes."""
    rng = np.random.default_rng(1)
    folder = tmp_path / "fashion"
    folder.mkdir()
    for (images, labels), count in zip((FASHION_FILES[:2], FASHION_FILES[2:]), (300, 80)):
        pixels = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        classes = rng.permutation(np.arange(count) % 10).astype(np.uint8)
        (folder / images).write_bytes(idx_bytes(pixels))
        (folder / labels).write_bytes(idx_bytes(classes))
    return folder


@pytest.fixture
def data(fashion):
    """The data section of a config that reads `fashion`."""
    return {
        "dataset": "fashion-mnist",
        "root": str(fashion),
        "image_size": None,
        "train": 200,
        "heldout": 50,
        "evaluation": 60,
        "seed": 0,
    }


@pytest.fixture
def cifar(tmp_path):
    """A folder with CIFAR-10 and CIFAR-100 in torchvision's layout, 20 images a file."""
    rng = np.random.default_rng(2)

    def batch(classes, key):
        pixels = rng.integers(0, 256, (20, 3072), dtype=np.uint8)
        labels = [int(label) for label in rng.integers(0, classes, 20)]
        return {b"data": pixels, key: labels, b"batch_label": b"a stand-in"}

    ten, hundred = tmp_path / "cifar-10-batches-py", tmp_path / "cifar-100-python"
    for folder in (ten, hundred):
        folder.mkdir()
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        python2_pickle(ten / name, batch(10, b"labels"))
    python2_pickle(ten / "batches.meta", {b"label_names": [b"c%d" % i for i in range(10)]})
    for name in ("train", "test"):
        python2_pickle(hundred / name, batch(100, b"fine_labels"))
    python2_pickle(hundred / "meta", {b"fine_label_names": [b"f%d" % i for i in range(100)]})
    return tmp_path


@pytest.fixture(scope="session")
def imagenet(tmp_path_factory):
    """An ImageNet-like folder: 10 classes, 400 training and 100 val pictures, six damaged."""
    root = tmp_path_factory.mktemp("imagenet")
    pictures.make_folder(root, classes=10, per_class=40, seed=0)
    for part, files in pictures.DAMAGED.items():
        for name, how in files.items():
            pictures.damage(root / part / name, how)
    return root


@pytest.fixture(scope="session")
def layouts(tmp_path_factory):
    """Dataset → root: the same 4 classes × (30 + 7) pictures in each layout."""
    makers = {
        "image-folder": pictures.make_folder,
        "image-parquet": pictures.make_parquet,
        "image-webdataset": pictures.make_webdataset,
    }
    roots = {}
    for dataset, make in makers.items():
        roots[dataset] = tmp_path_factory.mktemp("layouts") / dataset
        make(roots[dataset], classes=4, per_class=30, seed=1)
    return roots


@pytest.fixture
def picture_data(layouts):
    """The data section of a config for one of `layouts`."""

    def section(dataset, **edits):
        return {
            "dataset": dataset,
            "root": str(layouts[dataset]),
            "image_size": 48,
            "pictures": {"resize": 56, "corrupt": "refuse"},
            "train": 80,
            "heldout": 20,
            "evaluation": 16,
            "seed": 0,
        } | edits

    return section


@pytest.fixture
def copied(layouts, tmp_path):
    """Dataset → a copy of its layout, to be spoilt."""

    def copy(dataset):
        return shutil.copytree(layouts[dataset], tmp_path / dataset)

    return copy


@pytest.fixture
def made(picture_data, tmp_path):
    """Build the store of a dataset; returns the entries of its .skipped.csv and the manifest."""

    def make(dataset, root, pictures, **edits):
        data = picture_data(dataset, root=str(root), pictures=pictures, **edits)
        output = tmp_path / "store" / "images.json"
        build({"data": data, "checksums": None, "code": {}}, output)
        with output.with_suffix(".skipped.csv").open(newline="") as file:
            rows = {row["name"]: (row["part"], row["reason"]) for row in csv.DictReader(file)}
        return rows, read_manifest(output)

    return make
