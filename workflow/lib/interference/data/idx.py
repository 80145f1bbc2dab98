"""IDX, the format of MNIST and Fashion-MNIST: a shape and unsigned bytes.

Two zero bytes, the type (8: unsigned byte), the number of axes, each axis as a big-endian 32-bit
number, then the values in C order (Y. LeCun, "The MNIST database", file formats). The files here
are plain, .gz or .xz.
"""

import gzip
import lzma
import math
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from interference.data.errors import DatasetError

#: By the ending of a file's name; others are read as they are.
DECOMPRESS: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.decompress, ".xz": lzma.decompress}


def read_idx(path: Path, axes: int) -> np.ndarray:
    """Read an array of unsigned bytes with ``axes`` axes: uint8, of the shape that the file names.

    Raises DatasetError where the file is damaged, cut short or no IDX of that many axes.
    """
    try:
        content = DECOMPRESS.get(path.suffix, bytes)(path.read_bytes())
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise DatasetError(f"{path} cannot be read ({error}); fetch the file again") from None
    start = 4 + 4 * axes
    if content[:4] != bytes([0, 0, 8, axes]) or len(content) < start:
        raise DatasetError(f"{path} is no IDX file of unsigned bytes with {axes} axes")
    shape = struct.unpack(f">{axes}I", content[4:start])
    if len(content) - start != math.prod(shape):
        raise DatasetError(
            f"{path} announces {math.prod(shape)} bytes of values (shape {shape}) and holds "
            f"{len(content) - start}; fetch the file again"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def idx_bytes(array: np.ndarray) -> bytes:
    """Return the bytes of a plain IDX file. array: uint8, any shape."""
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(np.uint8, casting="safe").tobytes()
