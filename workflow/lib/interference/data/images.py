"""The experiment's images: one store in the order train, heldout, evaluation.

Train and heldout come from the dataset's training part, evaluation from its test part. Every
split, and the first images of it, however many, have the classes in the proportions of the part, of
which a config may take the first classes alone: images are permuted, the j-th of a class of n gets
the place (j + 1/2) / n, and all are sorted by place. So the first images of the evaluation split, which
are attacked, are a fair sample of it.

Pictures that cannot be read, and other entries among them that are not taken, are refused or left
out, as the config says. The next picture in a part's order takes the place of one that is left out;
where there is no next, the part's last split is shorter than asked for.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from interference.config.facts import RESOURCES
from interference.data import corrupt
from interference.data.dataset import Block, Dataset, Part
from interference.data.errors import DatasetError
from interference.data.labels import UNTAKEN, labels_sha256
from interference.data.labels import taken as taken_labels
from interference.data.listing import Named
from interference.data.sources import load
from interference.progress import track
from interference.store.arrays import Writer, writing
from interference.store.files import sha256, write_json
from interference.store.tables import write_table

#: The splits that come from each part, in the store's order.
SPLITS = {"train": ("train", "heldout"), "test": ("evaluation",)}


@dataclass
class Taken:
    """The images taken of a part.

    indices: in the part, arrays (n,) int64, one per block. names: of their files; empty where
    images are no files. corrupt: pictures that cannot be read.
    """

    indices: list[np.ndarray] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    corrupt: Named = field(default_factory=list)

    def add(self, block: Block) -> None:
        self.indices.append(block.indices)
        self.names += block.names
        self.corrupt += block.corrupt


def run(spec: dict, output: Path, workers: int | None = None) -> None:
    """Read a dataset, split it and write the store.

    spec: `Specs.images`. workers: processes that decode pictures, None for the job's CPUs; bytes
    are the same with any number.
    output: the manifest, and beside it
    - .zarr (N, channels, height, width) uint8, the pixels;
    - .parquet, one row per image: image (position in the store), split, label, source (index in the
      dataset's training or test part) and, for pictures, name (of the file);
    - .skipped.csv, for pictures: those that cannot be read and other entries that are not taken,
      which the manifest counts by part.
    Raises DatasetError where files are missing, damaged, too few, of too few classes or not those of
    the spec.
    """
    output = Path(output)
    data = spec["data"]
    check_shipped(data["dataset"], spec["checksums"])
    dataset = load(data["dataset"], data["root"], data["image_size"])
    pictures = data.get("pictures")
    parts = {"train": dataset.train, "test": dataset.test}
    if pictures is not None:
        corrupt.settle_untaken(dataset.untaken, pictures)
    names = _class_names(dataset, data)
    labels = {
        name: taken_labels(
            part.labels, data.get("classes"), data.get("labels"), (data["seed"], number)
        )
        for number, (name, part) in enumerate(parts.items())
    }
    for name in parts:
        _check_enough(name, labels[name], data, dataset.untaken[name])
    _check_classes(labels, names, data)
    asked = sum(data[split] for splits in SPLITS.values() for split in splits)
    with writing(
        output.with_suffix(".zarr"), (asked, *dataset.train.shape), "uint8", spec
    ) as writer:
        histogram = Histogram(dataset.train.shape[0], data["train"])
        taken = _write(parts, labels, data, writer, histogram, output.parent, workers)
        if pictures is not None:
            corrupt.settle({name: part.corrupt for name, part in taken.items()}, pictures)
        bounds = _bounds(taken, data)
        columns = _columns(labels, taken, bounds)
        _check_splits(columns, names, data)
        writer.shorten(bounds["evaluation"][1])
        mean, std = statistics(histogram.counts)
    write_table(output.with_suffix(".parquet"), columns, spec)
    manifest = {
        "spec": spec,
        "array": writer.manifest(),
        "labels_sha256": labels_sha256(columns["label"]),
        "splits": bounds,
        "classes": len(names),
        "class_names": names,
        "mean": mean,
        "std": std,
    }
    if pictures is not None:
        skipped = {name: dataset.untaken[name] + part.corrupt for name, part in taken.items()}
        listed = output.with_suffix(".skipped.csv")
        corrupt.write(listed, skipped)
        manifest["skipped"] = {name: len(entries) for name, entries in skipped.items()}
        manifest["csv_sha256"] = sha256(listed)
    write_json(output, manifest)


def check_shipped(dataset: str, checksums: str | None) -> None:
    """Check that the shipped files are those that the job was planned with.

    checksums: first 16 digits of the SHA-256 of the dataset's SHA256SUMS, None for other datasets.
    Raises DatasetError where they differ.
    """
    sums = RESOURCES / dataset / "SHA256SUMS"
    if checksums is not None and sha256(sums)[:16] != checksums:
        raise DatasetError(f"{sums} changed after this job was planned; run snakemake again")


def _class_names(dataset: Dataset, data: dict) -> list[str]:
    """Return the names of the classes that are taken. Raises DatasetError where there are fewer."""
    there, asked = dataset.class_names, data.get("classes")
    if asked is not None and asked > len(there):
        raise DatasetError(
            f"data.classes: {asked} asked for, {data['dataset']} has {len(there)} there; write fewer, or "
            "leave it out for all"
        )
    return there[:asked]


def _check_enough(name: str, labels: np.ndarray, data: dict, untaken: Named) -> None:
    splits = SPLITS[name]
    count, there = sum(data[split] for split in splits), int((labels != UNTAKEN).sum())
    if count > there:
        of = f" of its first {data['classes']} classes" if "classes" in data else ""
        asked = " + ".join(splits) + ": " + " + ".join(str(data[split]) for split in splits)
        beside = f", and {len(untaken)} entries that are not taken: {corrupt.some(untaken)}"
        raise DatasetError(
            f"data.{asked} images asked for, {data['dataset']} has {there} there{of}"
            f"{beside if untaken else ''}"
        )


def _check_classes(labels: dict[str, np.ndarray], names: list[str], data: dict) -> None:
    """Raise DatasetError where a part has a single class: nothing can be learned from it.

    labels: name of a part → those of its images, (N,) int64. names: of the classes.
    """
    for name, of_part in labels.items():
        there = np.unique(of_part[of_part != UNTAKEN])
        if len(there) < 2:
            root = f" in {data['root']}" if data["root"] else ""
            only = ", ".join(names[label] for label in there) or "none"
            raise DatasetError(
                f"{data['dataset']}{root}: the {name} part has images of one class only, {only}, and "
                "a network needs at least two classes to tell apart; see that data.root is the "
                "folder of the whole dataset, no level too high or too low, and that labels differ"
            )


def _check_splits(columns: dict[str, np.ndarray], class_names: list[str], data: dict) -> None:
    """Raise DatasetError where the images taken for a split are of a single class."""
    for split in ("train", "evaluation"):
        labels = np.unique(columns["label"][columns["split"] == split])
        if len(labels) < 2:
            raise DatasetError(
                f"data.{split}: {data[split]} images asked for, and all that were taken are of one "
                f"class, {class_names[labels[0]]}; at least two are needed: ask for more images, or "
                "mend the pictures that cannot be read"
            )


def stratified_order(labels: np.ndarray, seed: tuple[int, ...]) -> np.ndarray:
    """Return a permutation of range(N) of which every stretch has the classes in proportion.

    labels: (N,) int64. Returns (N,) int64; equal seeds give equal orders.
    """
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    by_class = np.argsort(labels[shuffled], kind="stable")
    counts = np.bincount(labels)
    start_of_class = np.repeat(np.cumsum(counts) - counts, counts)
    place = np.empty(len(labels))
    place[by_class] = (np.arange(len(labels)) - start_of_class + 0.5) / np.repeat(counts, counts)
    return shuffled[np.argsort(place, kind="stable")]


def _write(
    parts: dict[str, Part],
    labels: dict[str, np.ndarray],
    data: dict,
    writer: Writer,
    histogram: "Histogram",
    scratch: Path,
    workers: int | None,
) -> dict[str, Taken]:
    """Write the images of all splits; return those taken, by part."""
    taken = {name: Taken() for name in parts}
    counts = {name: sum(data[split] for split in SPLITS[name]) for name in parts}

    def images() -> Iterator[int]:
        for number, (name, part) in enumerate(parts.items()):
            kept = np.flatnonzero(labels[name] != UNTAKEN)
            order = kept[stratified_order(labels[name][kept], (data["seed"], number))]
            of_part = part.stream(order, counts[name], data.get("pictures"), scratch, workers)
            for block in of_part:
                writer.append(block.pixels)
                taken[name].add(block)
                if name == "train":
                    histogram.add(block.pixels)
                yield from range(len(block.indices))

    for _ in track(images(), total=sum(counts.values()), label="images"):
        pass
    return taken


def _bounds(taken: dict[str, Taken], data: dict) -> dict[str, list[int]]:
    """Return name of a split → its [start, stop) in the store.

    Raises DatasetError where so many pictures are corrupt that a split has none.
    """
    bounds, start = {}, 0
    for name, splits in SPLITS.items():
        left = sum(map(len, taken[name].indices))
        for split in splits:
            count = min(data[split], left)
            if count < data[split] and not count:
                raise DatasetError(
                    f"data.{split}: {data[split]} images asked for, and none is left: "
                    f"{len(taken[name].corrupt)} pictures there are corrupt, such as "
                    f"{corrupt.some(taken[name].corrupt)}"
                )
            bounds[split] = [start, start + count]
            start, left = start + count, left - count
    return bounds


class Histogram:
    """Counts how often pixels have each value. counts: (channels, 256) int64."""

    def __init__(self, channels: int, images: int):
        """Start at zero; only the first ``images`` images that are added will count."""
        self.counts, self._left = np.zeros((channels, 256), np.int64), images

    def add(self, pixels: np.ndarray) -> None:
        """Count the next images: (n, channels, height, width) uint8."""
        pixels = pixels[: self._left]
        self._left -= len(pixels)
        self.counts += channel_histogram(pixels)


def channel_histogram(pixels: np.ndarray) -> np.ndarray:
    """Count every value per channel: (n, channels, height, width) uint8 → (channels, 256) int64."""
    return np.stack(
        [np.bincount(pixels[:, c].ravel(), minlength=256) for c in range(pixels.shape[1])]
    )


def statistics(histogram: np.ndarray) -> tuple[list[float], list[float]]:
    """Return mean and population standard deviation of pixels in [0, 1], both (channels,) float64.

    histogram: (channels, 256) int64. The sums are whole numbers, so every machine gives the same.
    Raises DatasetError where a channel is constant: networks divide by its deviation.
    """
    values = np.arange(256)
    mean, std = [], []
    for counts in histogram:
        number, total, squares = (int((counts * values**power).sum()) for power in range(3))
        spread = number * squares - total**2
        if spread == 0:
            raise DatasetError("a channel has one value in all training images: nothing to learn")
        mean.append(total / (255 * number))
        std.append(math.sqrt(spread) / (255 * number))
    return mean, std


def _columns(
    labels: dict[str, np.ndarray], taken: dict[str, Taken], bounds: dict[str, list[int]]
) -> dict[str, np.ndarray]:
    source = {name: np.concatenate(part.indices) for name, part in taken.items()}
    columns = {
        "image": np.arange(sum(map(len, source.values()))),
        "split": np.repeat(list(bounds), [stop - start for start, stop in bounds.values()]),
        "label": np.concatenate([of_part[source[name]] for name, of_part in labels.items()]),
        "source": np.concatenate(list(source.values())),
    }
    names = [name for part in taken.values() for name in part.names]
    return columns | ({"name": np.array(names)} if names else {})
