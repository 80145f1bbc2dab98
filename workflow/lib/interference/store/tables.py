"""Tables: columns of equal length, one row per observation, as Parquet.

Bytes depend on the values alone, so equal runs give equal files.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from interference.provenance import canonical
from interference.store.files import StoreError, replacing


def write_table(path: Path, columns: Mapping[str, object], spec: dict) -> None:
    """Write columns as Parquet, with the job's spec inside; a scalar is repeated for every row.

    columns: name → array of shape (rows,), list, or scalar.
    Raises ValueError where columns differ in length.
    """
    lengths = {len(v) for v in columns.values() if isinstance(v, np.ndarray | list)}
    if len(lengths) != 1:
        raise ValueError(f"columns differ in length: {sorted(lengths)}")
    (rows,) = lengths
    arrays = [
        _column(v if isinstance(v, np.ndarray | list) else [v] * rows) for v in columns.values()
    ]
    with replacing(path) as temporary:
        table = pa.Table.from_arrays(arrays, names=list(columns))
        table = table.replace_schema_metadata({"spec": canonical(spec)})
        pq.write_table(table, temporary, compression="zstd")


def _column(values: np.ndarray | list) -> pa.Array:
    """Return a column made of its buffers: `pa.array` would import pandas, 0.25 s per job."""
    values = np.asarray(values)
    kind = pa.from_numpy_dtype(values.dtype) if values.dtype.kind != "U" else pa.string()
    if values.dtype.kind == "U":
        texts = [text.encode() for text in values.tolist()]
        ends = np.cumsum([0, *map(len, texts)], dtype=np.int32)
        buffers = [pa.py_buffer(ends), pa.py_buffer(b"".join(texts))]
    elif values.dtype == bool:
        buffers = [pa.py_buffer(np.packbits(values, bitorder="little"))]
    else:
        buffers = [pa.py_buffer(np.ascontiguousarray(values))]
    return pa.Array.from_buffers(kind, len(values), [None, *buffers])


def read_columns(path: Path) -> dict[str, np.ndarray]:
    """Read a table: name → (rows,). Raises StoreError where it is missing or damaged."""
    try:
        with pq.ParquetFile(path) as file:  # pq.read_table would import pandas
            table = file.read()
    except FileNotFoundError:
        raise StoreError(f"{path} is missing; run snakemake to make it") from None
    except pa.ArrowInvalid as error:
        raise StoreError(f"{path} is damaged ({error}); remove it and run snakemake") from None
    return {name: _values(table[name]) for name in table.column_names}


def _values(column: pa.ChunkedArray) -> np.ndarray:
    """Return a column as an array (rows,); `to_numpy` would import pandas."""
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return np.concatenate([np.from_dlpack(chunk) for chunk in column.chunks])
    return np.array(column.to_pylist())
