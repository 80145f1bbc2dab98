"""Read images back: what jobs downstream need of the store, and no more."""

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

    pixels: (n, channels, height, width) uint8, read when sliced: ``pixels[:]`` is all of them in
    memory, ``pixels.batches(size)`` a batch at a time. labels: (n,) int64.
    indices: (n,) int64, positions in the store.
    """

    pixels: Stretch
    labels: np.ndarray
    indices: np.ndarray


def read_manifest(manifest: Path) -> dict:
    """The manifest of an image store: spec, array, splits, classes, class_names, mean, std.

    Raises StoreError where it is missing, damaged or of something else.
    """
    content = read_json(manifest)
    if not isinstance(content, dict) or "labels_sha256" not in content:
        raise StoreError(f"{manifest} is not the manifest of an image store")
    return content


def read_split(manifest: Path, split: str, count: int | None = None) -> Images:
    """The first ``count`` images of a split (train, heldout or evaluation), or all of it.

    Raises StoreError where the split has fewer, or the store or its labels are missing, damaged
    or not what the manifest says; pixels that are damaged are told when they are read.
    """
    manifest = Path(manifest)
    content = read_manifest(manifest)
    start, stop = content["splits"][split]
    if count is not None and count > stop - start:
        raise StoreError(f"{count} {split} images asked for, {manifest} has {stop - start}")
    rows = slice(start, stop if count is None else start + count)
    return Images(
        pixels=Stretch(
            open_array(manifest.with_suffix(".zarr"), content["array"]), rows.start, rows.stop
        ),
        labels=_read_labels(manifest.with_suffix(".parquet"), content["labels_sha256"])[
            rows
        ].copy(),
        indices=np.arange(rows.start, rows.stop),
    )


def _read_labels(table: Path, expected: str) -> np.ndarray:
    labels = read_columns(table)["label"]
    if labels_sha256(labels) != expected:
        raise StoreError(f"{table}: the labels are not those of its manifest; run snakemake")
    return labels
