"""Memory is that of a batch and a bucket, however many images there are."""

import os
import subprocess
import sys

from interference.activations.shuffle import BUCKET_BYTES
from tests.support import peak_memory

ROW_BYTES = 4 * 49 * 64  # of an image: the stem's positions at 28 pixels


def peak(images, model, folder):
    """MB that a job of so many images takes at most."""
    folder.mkdir()
    program = [sys.executable, peak_memory.__file__]
    # one arena: what malloc keeps for each of zarr's threads hangs on how they happen to run
    environment = {**os.environ, "MALLOC_ARENA_MAX": "1"}
    run = subprocess.run(
        [*program, str(images), model, folder],
        capture_output=True, text=True, check=True, env=environment,
    )  # fmt: skip
    return float(run.stdout)


def test_peak_memory_does_not_grow_with_the_number_of_images(wide_model, tmp_path):
    few = BUCKET_BYTES // ROW_BYTES * 3 // 2
    many = 5 * few
    more_rows = (many - few) * ROW_BYTES / 1e6
    assert more_rows > 380
    of_few = peak(few, wide_model, tmp_path / "few")
    assert peak(many, wide_model, tmp_path / "many") < of_few + 0.2 * more_rows
