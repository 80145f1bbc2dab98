"""Batches reach the network in order, whole, and with what went wrong while they were read."""

import threading

import numpy as np
import pytest
import torch

from interference.models import feeding
from interference.models.feeding import ahead, batch_size, batches, to_network
from interference.store.arrays import open_array, writing
from interference.store.files import StoreError
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


def test_items_come_in_order_and_are_made_by_another_thread():
    made = []

    def items():
        for item in range(10):
            made.append(threading.get_ident())
            yield item

    reading = ahead(items())
    assert next(reading) == 0
    assert list(reading) == list(range(1, 10))
    assert threading.get_ident() not in made


def test_no_more_is_read_than_wanted():
    asked = []

    def items():
        for item in range(100):
            asked.append(item)
            yield item

    reading = ahead(items())
    next(reading)
    reading.close()
    assert len(asked) <= 1 + feeding.AHEAD


def test_an_error_of_the_reader_comes_through_after_what_it_read():
    def items():
        yield 1
        raise StoreError("damaged")

    reading = ahead(items())
    assert next(reading) == 1
    with pytest.raises(StoreError, match="damaged"):
        next(reading)


def test_a_reader_that_is_left_early_ends():
    before = threading.active_count()
    reading = ahead(range(100))
    next(reading)
    reading.close()
    assert threading.active_count() == before
