"""Pictures in Parquet files as Hugging Face's datasets writes them (ImageNet's are imagenet-1k).

ROOT/train-*.parquet and ROOT/validation-*.parquet (else val-*, test-*), or the same in ROOT/data.
Columns: ``image``, a struct of bytes and path, and ``label``, whole numbers. A file can be read
well only in its own order, and images are asked for in another: those asked for are first copied,
row group after row group, into one temporary file beside the store. What is in memory meanwhile
is a page of a row group: 10 MB where a group has 100 rows, as Hugging Face writes ImageNet, but
pyarrow puts up to 1,024 pictures in a page where groups are large.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from interference.data.dataset import Dataset, check_labels
from interference.data.decode import Place
from interference.data.pictures import Pictures
from interference.store.files import StoreError

#: Rows that are held at once.
ROWS = 32
#: Bytes that are read at once, of a column that is not read whole.
BUFFER = 2**20
SECOND = ("validation", "val", "test")


def read(dataset: str, root: Path, image_size: int) -> Dataset:
    """Read the labels; pictures are read when their pixels are asked for.

    Files are in the order of their names. Classes are named by the files' own metadata, else by
    their number. A picture's name is its ``path``, else FILE:ROW.
    Raises StoreError where files are missing, damaged or of other columns, or a label is none.
    """
    train = _files(root, ("train",))
    test = _files(root, SECOND)
    labels = [[_labels(file) for file in files] for files in (train, test)]
    names = _class_names(train[0])
    if names is None:
        names = [str(label) for label in range(1 + max(int(part.max()) for part in labels[0]))]
    parts = (
        _part(files, part, len(names), image_size)
        for files, part in zip((train, test), labels, strict=True)
    )
    return Dataset(*parts, names)


def _files(root: Path, words: tuple[str, ...]) -> list[Path]:
    for word in words:
        for folder in (root, root / "data"):
            if files := sorted(folder.glob(f"{word}-*.parquet")):
                return files
    wanted = " or ".join(f"{word}-*.parquet" for word in words)
    raise StoreError(f"image-parquet: no {wanted} in {root} or {root / 'data'}")


def _open(path: Path) -> pq.ParquetFile:
    """Raises StoreError where it is no Parquet file or its columns are others."""
    try:
        file = pq.ParquetFile(path, buffer_size=BUFFER, pre_buffer=False)
    except pa.ArrowInvalid as error:
        raise StoreError(f"{path} is damaged ({error}); fetch it again") from None
    schema = file.schema_arrow
    fields = {name: schema.field(name).type for name in schema.names}
    image, label = fields.get("image"), fields.get("label")
    if (
        image is None
        or not pa.types.is_struct(image)
        or image.get_field_index("bytes") < 0
        or label is None
        or not pa.types.is_integer(label)
    ):
        file.close()
        found = ", ".join(f"{name}: {kind}" for name, kind in fields.items())
        raise StoreError(
            f"{path} has the columns {found}; it needs image, a struct of bytes and path, and "
            "label, an integer"
        )
    return file


def _labels(path: Path) -> np.ndarray:
    """(rows,) int64."""
    with _open(path) as file:
        column = _read(path, lambda: file.read(columns=["label"], use_threads=False))["label"]
    if column.null_count or not len(column):
        raise StoreError(f"{path}: {column.null_count} of {len(column)} labels are missing")
    return np.concatenate([np.from_dlpack(chunk) for chunk in column.chunks]).astype(np.int64)


def _read(path: Path, work):
    try:
        return work()
    except (pa.ArrowException, OSError) as error:
        raise StoreError(f"{path} is damaged ({error}); fetch it again") from None


def _class_names(path: Path) -> list[str] | None:
    """The names of the classes as Hugging Face's datasets keeps them, None where it does not."""
    with _open(path) as file:
        metadata = file.schema_arrow.metadata or {}
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        names = features["label"]["names"]
    except (KeyError, TypeError, ValueError):
        return None
    return [str(name) for name in names]


def _part(files: list[Path], labels: list[np.ndarray], classes: int, image_size: int) -> Pictures:
    for file, of_file in zip(files, labels, strict=True):
        check_labels(of_file, classes, str(file))
    starts = np.cumsum([0, *map(len, labels)])

    def locate(indices: np.ndarray, scratch: Path) -> Iterator[Place]:
        scratch.mkdir(parents=True)
        target = scratch / "gathered"
        lengths, names = np.empty(len(indices), np.int64), [""] * len(indices)
        by_row = np.argsort(indices)
        with target.open("wb") as file:
            for place, (name, encoded) in zip(by_row, _rows(files, starts, indices[by_row])):
                lengths[place], names[place] = file.write(encoded), name
        offsets = np.empty_like(lengths)
        offsets[by_row] = np.cumsum(lengths[by_row]) - lengths[by_row]
        for name, offset, length in zip(names, offsets.tolist(), lengths.tolist(), strict=True):
            yield Place(name, str(target), offset, length)

    where = files[0].name.partition("-")[0]
    return Pictures(where, image_size, np.concatenate(labels), locate)


def _rows(files: list[Path], starts: np.ndarray, rows: np.ndarray) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of the pictures at ``rows``, (n,) int64 ascending over all files."""
    for path, start, stop in zip(files, starts, starts[1:]):
        chosen = rows[slice(*np.searchsorted(rows, (start, stop)))] - start
        if len(chosen):
            with _open(path) as file:
                yield from _rows_of(path, file, chosen)


def _rows_of(path: Path, file: pq.ParquetFile, rows: np.ndarray) -> Iterator[tuple[str, bytes]]:
    first = 0
    for group in range(file.num_row_groups):
        stop = first + file.metadata.row_group(group).num_rows
        if np.searchsorted(rows, first) < np.searchsorted(rows, stop):
            batches = file.iter_batches(
                ROWS, row_groups=[group], columns=["image"], use_threads=False
            )
            while batch := _read(path, lambda batches=batches: next(batches, None)):
                inside = slice(*np.searchsorted(rows, (first, first + len(batch))))
                for row in rows[inside]:
                    image = batch.column("image")[int(row - first)].as_py() or {}
                    yield image.get("path") or f"{path.name}:{row}", image.get("bytes") or b""
                first += len(batch)
        first = stop
