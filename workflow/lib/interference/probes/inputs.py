"""What probes read beside attacked images: sweeps of SAEs, a manifest per name of the spec."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from interference.saes.dictionary import Dictionary, unstack
from interference.store.files import StoreError
from interference.store.tensors import read_described


@dataclass(frozen=True)
class Sweep:
    """The trained SAEs of one type.

    members: sparsity and sae_seed per SAE. sha256: of the file that the dictionaries come from.
    """

    type: str
    members: list[dict]
    dictionaries: list[Dictionary]
    sha256: str


def each(option: str, names: Sequence[str], paths: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    """Yield each name of the spec with its path. Raises StoreError where they differ in number."""
    if len(names) != len(paths):
        raise StoreError(
            f"{option}: found {len(paths)} manifests, needs one for each of {', '.join(names)}"
        )
    yield from zip(names, paths, strict=True)


def read_sweep(path: Path) -> Sweep:
    """Read the SAEs of one type. Raises StoreError."""
    arrays, manifest = read_described(path)
    return Sweep(manifest["spec"]["type"], manifest["members"], unstack(arrays), manifest["sha256"])
