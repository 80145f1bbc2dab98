"""What the job stores, against a direct forward pass over the same images."""

import json

import numpy as np
import pytest
import torch

from interference.activations.extract import run as extract
from interference.activations.forward import TRAIN_POSITIONS, Layer, forward, keep
from interference.activations.standardise import LayerError
from interference.data.read import read_split
from interference.models import feeding
from interference.models.network import load_network
from interference.store.arrays import open_array
from interference.store.files import sha256
from interference.store.tensors import read_tensors

LAYERS = {"stem": 5, "layer2": 4, "layer4": 1}


def job(layer, positions, seed=0):
    return {"model": {"model": "m"}, "layer": layer, "positions": positions, "seed": seed}


@pytest.fixture(scope="module", params=LAYERS)
def stored(request, small_images, model, tmp_path_factory):
    """(layer, positions kept, manifest of the job's output)."""
    layer, positions = request.param, LAYERS[request.param]
    output = tmp_path_factory.mktemp(layer) / "clean.json"
    extract(job(layer, positions), small_images, model, output, [])
    return layer, positions, output


def direct(network, small_images, split, layer):
    """Raw activations of a split, all positions, float64."""
    x = torch.from_numpy(read_split(small_images, split).pixels[:]).float() / 255
    with torch.inference_mode():
        return network.activations(x, layer).double().numpy()


def read(output, name):
    manifest = json.loads(output.read_text())
    return open_array(output.with_suffix(f".{name}.zarr"), manifest[name])[:]


def test_statistics_are_those_of_all_positions_of_all_training_images(
    stored, network, small_images
):
    layer, _, output = stored
    statistics, _ = read_tensors(output.with_suffix(".safetensors"))
    raw = direct(network, small_images, "train", layer)
    rows = raw.reshape(-1, raw.shape[2])
    std = rows.std(0)
    np.testing.assert_allclose(statistics["mean"], rows.mean(0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        statistics["std"], np.maximum(std, 1e-3 * std.mean()), rtol=1e-4, atol=1e-6
    )
    manifest = json.loads(output.read_text())
    assert manifest["floored_channels"] == (std < 1e-3 * std.mean()).sum()
    if layer == "stem":
        assert manifest["floored_channels"] >= 1
    assert manifest["float16_overflows"] == 0
    assert manifest["sha256"] == sha256(output.with_suffix(".safetensors"))


def test_training_rows_are_distinct_positions_of_the_training_images_shuffled(
    stored, network, small_images
):
    layer, positions, output = stored
    statistics, _ = read_tensors(output.with_suffix(".safetensors"))
    raw = direct(network, small_images, "train", layer)
    images, available, d = raw.shape
    standardised = ((raw - statistics["mean"]) / statistics["std"]).reshape(-1, d)
    rows = read(output, "train").astype(np.float64)
    assert rows.shape == (images * positions, d)

    distances = ((rows[:, None] - standardised[None]) ** 2).sum(2)
    nearest = distances.argmin(1)
    found = standardised[nearest]
    np.testing.assert_allclose(rows, found, rtol=2e-3, atol=2e-3)
    assert len(set(nearest)) == len(nearest)
    image = nearest // available
    assert np.bincount(image, minlength=images).tolist() == [positions] * images
    assert image.tolist() != sorted(image)


def rows_kept(network, small_images, split, layer, positions):
    """Raw rows of a split as they are drawn, (images, positions, d)."""
    pixels = read_split(small_images, split).pixels
    layer = Layer.of(network, job(layer, positions), pixels)
    return np.concatenate([kept for _, kept, _ in keep(layer, pixels, TRAIN_POSITIONS)])


def test_training_rows_are_a_permutation_of_the_rows_chosen(stored, network, small_images):
    layer, positions, output = stored
    statistics, _ = read_tensors(output.with_suffix(".safetensors"))
    chosen = rows_kept(network, small_images, "train", layer, positions)
    expected = ((chosen - statistics["mean"]) / statistics["std"]).astype(np.float32)
    expected = expected.astype(np.float16).reshape(-1, chosen.shape[2])
    rows = read(output, "train")
    assert sorted(map(bytes, rows)) == sorted(map(bytes, expected))


def test_heldout_rows_are_in_order_and_standardised_with_the_training_statistics(
    stored, network, small_images
):
    layer, positions, output = stored
    statistics, _ = read_tensors(output.with_suffix(".safetensors"))
    raw = direct(network, small_images, "heldout", layer)
    standardised = (raw - statistics["mean"]) / statistics["std"]
    heldout = read(output, "heldout")
    assert heldout.dtype == np.float32
    assert heldout.shape == (10, positions, raw.shape[2])
    for mine, all_positions in zip(heldout, standardised):
        for row in mine:
            error = np.abs(all_positions - row).max(1)
            assert error.min() < 5e-3


def test_equal_seeds_store_equal_bytes(stored, small_images, model, tmp_path):
    layer, positions, output = stored
    again, other = tmp_path / "again.json", tmp_path / "other.json"
    extract(job(layer, positions), small_images, model, again, [])
    extract(job(layer, positions, seed=1), small_images, model, other, [])
    hashes = [
        [json.loads(path.read_text())[name]["sha256"] for name in ("train", "heldout")]
        for path in (output, again, other)
    ]
    assert hashes[0] == hashes[1]
    assert hashes[0][0] != hashes[2][0]


def activations_of(network, small_images, split="heldout", layer="layer2"):
    pixels = read_split(small_images, split).pixels
    return list(forward(Layer.of(network, job(layer, 1), pixels), pixels))


def test_batches_do_not_change_what_is_seen(network, small_images, monkeypatch):
    (whole,) = activations_of(network, small_images)
    monkeypatch.setattr(feeding, "MOST_IMAGES", 4)
    parts = activations_of(network, small_images)
    assert [len(part) for part in parts] == [4, 4, 2]
    torch.testing.assert_close(torch.cat(parts), whole, rtol=1e-4, atol=1e-5)


def test_batches_do_not_change_which_rows_are_kept(network, small_images, monkeypatch):
    whole = rows_kept(network, small_images, "train", "stem", 5)
    monkeypatch.setattr(feeding, "MOST_IMAGES", 8)
    np.testing.assert_allclose(
        rows_kept(network, small_images, "train", "stem", 5), whole, rtol=1e-4, atol=1e-5
    )


def test_nothing_beyond_the_hook_is_called(network, small_images):
    called = []
    beyond = [network.body.layer3, network.body.layer4, network.body.fc]
    handles = [m.register_forward_pre_hook(lambda *_: called.append(1)) for m in beyond]
    activations_of(network, small_images)
    for handle in handles:
        handle.remove()
    assert called == []


def test_a_network_that_gives_nan_is_told_and_nothing_is_left(
    model, small_images, tmp_path, monkeypatch
):
    def broken(manifest):
        network = load_network(manifest)
        network.body.conv1.weight.data[0] = float("nan")
        return network

    monkeypatch.setattr("interference.activations.extract.load_network", broken)
    with pytest.raises(LayerError, match="activations of stem are not finite"):
        extract(job("stem", 2), small_images, model, tmp_path / "rows.json", [])
    assert list(tmp_path.iterdir()) == []


def test_more_positions_than_a_layer_has_are_refused(model, small_images, tmp_path):
    with pytest.raises(LayerError, match="positions of layer2 is 5, an image has 4 there"):
        extract(job("layer2", 5), small_images, model, tmp_path / "rows.json", [])
