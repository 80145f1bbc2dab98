"""A part whose images are encoded pictures, in files of any kind, and decoded on the way."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from interference.data.dataset import Block, too_large
from interference.data.decode import Place
from interference.data.errors import DatasetError
from interference.data.workers import Workers, cpus
from interference.progress import say
from interference.store.files import temporary_name


@dataclass(frozen=True)
class Pictures:
    """One part of a dataset of pictures.

    where: what the log calls it. image_size: pixels per side. labels: (N,) int64.
    locate: indices (n,) and an empty folder for temporary files → the places of those pictures, in
    that order; the files stay while they are read.
    """

    where: str
    image_size: int
    labels: np.ndarray
    locate: Callable[[np.ndarray, Path], Iterator[Place]]

    @property
    def shape(self) -> tuple[int, int, int]:
        return (3, self.image_size, self.image_size)

    def stream(
        self,
        order: np.ndarray,
        count: int,
        pictures: dict | None,
        scratch: Path,
        workers: int | None = None,
    ) -> Iterator[Block]:
        """Yield the first ``count`` pictures of an order, decoded by a process per CPU of the job.

        Where ``pictures`` says skip, the next in the order takes the place of a corrupt picture.
        pictures: {"resize": pixels of the shorter side before the crop, "corrupt": skip or refuse}.
        workers: the CPUs, as `cpus` takes them.
        Raises DatasetError where resize is smaller than the crop or too large, a file cannot be
        read, or a process was killed.
        """
        assert pictures is not None
        if pictures["resize"] < self.image_size:
            raise DatasetError(
                f"data.pictures.resize: {pictures['resize']} is smaller than data.image_size "
                f"({self.image_size}), which is cut out of it; give at least that"
            )
        if reason := too_large(pictures["resize"], pictures["resize"], pictures["resize"]):
            raise DatasetError(f"data.pictures.resize: {reason}; give less")
        rate, start, missing = Rate(self.where), 0, count
        with (
            _folder(scratch) as folder,
            Workers(cpus(workers), pictures["resize"], self.image_size) as pool,
        ):
            while missing and start < len(order):
                wanted = order[start : start + missing]
                for block in self._round(wanted, folder / str(start), pool, rate):
                    missing -= len(block.indices)
                    yield block
                start += len(wanted)
                if pictures["corrupt"] == "refuse":
                    break
        rate.say(pool.number)

    def _round(
        self, wanted: np.ndarray, folder: Path, workers: Workers, rate: "Rate"
    ) -> Iterator[Block]:
        done = 0
        for task, decoded in workers.decode(self.locate(wanted, folder)):
            indices = wanted[done : done + len(task)]
            done += len(task)
            sound = np.array([reason is None for reason in decoded.reasons])
            block = Block(
                decoded.pixels,
                indices[sound],
                [place.name for place, good in zip(task, sound, strict=True) if good],
                [(p.name, why) for p, why in zip(task, decoded.reasons, strict=True) if why],
            )
            rate.add(len(task), decoded.bytes_read, len(block.corrupt))
            yield block


class Rate:
    """How fast pictures were decoded, for the log."""

    def __init__(self, where: str):
        self.where, self.start = where, time.monotonic()
        self.pictures = self.bytes = self.corrupt = 0

    def add(self, pictures: int, bytes_read: int, corrupt: int) -> None:
        self.pictures += pictures
        self.bytes += bytes_read
        self.corrupt += corrupt

    def say(self, processes: int) -> None:
        seconds = time.monotonic() - self.start
        say(
            f"{self.where}: {self.pictures} pictures decoded and stored in {seconds:.1f} s, "
            f"processes {processes}, {self.pictures / seconds:.0f} images/s, "
            f"{self.bytes / seconds / 1e6:.1f} MB/s read, {self.corrupt} corrupt"
        )


@contextmanager
def _folder(parent: Path) -> Iterator[Path]:
    """Yield the name of a folder for temporary files, which `interference clean` would remove."""
    folder = temporary_name(parent / "pictures")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
