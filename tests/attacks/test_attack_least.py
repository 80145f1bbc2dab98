"""The step that flips predictions: what it writes, beside brute force."""

import json

import numpy as np
import pytest
import torch

from interference.attacks import least
from interference.config.load import read_config
from interference.data.read import read_split
from interference.plan.specs import Specs
from interference.store.tables import read_columns, write_table
from tests.benchmarks.extraction import write_images, write_network
from tests.support import REPO

IMAGES, ASKED = 6, 4


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Columns of the table, pixels of all evaluation images, and what they are taken for."""
    folder = tmp_path_factory.mktemp("made")
    data, model = (folder / f"{name}.json" for name in ("images", "m"))
    write_images(data, IMAGES, 32)
    network = write_network(model)
    pixels = torch.from_numpy(read_split(data, "evaluation").pixels[:]).float() / 255
    taken = network(pixels).argmax(1).numpy()
    taken[-1] += 1  # random images may all be taken for one class
    predictions, output = folder / "predictions.parquet", folder / "least.parquet"
    write_table(predictions, {"image": np.arange(IMAGES), "prediction": taken}, {})
    spec = {"model": {"model": "m"}, "images": ASKED, "steps": 10}
    least.run(spec, data, model, predictions, output)
    return read_columns(output), pixels, taken


def test_it_has_a_row_per_image_that_is_asked_for(made):
    columns, _, taken = made
    assert columns["image"].tolist() == list(range(ASKED))
    assert columns["prediction"].tolist() == taken[:ASKED].tolist()
    assert set(columns["model"]) == {"m"}
    assert (columns["radius"] > 0).all()


def test_the_nearest_image_is_the_nearest_that_is_taken_for_another_class(made):
    columns, pixels, taken = made
    for i, found in enumerate(columns["nearest"]):
        ways = [
            float((pixels[i].double() - pixels[j].double()).norm())
            for j in range(IMAGES)
            if taken[j] != taken[i]
        ]
        assert found == pytest.approx(min(ways), rel=1e-6)


def test_its_spec_is_of_the_first_attacked_images():
    config = read_config(REPO / "tests/experiments/tiny.yaml")
    spec = json.loads(Specs(config).least("l2-1-s0"))
    assert (spec["images"], spec["steps"]) == (16, 10)
    assert spec["model"]["model"] == "l2-1-s0"
