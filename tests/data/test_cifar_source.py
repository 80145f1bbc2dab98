"""CIFAR's pickles are read as the originals are written, and run nothing."""

import os
import pickle

import numpy as np
import pytest

from interference.data.cifar import unpickle
from interference.data.errors import DatasetError
from interference.data.sources import load


@pytest.mark.parametrize(
    ("dataset", "classes", "count"), [("cifar10", 10, 100), ("cifar100", 100, 20)]
)
def test_cifar_is_read_from_python_2_pickles(cifar, dataset, classes, count):
    found = load(dataset, str(cifar), None)
    assert len(found.class_names) == classes
    assert len(found.train.labels) == count
    assert len(found.test.labels) == 20
    assert found.test.pixels(np.array([0, 3])).shape == (2, 3, 32, 32)


def test_cifar_images_are_planes_of_red_green_blue(cifar):
    folder = cifar / "cifar-100-python"
    rows = np.repeat(np.array([[10, 20, 30]], np.uint8), 1024, axis=1)
    batch = {b"data": rows, b"fine_labels": [99]}
    (folder / "train").write_bytes(pickle.dumps(batch, protocol=4))
    train = load("cifar100", str(cifar), None).train
    assert train.pixels(np.array([0]))[0, :, 0, 0].tolist() == [10, 20, 30]
    assert train.labels.tolist() == [99]
    small = load("cifar100", str(cifar), 8).train
    assert small.pixels(np.array([0]))[0, :, 7, 7].tolist() == [10, 20, 30]


class Malicious:
    """Unpickling this creates a file, if anything runs."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_malicious_pickle_is_refused_and_nothing_runs(cifar, tmp_path, protocol):
    trace = tmp_path / "it ran"
    content = pickle.dumps({"data": Malicious(trace)}, protocol=protocol)
    (cifar / "cifar-10-batches-py" / "data_batch_3").write_bytes(content)
    with pytest.raises(DatasetError, match=r"data_batch_3 is not a CIFAR file .*mkdir"):
        load("cifar10", str(cifar), None)
    assert not trace.exists()


@pytest.mark.parametrize("name", ["builtins eval", "numpy load", "numpy.core.multiarray scalar"])
def test_no_other_name_is_admitted(tmp_path, name):
    path = tmp_path / "batch"
    path.write_bytes(b"c" + name.replace(" ", "\n").encode() + b"\n.")
    with pytest.raises(DatasetError, match="no part of CIFAR"):
        unpickle(path)


def test_missing_cifar_files_are_named_with_where_to_get_them(cifar):
    (cifar / "cifar-10-batches-py" / "data_batch_4").unlink()
    with pytest.raises(DatasetError, match=r"data_batch_4 not found in .*CIFAR10.*download=True"):
        load("cifar10", str(cifar), None)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ({b"data": np.zeros((2, 3072), np.uint8), b"fine_labels": [1]}, "2 images but 1 labels"),
        ({b"data": np.zeros((2, 3072), np.float32), b"fine_labels": [1, 2]}, "no uint8 array"),
        ({b"data": np.zeros((2, 3072), np.uint8)}, "no list of numbers `fine_labels`"),
        ([1, 2], "holds no dict"),
    ],
)
def test_a_batch_of_another_form_is_refused(cifar, batch, message):
    (cifar / "cifar-100-python" / "test").write_bytes(pickle.dumps(batch, protocol=4))
    with pytest.raises(DatasetError, match=message):
        load("cifar100", str(cifar), None)


def test_a_truncated_batch_is_refused(cifar):
    file = cifar / "cifar-100-python" / "test"
    file.write_bytes(file.read_bytes()[:-500])
    with pytest.raises(DatasetError, match="test is not a CIFAR file"):
        load("cifar100", str(cifar), None)
