"""Read images back from their store."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from interference.data.labels import labels_sha256
from interference.store.arrays import open_array
from interference.store.files import StoreError, read_json
from interference.store.stretch import Stretch
from interference.store.tables import read_columns


@dataclass(frozen=True)
class Images:
    """Images of one split.

    pixels: (n, channels, height, width) uint8, read when sliced: ``pixels[:]`` holds all of them in
    memory, ``pixels.batches(size)`` one batch at a time. labels: (n,) int64.
    indices: (n,) int64, positions in the store.
    """

    pixels: Stretch
    labels: np.ndarray
    indices: np.ndarray


def read_manifest(manifest: Path) -> dict:
    """Read the manifest of an image store: spec, array, splits, classes, class_names, mean, std.

    Raises StoreError where it is missing, damaged or of something else.
    """
    content = read_json(manifest)
    if not isinstance(content, dict) or "labels_sha256" not in content:
        raise StoreError(f"{manifest} is not the manifest of an image store")
    return content


def read_split(manifest: Path, split: str, count: int | None = None) -> Images:
    """Open the first ``count`` images of a split (train, heldout or evaluation), None for all.

    Raises StoreError where the split has fewer, or the store or its labels are missing, damaged
    or not what the manifest says; damaged pixels raise it when they are read.
    """
    manifest = Path(manifest)
    content = read_manifest(manifest)
    start, stop = content["splits"][split]
    if count is not None and count > stop - start:
        raise StoreError(f"{count} {split} images asked for, {manifest} has {stop - start}")
    if count is not None:
        stop = start + count
    store = open_array(manifest.with_suffix(".zarr"), content["array"])
    labels = _read_labels(manifest.with_suffix(".parquet"), content["labels_sha256"])
    return Images(
        pixels=Stretch(store, start, stop),
        labels=labels[start:stop].copy(),
        indices=np.arange(start, stop),
    )


def _read_labels(table: Path, expected: str) -> np.ndarray:
    labels = read_columns(table)["label"]
    if labels_sha256(labels) != expected:
        raise StoreError(f"{table}: the labels are not those of its manifest; run snakemake")
    return labels
