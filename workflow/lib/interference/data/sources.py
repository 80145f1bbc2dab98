"""Read a dataset by name, from files on this machine; nothing here reaches a network.

Readers are imported by name, so that a job's digest holds only the reader that it uses.
"""

import importlib
from pathlib import Path

from interference.config.facts import DATASETS
from interference.data.dataset import Dataset


def load(dataset: str, root: str | None, image_size: int | None) -> Dataset:
    """Read a dataset by its name in the config.

    root: the folder that holds its files; None for what ships with the repository.
    image_size: pixels per side that images are brought to; None keeps the dataset's own.
    Raises DatasetError where files are missing, damaged or contradict each other.
    """
    reader = importlib.import_module(DATASETS[dataset].reader)
    return reader.read(dataset, Path(root).expanduser() if root is not None else None, image_size)
