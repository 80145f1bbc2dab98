"""Pictures in Parquet files as Hugging Face's datasets writes them (ImageNet's are imagenet-1k).

ROOT/train-*.parquet and ROOT/validation-*.parquet (else val-*, test-*), or the same in ROOT/data.
Columns: ``image``, a struct of bytes and path, and ``label``, whole numbers. A file is fast to read
only in its own order, and images are asked for in another: those asked for are first copied, row
group after row group, into a temporary file beside the store. Memory holds a page of a row group
meanwhile: 10 MB where a group has 100 rows, as Hugging Face writes ImageNet, but pyarrow puts up to
1,024 pictures in a page where groups are large.
"""

import json
import unicodedata
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from interference.data.dataset import Dataset, check_labels
from interference.data.decode import Place
from interference.data.errors import DatasetError
from interference.data.listing import few, under
from interference.data.pictures import Pictures
from interference.data.shards import Form, choose

#: Rows that are held at once.
ROWS = 32
#: Bytes that are read at once, of a column that is not read whole.
BUFFER = 2**20

Result = TypeVar("Result")

FORM = Form(
    dataset="image-parquet",
    shown="{word}-*.parquet",
    shard=r"{word}-.*\.parquet",
    like=r"{word}(?![A-Za-z0-9]).*",
    number=r"(?P<prefix>.*-)(?P<number>\d{1,6})(?P<rest>-of-(?P<total>\d{1,6})\.parquet)",
    words={"train": ("train",), "test": ("validation", "val", "test")},
)


def read(dataset: str, root: Path, image_size: int) -> Dataset:
    """Read the labels; pictures are read when their pixels are asked for.

    Files are in the order of their names. Classes are named by the files' metadata, else by number.
    A picture's name is its ``path``, else FILE:ROW. Files that cannot be read, that are missing by
    the others' numbers or have no rows are listed as not taken.
    Raises DatasetError where files are missing, damaged, of other columns or contradict each other
    on the names of classes, or where a label is missing.
    """
    shards = choose(FORM, [root, root / "data"])
    heads = {part: [_head(file) for file in files] for part, files in shards.files.items()}
    named = {
        file: names for part in heads for file, (_, names) in zip(shards.files[part], heads[part])
    }
    names = _class_names(named)
    labels = {part: [of_file for of_file, _ in of_part] for part, of_part in heads.items()}
    for part, files in shards.files.items():
        empty = [file.name for file, rows in zip(files, labels[part], strict=True) if not len(rows)]
        shards.untaken[part] += under("", [(name, "it has no rows") for name in empty])
        if len(empty) == len(files):
            raise DatasetError(
                f"image-parquet: {', '.join(map(str, files[:5]))}: there are no rows"
            )
    if names is None:
        highest = max(int(rows.max()) for rows in labels["train"] if len(rows))
        names = [str(label) for label in range(1 + highest)]
    train, test = (
        _part(files, labels[part], len(names), image_size) for part, files in shards.files.items()
    )
    return Dataset(train, test, names, shards.untaken)


def _open(path: Path) -> pq.ParquetFile:
    """Open a file. Raises DatasetError where it is no Parquet file or its columns are others."""
    try:
        file = pq.ParquetFile(path, buffer_size=BUFFER, pre_buffer=False)
    except (pa.ArrowInvalid, OSError) as error:
        raise DatasetError(f"{path} is damaged ({error}); fetch it again") from None
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
        columns = ", ".join(f"{name}: {kind}" for name, kind in fields.items())
        raise DatasetError(
            f"{path} has the columns {columns}; it needs image, a struct of bytes and path, and "
            "label, an integer"
        )
    return file


def _head(path: Path) -> tuple[np.ndarray, list[str] | None]:
    """Read the labels, (rows,) int64, and the names of the classes, which Hugging Face's datasets
    keeps in the metadata; None without."""
    with _open(path) as file:
        column = _read(path, lambda: file.read(columns=["label"], use_threads=False))["label"]
        metadata = file.schema_arrow.metadata or {}
    if column.null_count:
        raise DatasetError(f"{path}: {column.null_count} of {len(column)} labels are missing")
    chunks = [np.from_dlpack(chunk) for chunk in column.chunks]
    labels = np.concatenate([np.empty(0, np.int64), *chunks]).astype(np.int64)
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        names = features["label"]["names"]
    except (KeyError, TypeError, ValueError):
        return labels, None
    return labels, [str(name) for name in names]


def _read(path: Path, read_some: Callable[[], Result]) -> Result:
    """Return what ``read_some`` returns. Raises DatasetError where the file is damaged."""
    try:
        return read_some()
    except MemoryError as error:
        raise DatasetError(f"{path}: no memory is left to read it ({error}); give more") from None
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{path} is damaged ({error}); fetch it again") from None


def _class_names(named: dict[Path, list[str] | None]) -> list[str] | None:
    """Return the names of the classes, as the first file spells them; None where it has none.

    named: file → its names. Raises DatasetError where two files differ, but for the Unicode form,
    as a label would then mean different classes.
    """
    composed = {
        file: [unicodedata.normalize("NFC", name) for name in names]
        for file, names in named.items()
        if names is not None
    }
    for file, names in composed.items():
        first = next(iter(composed))
        if names != composed[first]:
            raise DatasetError(
                f"image-parquet: {first} and {file} name the classes otherwise "
                f"({few(composed[first])}; {few(names)}); their labels cannot mean the same"
            )
    return next(iter(named.values()))


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
    """Yield name and bytes of the pictures at ``rows``, (n,) int64, ascending, over all files."""
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
            while batch := _read(path, partial(next, batches, None)):
                inside = slice(*np.searchsorted(rows, (first, first + len(batch))))
                for row in rows[inside]:
                    image = batch.column("image")[int(row - first)].as_py() or {}
                    yield image.get("path") or f"{path.name}:{row}", image.get("bytes") or b""
                first += len(batch)
        first = stop
