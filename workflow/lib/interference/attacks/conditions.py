"""Attacked images as another job reads them: what `attacks.craft` made, a condition per epsilon."""

from dataclasses import dataclass
from pathlib import Path

from interference.store.arrays import open_array
from interference.store.files import StoreError, read_json
from interference.store.stretch import Stretch


@dataclass(frozen=True)
class Condition:
    """The evaluation images under one attack, or clean; or their activations, displaced.

    attack: its name; clean, or a name of `DISPLACED`.
    epsilon: its radius in pixel units; of displaced activations that of the attack they stand beside.
    source: pixels (images, channels, height, width), uint8 or float32 in [0, 1]; of displaced
        activations the place of that attack among the conditions.
    """

    attack: str
    epsilon: float
    source: Stretch | int


def checked(path: Path, expected: dict) -> dict:
    """Read an input's manifest. Raises StoreError where its spec is unexpected."""
    manifest = read_json(path)
    for name, value in expected.items():
        actual = manifest["spec"].get(name)
        if actual != value:
            raise StoreError(f"{path}: {name} is {actual}, the job is about {value}")
    return manifest


def read_attack(path: Path, images: int) -> list[Condition]:
    """Read an attack on so many images, a condition per epsilon. Raises StoreError."""
    manifest = read_json(path)
    store = open_array(path.with_suffix(".zarr"), manifest["array"])
    return [
        Condition(manifest["spec"]["attack"], epsilon, Stretch(store, i * images, (i + 1) * images))
        for i, epsilon in enumerate(manifest["epsilons"])
    ]


def pixels_at(conditions: list[Condition], epsilon: float) -> Stretch:
    """Return the attacked images of an epsilon. Raises StoreError where there are none."""
    for condition in conditions:
        if condition.epsilon == epsilon and isinstance(condition.source, Stretch):
            return condition.source
    found = ", ".join(f"{condition.epsilon:g}" for condition in conditions)
    raise StoreError(f"--attack: epsilons are {found}, the job is about {epsilon:g}")
