"""Images a second: pictures decoded into our store, and read from it again, beside torchvision's.

The peer is ImageFolder with Resize 256 and CenterCrop 224 in a DataLoader of as many worker
processes, images left as uint8. `decode` is the first pass over the files; ours decodes, hashes
and writes the store. `read` is every later pass: the peer decodes again, ours reads the store. The
floor of `decode` is the same decoding in plain loops, one a worker, with nothing read or written;
that of `read` is a copy of the same bytes in memory.

    python -m tests.benchmarks.images     writes results/benchmarks/images.json
"""

import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from interference.data.decode import decode
from interference.data.images import run as build
from interference.data.read import read_manifest
from interference.store.arrays import open_array
from tests.support.pictures import make_folder

PEER = "torchvision ImageFolder, torch DataLoader"
RESIZE, SIZE = 256, 224
#: Images that a reader takes at once.
BATCH = 256


def loop(files: list[Path]) -> float:
    """Seconds that decoding files takes, their bytes in memory before."""
    contents = [file.read_bytes() for file in files]
    start = time.perf_counter()
    for content in contents:
        decode(content, RESIZE, SIZE)
    return time.perf_counter() - start


def theirs(folder: Path, workers: int) -> int:
    """Decode every picture of the training part by the DataLoader; returns how many."""
    from torch.utils.data import DataLoader
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import CenterCrop, Compose, PILToTensor, Resize

    steps = Compose([Resize(RESIZE), CenterCrop(SIZE), PILToTensor()])
    loader = DataLoader(ImageFolder(folder / "train", steps), BATCH, num_workers=workers)
    return sum(len(labels) for _, labels in loader)


def ours(folder: Path, output: Path, count: int) -> None:
    """Decode ``count`` training pictures and two more into a store."""
    data = {
        "dataset": "image-folder",
        "root": str(folder),
        "image_size": SIZE,
        "pictures": {"resize": RESIZE, "corrupt": "refuse"},
        "train": count - 2,
        "heldout": 2,
        "evaluation": 2,
        "seed": 0,
    }
    build({"data": data, "checksums": None}, output)


def store(output: Path) -> int:
    """Read every image of a store; returns how many."""
    array = open_array(output.with_suffix(".zarr"), read_manifest(output)["array"])
    return sum(len(array[start : start + BATCH]) for start in range(0, len(array), BATCH))


def rows(
    classes: int = 10, per_class: int = 200, workers: tuple[int, ...] = (1, 2), rounds: int = 3
) -> Iterator[dict]:
    """Two rows a number of workers."""
    from tests.benchmarks.rows import (  # not above: a process that decodes would load torch
        fastest,
        row,
        seconds,
    )

    with tempfile.TemporaryDirectory() as temporary:
        folder, output = Path(temporary, "pictures"), Path(temporary, "images.json")
        make_folder(folder, classes, per_class, seed=0)
        files, count = sorted(folder.glob("train/*/*")), classes * per_class
        for number in workers:
            os.environ["SLURM_CPUS_PER_TASK"] = str(number)
            works = {
                "ours": (lambda: ours(folder, output, count), 1),
                "peer": (lambda number=number: theirs(folder, number), 1),
            }
            best = fastest(works, rounds)
            shares = [files[first::number] for first in range(number)]
            with ProcessPoolExecutor(number, mp_context=get_context("spawn")) as pool:
                floor = min(max(pool.map(loop, shares)) for _ in range(rounds))
            yield row(
                f"decode-workers{number}",
                (count + 2) / best["ours"],
                count / best["peer"],
                PEER,
                floor / best["ours"],
            )
            again = fastest({"ours": (lambda: store(output), 1), "peer": works["peer"]}, rounds)
            whole = np.ones((count + 2, 3, SIZE, SIZE), np.uint8)
            copy = min(seconds(whole.copy) for _ in range(rounds))
            yield row(
                f"read-workers{number}",
                (count + 2) / again["ours"],
                count / again["peer"],
                PEER,
                copy / again["ours"],
            )


if __name__ == "__main__":
    from tests.benchmarks.rows import write

    write("images", rows())
