"""The step `predict`: what any network, trained here or converted, makes of the clean images."""

import json

import pandas as pd
import pytest
import torch
from torch.nn.functional import cross_entropy

from interference.data.read import read_split
from interference.models import feeding, predict
from interference.models.network import NetworkError, load_network
from interference.store.files import StoreError, write_json
from tests.support.probes import MODEL, write_network


@pytest.fixture
def model(tmp_path):
    write_network(tmp_path / "m.json")
    return tmp_path / "m.json"


def run(data, model, output):
    predict.run({"model": MODEL}, data, model, output)
    return pd.read_parquet(output)


def test_predictions_are_those_of_the_network_on_all_evaluation_images(
    small_images, model, tmp_path, monkeypatch
):
    monkeypatch.setattr(feeding, "MOST_IMAGES", 4)
    table = run(small_images, model, tmp_path / "m.predictions.parquet")
    images, network = read_split(small_images, "evaluation"), load_network(model)
    with torch.no_grad():
        logits = network(torch.from_numpy(images.pixels[:]).float() / 255)
    labels = torch.from_numpy(images.labels)
    assert table["image"].tolist() == images.indices.tolist()
    assert table["label"].tolist() == labels.tolist()
    assert table["prediction"].tolist() == logits.argmax(1).tolist()
    losses = cross_entropy(logits, labels, reduction="none").numpy()
    assert table["loss"].to_numpy() == pytest.approx(losses, rel=1e-4)
    assert (table[list(MODEL)] == list(MODEL.values())).all(axis=None)


@pytest.mark.parametrize("classes", [3, 10])
def test_a_network_of_other_classes_than_the_images_have_is_refused(
    classes, small_images, model, tmp_path
):
    manifest = json.loads(model.read_text())
    manifest["build"]["classes"] = classes
    write_json(model, manifest)
    message = f"m tells {classes} classes apart, the images have 4; name the dataset"
    with pytest.raises(NetworkError, match=message):
        run(small_images, model, tmp_path / "m.predictions.parquet")
    assert not (tmp_path / "m.predictions.parquet").exists()


def test_a_network_that_is_damaged_is_refused(small_images, model, tmp_path):
    weights = model.with_suffix(".safetensors")
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(StoreError, match=r"not what m\.json describes"):
        run(small_images, model, tmp_path / "m.predictions.parquet")
    assert not (tmp_path / "m.predictions.parquet").exists()
