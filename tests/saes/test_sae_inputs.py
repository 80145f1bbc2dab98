"""What cannot be trained on is told before training begins, and nothing is written."""

import numpy as np
import pytest

from interference.saes.compiled import topk
from interference.saes.fit import TrainingError
from interference.saes.fit import run as fit
from interference.store import arrays
from interference.store.files import StoreError
from tests.support.sweeps import MODEL, D, spec, write_rows


@pytest.fixture
def refused(tmp_path, monkeypatch):
    """Write rows and fit, expecting a message and neither a step nor a file."""
    monkeypatch.setattr(arrays, "CHUNK_BYTES", 20 * D * 2)
    monkeypatch.setattr(topk.Step, "step", lambda *_: pytest.fail("training began"))

    def check(message, job=None, error=StoreError, **rows):
        path = write_rows(tmp_path / "rows.json", **rows)
        with pytest.raises(error, match=message):
            fit(job or spec(), path, tmp_path / "out" / "sae.json")
        assert not (tmp_path / "out").exists()

    return check


@pytest.mark.parametrize("row", [0, 19, 20, 333, 399])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_training_row_that_is_not_finite(refused, row, value):
    train = np.random.default_rng(0).standard_normal((400, D))
    train[row, 3] = value
    train[min(row + 30, 399), 1] = value  # the first is told
    refused(rf"rows\.train\.zarr: row {row} is not finite; remove the store", train=train)


def test_a_heldout_row_that_is_not_finite(refused):
    heldout = np.random.default_rng(0).standard_normal((30, 2, D))
    heldout[21, 1, 0] = np.nan
    refused(r"rows\.heldout\.zarr: row 21 is not finite", heldout=heldout)


@pytest.mark.parametrize("name", ["train", "heldout"])
@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"shape": [401, D]}, r"shape is \[.*, its manifest says \[401, 8\]"),
        ({"shape": [400, D + 1]}, r"shape is \[.*, its manifest says \[400, 9\]"),
        ({"dtype": "float64"}, "dtype is float.., its manifest says float64"),
        ({"sha256": "0" * 64}, "sha256 of its rows is [0-9a-f]{64}, its manifest says 0{64}"),
    ],
    ids=["rows", "width", "dtype", "sha256"],
)
def test_a_store_that_is_not_its_manifests(refused, name, part, message):
    refused(rf"rows\.{name}\.zarr: {message}", said={name: part})


@pytest.mark.parametrize(
    ("origin", "message"),
    [
        ({"layer": "layer2"}, r"rows\.json: layer is layer2, the job is about stem"),
        (
            {"model": MODEL | {"model": "n"}},
            r"rows\.json: model is .*'n'.*, the job is about .*'m'",
        ),
    ],
    ids=["layer", "model"],
)
def test_rows_of_another_job(refused, origin, message):
    refused(message, said={"spec": origin})


def test_heldout_rows_of_another_width(refused):
    refused(
        r"rows\.heldout\.zarr: 9 channels, but .*rows\.train\.zarr has 8",
        heldout=np.zeros((30, 2, D + 1)),
    )


@pytest.mark.parametrize("k", [16, 17, 100])
def test_a_k_that_is_not_below_the_latents(refused, k):
    refused(f"k: {k} is not below the 16 latents", spec(k=[2, k]), TrainingError)


def test_fewer_rows_than_a_batch(refused):
    refused(
        r"rows\.train\.zarr: 49 rows, of which training sees 1000, but a batch takes 50",
        error=TrainingError,
        train=np.zeros((49, D)),
    )


def test_training_that_sees_less_than_a_batch(refused):
    refused(
        "400 rows, of which training sees 49, but a batch takes 50", spec(rows=49), TrainingError
    )


def test_one_batch_is_enough_to_train_and_to_calibrate(tmp_path):
    rows = write_rows(tmp_path / "rows.json", train=np.random.default_rng(0).random((50, D)))
    fit(spec(rows=50), rows, tmp_path / "sae.json")
