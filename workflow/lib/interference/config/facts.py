"""Facts about datasets and architectures that a plan needs before anything is loaded."""

from dataclasses import dataclass
from pathlib import Path

#: Images that ship with the repository, one folder a dataset.
RESOURCES = Path(__file__).parents[3] / "resources"


@dataclass(frozen=True)
class Dataset:
    """reader: the module that reads its files; embedded: it ships with the repository;
    size: pixels a side; train, test: images there are; None where the files decide."""

    reader: str
    embedded: bool
    channels: int
    size: int | None
    train: int | None
    test: int | None


DATASETS = {
    "fashion-mnist-subset": Dataset("interference.data.fashion", True, 1, 28, 12_000, 2_000),
    "fashion-mnist": Dataset("interference.data.fashion", False, 1, 28, 60_000, 10_000),
    "cifar10": Dataset("interference.data.cifar", False, 3, 32, 50_000, 10_000),
    "cifar100": Dataset("interference.data.cifar", False, 3, 32, 50_000, 10_000),
    "image-folder": Dataset("interference.data.folder", False, 3, None, None, None),
    "image-parquet": Dataset("interference.data.parquet", False, 3, None, None, None),
    "image-webdataset": Dataset("interference.data.webdataset", False, 3, None, None, None),
}

#: Channels after each hook.
ARCHITECTURES = {
    "resnet18": {"stem": 64, "layer1": 64, "layer2": 128, "layer3": 256, "layer4": 512},
}

#: Parameters, for the bytes of a plan (ImageNet's thousand classes left out).
PARAMETERS = {"resnet18": 11_200_000}


def positions(size: int, stem: str) -> dict[str, int]:
    """Spatial positions after each hook for images of ``size`` pixels a side."""

    def half(side: int) -> int:
        return (side + 1) // 2

    side = half(half(size)) if stem == "imagenet" else size
    sides = {"stem": side, "layer1": side}
    for layer in ("layer2", "layer3", "layer4"):
        side = half(side)
        sides[layer] = side
    return {layer: side * side for layer, side in sides.items()}
