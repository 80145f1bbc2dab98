"""Extract the stem's rows of as many images as told, and print the peak of resident memory in MB.

python peak_memory.py IMAGES MODEL FOLDER
"""

import sys
from pathlib import Path

import numpy as np

from interference.activations.extract import run as extract
from interference.data.labels import labels_sha256
from interference.store.arrays import writing
from interference.store.files import write_json
from interference.store.tables import write_table


def write_images(manifest: Path, train: int) -> None:
    """``train`` training and 64 held-out images of 28 pixels, 256 at a time."""
    rng, count = np.random.default_rng(0), train + 64
    with writing(manifest.with_suffix(".zarr"), (count, 1, 28, 28), "uint8", {}) as writer:
        for start in range(0, count, 256):
            shape = (min(256, count - start), 1, 28, 28)
            writer.append(rng.integers(0, 256, shape, dtype=np.uint8))
    labels = np.arange(count) % 4
    write_table(manifest.with_suffix(".parquet"), {"image": np.arange(count), "label": labels}, {})
    splits = {"train": [0, train], "heldout": [train, count]}
    content = {"array": writer.manifest(), "labels_sha256": labels_sha256(labels), "splits": splits}
    write_json(manifest, content)


def peak() -> float:
    """This program's own: ru_maxrss has that of the process which started it, too."""
    (line,) = [x for x in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in x]
    return int(line.split()[1]) / 1000


if __name__ == "__main__":
    images, model, folder = int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
    write_images(folder / "images.json", images)
    spec = {"model": {"model": "m"}, "layer": "stem", "positions": 49, "seed": 0}
    extract(spec, folder / "images.json", model, folder / "rows.json", [])
    print(peak())
