"""The datasets by name, read from files on this machine; nothing here reaches a network.

Each dataset has its reader, found by name, so that a job's digest holds the one reader it uses.
"""

import importlib
from pathlib import Path

from interference.config.facts import DATASETS
from interference.data.dataset import Dataset


def load(dataset: str, root: str | None, image_size: int | None) -> Dataset:
    """Read a dataset by its name in the config.

    root: the folder that holds its files; None for what ships with the repository.
    image_size: pixels a side that images are brought to; None keeps the dataset's own.
    Raises DatasetError where files are missing, damaged or do not fit together.
    """
    reader = importlib.import_module(DATASETS[dataset].reader)
    return reader.read(dataset, Path(root).expanduser() if root is not None else None, image_size)
