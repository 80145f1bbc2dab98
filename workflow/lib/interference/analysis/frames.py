"""Read many tables as one frame; write one as Parquet for machines and CSV for people."""

from pathlib import Path

import pandas as pd

from interference.store.files import replacing

#: Columns that name a network, and those that name one SAE of one layer of it.
MODEL = ["model", "model_norm", "model_epsilon", "model_seed"]
MEMBER = [*MODEL, "layer", "type", "sparsity", "sae_seed"]


def read_frames(paths: list[Path]) -> pd.DataFrame:
    """All rows of all tables; a column that a table lacks is missing in its rows."""
    return pd.concat([pd.read_parquet(path) for path in paths], ignore_index=True)


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write ``path`` (.parquet) and the same rows beside it as .csv."""
    with replacing(path.with_suffix(".csv")) as temporary:
        frame.to_csv(temporary, index=False, float_format="%.6g", lineterminator="\n")
    with replacing(path) as temporary:
        frame.to_parquet(temporary, index=False, compression="zstd")
