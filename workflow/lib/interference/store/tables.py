"""Tables: columns of equal length, one row an observation, as Parquet.

Bytes depend on the values alone, so equal runs give equal files.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from interference.store.files import StoreError, replacing


def write_table(path: Path, columns: Mapping[str, object]) -> None:
    """Write columns as Parquet; a scalar is repeated for every row.

    columns: name → array of shape (rows,), list, or scalar.
    """
    lengths = {len(v) for v in columns.values() if isinstance(v, np.ndarray | list)}
    if len(lengths) != 1:
        raise ValueError(f"columns differ in length: {sorted(lengths)}")
    (rows,) = lengths
    arrays = {
        name: pa.array(v if isinstance(v, np.ndarray | list) else [v] * rows)
        for name, v in columns.items()
    }
    with replacing(path) as temporary:
        pq.write_table(pa.table(arrays), temporary, compression="zstd")


def read_columns(path: Path) -> dict[str, np.ndarray]:
    """Read a table as name → array of shape (rows,). Raises StoreError."""
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise StoreError(f"{path} is missing; run snakemake to make it") from None
    except pa.ArrowInvalid as error:
        raise StoreError(f"{path} is damaged ({error}); remove it and run snakemake") from None
    return {name: table[name].to_numpy() for name in table.column_names}
