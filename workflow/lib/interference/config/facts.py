"""Facts about datasets and architectures that a plan needs before anything is loaded."""

from dataclasses import dataclass
from pathlib import Path

from interference.config.values import Stem

#: Images that draw their positions together, in whichever part of an extraction.
BLOCK = 256

#: Images that ship with the repository, one folder per dataset.
RESOURCES = Path(__file__).parents[3] / "resources"


@dataclass(frozen=True)
class Dataset:
    """A dataset; None where its files decide.

    reader: module that reads its files
    embedded: whether it ships with the repository
    channels: colours per pixel
    size: pixels per side
    train, test: number of images of each part, as many of each class
    classes: number of classes
    """

    reader: str
    embedded: bool
    channels: int
    size: int | None
    train: int | None
    test: int | None
    classes: int | None


DATASETS = {
    "fashion-mnist-subset": Dataset("interference.data.fashion", True, 1, 28, 12_000, 2_000, 10),
    "fashion-mnist": Dataset("interference.data.fashion", False, 1, 28, 60_000, 10_000, 10),
    "cifar10": Dataset("interference.data.cifar", False, 3, 32, 50_000, 10_000, 10),
    "cifar100": Dataset("interference.data.cifar", False, 3, 32, 50_000, 10_000, 100),
    "image-folder": Dataset("interference.data.folder", False, 3, None, None, None, None),
    "image-parquet": Dataset("interference.data.parquet", False, 3, None, None, None, None),
    "image-webdataset": Dataset("interference.data.webdataset", False, 3, None, None, None, None),
}


@dataclass(frozen=True)
class Hook:
    """A place in an architecture whose activations are taken.

    channels: channels there
    halvings: halvings of the side since the hook before it, a letter for how each rounds: c up, f down
    """

    channels: int
    halvings: str


def _hooks(channels: tuple[int, ...], halvings: tuple[str, ...]) -> dict[str, Hook]:
    names = ("stem", "layer1", "layer2", "layer3", "layer4")
    hooks = zip(names, channels, halvings, strict=True)
    return {name: Hook(width, roundings) for name, width, roundings in hooks}


#: Halvings before the first hook of stems that are not the architecture's own.
_HALVINGS: dict[Stem, str] = {"strided": "c", "small": ""}

_RESNET50 = _hooks((64, 256, 512, 1024, 2048), ("cc", "", "c", "c", "c"))
_HOOKS = {
    "resnet18": _hooks((64, 64, 128, 256, 512), ("cc", "", "c", "c", "c")),
    "resnet50": _RESNET50,
    "wide_resnet50_2": _RESNET50,
    "wide_resnet50_4": _RESNET50,
    "resnext50_32x4d": _RESNET50,
    "densenet161": _hooks((96, 384, 768, 2112, 2208), ("cc", "", "f", "f", "f")),
    "mnasnet1_0": _hooks((16, 24, 40, 96, 1280), ("c", "c", "c", "c", "c")),
    "mobilenet_v2": _hooks((16, 24, 32, 96, 1280), ("c", "c", "c", "c", "c")),
    "shufflenet_v2_x1_0": _hooks((24, 116, 232, 464, 1024), ("cc", "c", "c", "c", "")),
    "vgg16_bn": _hooks((64, 128, 256, 512, 512), ("f", "f", "f", "f", "f")),
}

#: Channels after each hook; interference.models.architectures says where the hooks are.
ARCHITECTURES = {
    name: {layer: hook.channels for layer, hook in hooks.items()} for name, hooks in _HOOKS.items()
}

#: Architectures that come in other widths, and the channels of their stem at their own.
RESIZABLE = {"resnet18": 64, "resnet50": 64}

#: Number of parameters, for the bytes of a plan, without the last layer, which the classes decide.
PARAMETERS = {
    "resnet18": 11_176_512,
    "resnet50": 23_508_032,
    "wide_resnet50_2": 66_834_240,
    "wide_resnet50_4": 221_390_144,
    "resnext50_32x4d": 22_979_904,
    "densenet161": 26_472_000,
    "mnasnet1_0": 3_102_312,
    "mobilenet_v2": 2_223_872,
    "shufflenet_v2_x1_0": 1_253_604,
    "vgg16_bn": 134_268_992,
}

#: Floating-point operations of a forward pass of one image of 224 pixels per side, up to each hook and
#: to the logits of ImageNet's classes; a multiply-add is two.
FLOPS = {
    "resnet18": {
        "stem": 236_027_904,
        "layer1": 1_160_871_936,
        "layer2": 1_982_955_520,
        "layer3": 2_805_039_104,
        "layer4": 3_627_122_688,
        "logits": 3_628_146_688,
    },
    "resnet50": {
        "stem": 236_027_904,
        "layer1": 1_571_913_728,
        "layer2": 3_627_122_688,
        "layer3": 6_555_795_456,
        "layer4": 8_174_272_512,
        "logits": 8_178_368_512,
    },
    "wide_resnet50_2": {
        "stem": 236_027_904,
        "layer1": 4_192_305_152,
        "layer2": 9_946_890_240,
        "layer3": 18_373_246_976,
        "layer4": 22_791_946_240,
        "logits": 22_796_042_240,
    },
    "wide_resnet50_4": {
        "stem": 236_027_904,
        "layer1": 13_594_886_144,
        "layer2": 32_297_287_680,
        "layer3": 60_042_608_640,
        "layer4": 74_223_550_464,
        "logits": 74_227_646_464,
    },
    "resnext50_32x4d": {
        "stem": 236_027_904,
        "layer1": 1_504_477_184,
        "layer2": 3_675_291_648,
        "layer3": 6_725_992_448,
        "layer4": 8_456_863_744,
        "logits": 8_460_959_744,
    },
    "densenet161": {
        "stem": 354_041_856,
        "layer1": 5_036_064_768,
        "layer2": 8_706_539_520,
        "layer3": 13_655_900_160,
        "layer4": 15_451_398_144,
        "logits": 15_455_814_144,
    },
    "mnasnet1_0": {
        "stem": 41_746_432,
        "layer1": 122_429_440,
        "layer2": 180_119_296,
        "layer3": 354_863_488,
        "layer4": 626_271_744,
        "logits": 628_831_744,
    },
    "mobilenet_v2": {
        "stem": 41_746_432,
        "layer1": 151_631_872,
        "layer2": 226_519_552,
        "layer3": 419_722_240,
        "layer4": 598_988_544,
        "logits": 601_548_544,
    },
    "shufflenet_v2_x1_0": {
        "stem": 16_257_024,
        "layer1": 67_706_240,
        "layer2": 176_884_512,
        "layer3": 241_204_656,
        "layer4": 287_767_984,
        "logits": 289_815_984,
    },
    "vgg16_bn": {
        "stem": 3_872_784_384,
        "layer1": 9_421_848_576,
        "layer2": 18_670_288_896,
        "layer3": 27_918_729_216,
        "layer4": 30_693_261_312,
        "logits": 30_940_528_640,
    },
}


def channels(architecture: str, width: int | None) -> dict[str, int]:
    """Channels after each hook; width: of the stem, None for the architecture's own."""
    own = ARCHITECTURES[architecture]
    if width is None:
        return own
    return {layer: count * width // RESIZABLE[architecture] for layer, count in own.items()}


def parameters(architecture: str, width: int | None) -> int:
    """Number of parameters without the last layer; width: of the stem, None for the architecture's own."""
    return round(PARAMETERS[architecture] * _resized(architecture, width) ** 2)


def operations(architecture: str, width: int | None, stem: Stem, size: int) -> dict[str, float]:
    """Floating-point operations of a forward pass of one image, up to each hook and to the logits.

    width: of the stem, None for the architecture's own; size: pixels per side.
    """
    resized, own = _resized(architecture, width), FLOPS[architecture]
    pixels = (size / 224) ** 2
    first, rest = own["stem"] * resized * pixels, resized**2 * pixels
    if stem != "imagenet":  # 3x3 instead of 7x7, and no pooling, which leaves a quarter
        side = {"strided": 1, "small": 2}[stem]
        first, rest = first * side**2 * 9 / 49, rest * side**2 * 4
    return {name: first + (count - own["stem"]) * rest for name, count in own.items()}


def _resized(architecture: str, width: int | None) -> float:
    return 1.0 if width is None else width / RESIZABLE[architecture]


def positions(size: int, stem: Stem, architecture: str = "resnet18") -> dict[str, int]:
    """Spatial positions after each hook for images of ``size`` pixels per side."""
    counts, side = {}, size
    for layer, hook in _HOOKS[architecture].items():
        halvings = _HALVINGS.get(stem, hook.halvings) if layer == "stem" else hook.halvings
        for rounding in halvings:
            side = (side + (rounding == "c")) // 2
        counts[layer] = side * side
    return counts
