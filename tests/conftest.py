"""What several rooms' tests share: a small image store, written by hand, and runs of the workflow."""

import os

from interference.cli import environment

environment.settle()  # as a verb: tests run in a notebook's terminal too
os.environ["CUDA_VISIBLE_DEVICES"] = ""  # bytes are promised on a CPU alone

import gc  # noqa: E402
import os  # noqa: E402
from collections.abc import Iterator  # noqa: E402

import numpy as np  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402

from interference.data.labels import labels_sha256  # noqa: E402
from interference.store.arrays import writing  # noqa: E402
from interference.store.files import write_json  # noqa: E402
from interference.store.tables import write_table  # noqa: E402
from tests.support import machine_code, tiny  # noqa: E402
from tests.support.checkout import Checkout  # noqa: E402

torch.set_num_threads(1)  # as in the package: see compute.py
machine_code.compile_in_turn()


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """What is loaded here is no garbage: it is not looked through, neither now nor later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session")
def small_images(tmp_path_factory):
    """The manifest of 40 training, 10 held-out and 10 evaluation images of 16 pixels, 4 classes."""
    rng = np.random.default_rng(0)
    manifest = tmp_path_factory.mktemp("images") / "images.json"
    labels = np.arange(60) % 4
    pixels = rng.integers(0, 256, (60, 1, 16, 16)) // 2 + 30 * labels[:, None, None, None]
    with writing(manifest.with_suffix(".zarr"), pixels.shape, "uint8", {}) as writer:
        writer.append(pixels)
    write_table(manifest.with_suffix(".parquet"), {"image": np.arange(60), "label": labels}, {})
    content = {
        "spec": {},
        "array": writer.manifest(),
        "labels_sha256": labels_sha256(labels),
        "splits": {"train": [0, 40], "heldout": [40, 50], "evaluation": [50, 60]},
        "classes": 4,
        "class_names": list("abcd"),
        "mean": [0.4],
        "std": [0.2],
    }
    write_json(manifest, content)
    return manifest


@pytest.fixture(scope="session")
def completed(tmp_path_factory) -> Checkout:
    """A copy in which the tiny experiment ran to its end, once for all workers of a test run."""
    return tiny.completed_once(tmp_path_factory)


@pytest.fixture
def after_a_run(completed) -> Iterator[Checkout]:
    """The completed run; whatever a test edits in it is put back. Of one worker's tests alone: all
    are in the group `workflow`."""
    yield completed
    completed.restore()
