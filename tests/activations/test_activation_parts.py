"""One job or several: the same bytes, whether rows wait in memory or in files."""

import json

import numpy as np
import pytest

from interference.activations import extract as extract_module
from interference.activations import forward, shuffle
from interference.activations.extract import run as extract
from interference.activations.forward import images_of
from interference.activations.part import SHARED
from interference.activations.part import run as extract_part
from interference.activations.standardise import LayerError
from interference.models import feeding
from interference.store import space
from interference.store.arrays import open_array
from interference.store.files import StoreError, write_json
from interference.store.stretch import Stretch

SPEC = {"model": {"model": "m"}, "layer": "stem", "positions": 5, "seed": 0}

JOBS = {
    "extract": lambda *paths: extract(SPEC, *paths, []),
    "part": lambda *paths: extract_part(SPEC | {"part": 0, "parts": 2}, *paths),
}


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """40 images are five blocks of two batches; 200 rows of 16 channels fill three buckets."""
    monkeypatch.setattr(forward, "BLOCK", 8)
    monkeypatch.setattr(feeding, "MOST_IMAGES", 4)
    monkeypatch.setattr(shuffle, "BUCKET_BYTES", 4 * 16 * 70)


def made_of(count, small_images, model, folder):
    """The rows that so many parts give, and their manifests."""
    manifests = [folder / f"part-{part}.json" for part in range(count)]
    for part, manifest in enumerate(manifests):
        extract_part(SPEC | {"part": part, "parts": count}, small_images, model, manifest)
    extract(SPEC, small_images, model, folder / "rows.json", manifests)
    return folder / "rows.json", manifests


def files(folder, start):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.relative_to(folder).parts[0].startswith(start)
    }


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_parts_give_the_bytes_of_one_job(count, small_images, model, tmp_path):
    extract(SPEC, small_images, model, tmp_path / "alone" / "rows.json", [])
    made_of(count, small_images, model, tmp_path / "shared")
    alone = files(tmp_path / "alone", "")
    assert {path.parts[0] for path in alone} == {
        "rows.json", "rows.safetensors", "rows.train.zarr", "rows.heldout.zarr",
    }  # fmt: skip
    assert files(tmp_path / "shared", "rows.") == alone


def test_a_part_says_what_it_holds(small_images, model, tmp_path):
    _, manifests = made_of(2, small_images, model, tmp_path)
    first, second = (json.loads(path.read_text()) for path in manifests)
    assert (first["images"], second["images"]) == ([0, 16], [16, 40])
    assert (first["rows"]["shape"], second["rows"]["shape"]) == ([80, 16], [120, 16])
    assert len(first["buckets"]) == 3
    assert sum(first["buckets"]) == 80


def test_rows_in_files_are_those_in_memory(small_images, model, tmp_path, monkeypatch):
    extract(SPEC, small_images, model, tmp_path / "files" / "rows.json", [])
    monkeypatch.setattr(shuffle, "BUCKET_BYTES", 2**20)
    extract(SPEC, small_images, model, tmp_path / "memory" / "rows.json", [])
    manifests = [json.loads((tmp_path / n / "rows.json").read_text()) for n in ("files", "memory")]
    assert manifests[0]["heldout"] == manifests[1]["heldout"]
    assert manifests[0]["sha256"] == manifests[1]["sha256"]
    stores = [tmp_path / name / "rows.train.zarr" for name in ("files", "memory")]
    found = [
        stored_rows(store, manifest["train"])
        for store, manifest in zip(stores, manifests, strict=True)
    ]
    assert sorted(map(bytes, found[0])) == sorted(map(bytes, found[1]))
    assert not np.array_equal(*found)  # another order: a bucket's permutation is seeded


def stored_rows(store, manifest):
    return open_array(store, manifest)[:]


@pytest.mark.parametrize("job", JOBS)
def test_a_failure_midway_leaves_nothing(job, small_images, model, tmp_path, monkeypatch):
    def full(self, bucket):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shuffle.Buckets, "take", full)
    with pytest.raises(OSError, match="No space left"):
        JOBS[job](small_images, model, tmp_path / "x.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("job", JOBS)
def test_a_disk_without_room_is_told_before_any_image_is_read(
    job, small_images, model, tmp_path, monkeypatch
):
    monkeypatch.setattr(space.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 5_000}))
    monkeypatch.setattr(Stretch, "batches", lambda *_: pytest.fail("images were read"))
    with pytest.raises(StoreError, match=r"B are needed there .*, 5 kB are free"):
        JOBS[job](small_images, model, tmp_path / "x.json")


def test_a_store_of_another_size_than_predicted_is_refused(
    small_images, model, tmp_path, monkeypatch
):
    monkeypatch.setattr(extract_module, "bytes_on_disk", lambda shape, dtype: 1000)
    with pytest.raises(StoreError, match=r"takes \d+ bytes, 1000 were predicted"):
        extract(SPEC, small_images, model, tmp_path / "rows.json", [])
    assert not (tmp_path / "rows.json").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([0], "the parts have the images up to 16 of 40"),
        ([1, 0], r"has images \[16, 40\] .*, expected is the part from image 0"),
        ([0, 0], r"has images \[0, 16\] .*, expected is the part from image 16"),
    ],
)
def test_parts_that_are_not_the_whole_in_order_are_refused(
    given, message, small_images, model, tmp_path
):
    _, manifests = made_of(2, small_images, model, tmp_path)
    with pytest.raises(StoreError, match=message):
        extract(SPEC, small_images, model, tmp_path / "x.json", [manifests[i] for i in given])
    assert not (tmp_path / "x.json").exists()


@pytest.mark.parametrize("field", SHARED)
def test_parts_of_other_rows_are_refused(field, small_images, model, tmp_path):
    _, manifests = made_of(1, small_images, model, tmp_path)
    content = json.loads(manifests[0].read_text())
    content["spec"][field] = "another"
    write_json(manifests[0], content)
    with pytest.raises(StoreError, match=f"{field} is another, the job's is"):
        extract(SPEC, small_images, model, tmp_path / "x.json", manifests)


@pytest.mark.parametrize("parts", [1, 2, 3, 7, 40])
def test_parts_have_every_image_once_in_whole_blocks(parts):
    bounds = [images_of(318, part, parts) for part in range(parts)]
    assert [image for start, stop in bounds for image in range(start, stop)] == list(range(318))
    assert all(stop > start and start % 8 == 0 for start, stop in bounds)


def test_more_parts_than_blocks_are_refused():
    with pytest.raises(LayerError, match="parts is 6: 40 training images are 5 blocks of 8"):
        images_of(40, 0, 6)
