"""The experiment's images: one store in the order train, heldout, evaluation.

Train and heldout come from the dataset's training part, evaluation from its test part. Every
split, and every leading stretch of one, has the classes in the proportions of its part: images
are permuted, the j-th of a class of n gets the place (j + 1/2) / n, and all are sorted by it.
So the first images of the evaluation split, which are attacked, are a fair sample of it.
"""

import math
from pathlib import Path

import numpy as np

from interference.config.facts import RESOURCES
from interference.data.dataset import Dataset, Part
from interference.data.labels import labels_sha256
from interference.data.sources import load
from interference.progress import track
from interference.store.arrays import Writer, writing
from interference.store.files import StoreError, sha256, write_json
from interference.store.tables import write_table

#: Images that are held in memory at once.
BLOCK = 256


def build(spec: dict, output: Path) -> None:
    """Read a dataset, split it and write the store.

    spec: {"data": the config's section, "checksums": of the shipped files or None, ...}.
    output: the manifest (.json); beside it go a .zarr store of pixels, (N, channels, height,
    width) uint8, and a .parquet table of image (position in the store), split, label and source
    (index in the dataset's training or test part).
    Raises StoreError where files are missing, damaged, too few or not those of the spec.
    """
    output = Path(output)
    data = spec["data"]
    check_shipped(data["dataset"], spec["checksums"])
    dataset = load(data["dataset"], data["root"], data["image_size"])
    splits = split(dataset, data)
    with writing(output.with_suffix(".zarr"), _shape(dataset, splits), "uint8") as writer:
        histogram = _write(dataset, splits, writer)
        mean, std = statistics(histogram)
    columns = _columns(dataset, splits)
    write_table(output.with_suffix(".parquet"), columns)
    manifest = {
        "spec": spec,
        "array": writer.manifest(),
        "labels_sha256": labels_sha256(columns["label"]),
        "splits": _bounds(splits),
        "classes": len(dataset.class_names),
        "class_names": dataset.class_names,
        "mean": mean,
        "std": std,
    }
    write_json(output, manifest)


def check_shipped(dataset: str, checksums: str | None) -> None:
    """Check that the shipped files are those that the job was planned with.

    checksums: first 16 digits of the SHA-256 of the dataset's SHA256SUMS; None: nothing shipped.
    Raises StoreError where it is another.
    """
    sums = RESOURCES / dataset / "SHA256SUMS"
    if checksums is not None and sha256(sums)[:16] != checksums:
        raise StoreError(f"{sums} changed after this job was planned; run snakemake again")


def split(dataset: Dataset, data: dict) -> dict[str, tuple[Part, np.ndarray]]:
    """Name of a split → its part of the dataset and the indices (n,) there, in the store's order.

    data: dataset, train, heldout, evaluation and seed, as in the config.
    Raises StoreError where a part has fewer images than are asked for.
    """
    train, heldout, evaluation = data["train"], data["heldout"], data["evaluation"]
    _check_enough(f"train + heldout: {train} + {heldout}", train + heldout, dataset.train, data)
    _check_enough(f"evaluation: {evaluation}", evaluation, dataset.test, data)
    first = stratified_order(dataset.train.labels, (data["seed"], 0))
    second = stratified_order(dataset.test.labels, (data["seed"], 1))
    return {
        "train": (dataset.train, first[:train]),
        "heldout": (dataset.train, first[train : train + heldout]),
        "evaluation": (dataset.test, second[:evaluation]),
    }


def _check_enough(asked: str, count: int, part: Part, data: dict) -> None:
    if count > len(part.labels):
        raise StoreError(
            f"data.{asked} images asked for, {data['dataset']} has {len(part.labels)} there"
        )


def stratified_order(labels: np.ndarray, seed: tuple[int, ...]) -> np.ndarray:
    """A permutation of range(N) of which every stretch has the classes in proportion.

    labels: (N,) int64. Returns (N,) int64; equal seeds give equal orders.
    """
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    by_class = np.argsort(labels[shuffled], kind="stable")
    counts = np.bincount(labels)
    start_of_class = np.repeat(np.cumsum(counts) - counts, counts)
    place = np.empty(len(labels))
    place[by_class] = (np.arange(len(labels)) - start_of_class + 0.5) / np.repeat(counts, counts)
    return shuffled[np.argsort(place, kind="stable")]


def _shape(dataset: Dataset, splits: dict) -> tuple[int, ...]:
    return (sum(len(indices) for _, indices in splits.values()), *dataset.train.shape)


def _bounds(splits: dict) -> dict[str, list[int]]:
    """Name of a split → its [start, stop) in the store."""
    stops = np.cumsum([len(indices) for _, indices in splits.values()]).tolist()
    return {
        name: [stop - len(indices), stop]
        for (name, (_, indices)), stop in zip(splits.items(), stops, strict=True)
    }


def _write(dataset: Dataset, splits: dict, writer: Writer) -> np.ndarray:
    """Write all images; returns the histogram of the train split."""
    histogram = np.zeros((dataset.train.shape[0], 256), np.int64)
    blocks = [
        (name, part, indices[start : start + BLOCK])
        for name, (part, indices) in splits.items()
        for start in range(0, len(indices), BLOCK)
    ]
    for name, part, indices in track(blocks, total=len(blocks), label="images"):
        pixels = part.pixels(indices)
        writer.append(pixels)
        if name == "train":
            histogram += channel_histogram(pixels)
    return histogram


def channel_histogram(pixels: np.ndarray) -> np.ndarray:
    """How often each value occurs: (n, channels, height, width) uint8 → (channels, 256) int64."""
    return np.stack(
        [np.bincount(pixels[:, c].ravel(), minlength=256) for c in range(pixels.shape[1])]
    )


def statistics(histogram: np.ndarray) -> tuple[list[float], list[float]]:
    """Mean and population standard deviation of pixels in [0, 1], one float64 a channel each.

    histogram: (channels, 256) int64. The sums are whole numbers, so every machine gives the same.
    Raises StoreError where a channel is constant: networks divide by its deviation.
    """
    values = np.arange(256)
    mean, std = [], []
    for counts in histogram:
        number, total, squares = (int((counts * values**power).sum()) for power in range(3))
        spread = number * squares - total**2
        if spread == 0:
            raise StoreError("a channel has one value in all training images: nothing to learn")
        mean.append(total / (255 * number))
        std.append(math.sqrt(spread) / (255 * number))
    return mean, std


def _columns(dataset: Dataset, splits: dict) -> dict[str, np.ndarray]:
    return {
        "image": np.arange(_shape(dataset, splits)[0]),
        "split": np.concatenate([np.full(len(i), name) for name, (_, i) in splits.items()]),
        "label": np.concatenate([part.labels[indices] for part, indices in splits.values()]),
        "source": np.concatenate([indices for _, indices in splits.values()]),
    }
