"""Read many tables as one frame; write one as Parquet for machines and CSV for people."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from interference.provenance import canonical
from interference.store.files import StoreError, replacing, sha256

#: Columns that name a network, and those that name one SAE of one layer of it.
MODEL = ["model", "model_architecture", "model_norm", "model_epsilon", "model_seed"]
MEMBER = [*MODEL, "layer", "type", "sparsity", "sae_seed"]

#: SAE types as papers write them.
SAE_TYPES = {
    "topk": "TopK",
    "relu_l1": "ReLU-L1",
    "batch_topk": "BatchTopK",
    "jumprelu": "JumpReLU",
    "gated": "Gated",
    "matryoshka": "Matryoshka",
}


def read_frames(paths: Iterable[Path]) -> pd.DataFrame:
    """Read all rows of all tables; a column that a table lacks is missing in its rows.

    Raises StoreError where a table is missing or damaged.
    """
    return pd.concat([read_frame(path) for path in paths], ignore_index=True)


def read_frame(path: Path) -> pd.DataFrame:
    """Read one table. Raises StoreError where it is missing or damaged."""
    try:
        return pd.read_parquet(path)
    except FileNotFoundError:
        raise StoreError(f"{path} is missing; run snakemake to make it") from None
    except pa.ArrowInvalid as error:
        raise StoreError(f"{path} is damaged ({error}); remove it and run snakemake") from None


def sweep_columns(manifest: Mapping) -> dict:
    """The columns of MEMBER that all SAEs of a sweep share, from the sweep's manifest."""
    spec = manifest["spec"]
    return {**spec["model"], "layer": spec["layer"], "type": spec["type"]}


def shown(frame: pd.DataFrame, which: Mapping[str, str]) -> pd.DataFrame:
    """The rows that a figure is about: of networks, those of its architecture, if it names one."""
    if "architecture" not in which:
        return frame
    return frame[frame["model_architecture"] == which["architecture"]]


def middle(values: Iterable[float]) -> float:
    """The middle one of the values that occur, of an even number the upper."""
    ordered = sorted(set(values))
    return ordered[len(ordered) // 2]


def write_frame(frame: pd.DataFrame, path: Path, spec: dict) -> None:
    """Write ``path`` (.parquet) and the same rows beside it as .csv.

    The Parquet file holds the job's spec and the SHA-256 of the CSV, which has no place for one.
    """
    people = path.with_suffix(".csv")
    with replacing(people) as temporary:
        frame.to_csv(temporary, index=False, float_format="%.6g", lineterminator="\n")
    table = pa.Table.from_pandas(frame, preserve_index=False)
    known = {"spec": canonical(spec), "csv_sha256": sha256(people)}
    with replacing(path) as temporary:
        table = table.replace_schema_metadata({**table.schema.metadata, **known})
        pq.write_table(table, temporary, compression="zstd")
