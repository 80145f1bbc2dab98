"""Batches reach the network in order and whole."""

import numpy as np
import pytest
import torch

from interference.models import feeding
from interference.models.feeding import batch_size, batches, to_network
from interference.store.arrays import open_array, writing
from interference.store.stretch import Stretch


def stored(folder, values):
    with writing(folder / "x.zarr", values.shape, str(values.dtype), {}) as writer:
        writer.append(values)
    return Stretch(open_array(folder / "x.zarr", writer.manifest()), 0, len(values))


@pytest.mark.parametrize(
    ("shape", "size"), [((9, 1, 28, 28), 256), ((9, 3, 32, 32), 256), ((9, 3, 224, 224), 32)]
)
def test_a_batch_is_as_large_as_memory_allows_whatever_the_number_of_images(shape, size):
    assert batch_size(shape) == batch_size((10**6, *shape[1:])) == size
    assert 256 % size == 0
    assert batch_size((1, 3, 10_000, 10_000)) == 1


def test_images_arrive_in_order_as_float_in_0_to_1(tmp_path, monkeypatch):
    monkeypatch.setattr(feeding, "MOST_IMAGES", 4)
    images = np.random.default_rng(0).integers(0, 256, (10, 1, 5, 5), dtype=np.uint8)
    found = list(batches(stored(tmp_path, images)))
    assert [len(batch) for batch in found] == [4, 4, 2]
    assert torch.equal(torch.cat(found).cpu(), torch.from_numpy(images).float() / 255)


def test_images_that_are_float_already_stay_what_they_are(tmp_path):
    images = np.random.default_rng(0).random((10, 1, 5, 5), dtype=np.float32)
    (found,) = batches(stored(tmp_path, images))
    assert torch.equal(found.cpu(), torch.from_numpy(images))
    assert to_network(torch.tensor([255], dtype=torch.uint8)).item() == 1
