"""Where networks come from: trained here, MadryLab's checkpoints, or files of one's own."""

import difflib
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from interference.config.facts import ARCHITECTURES, RESIZABLE
from interference.config.values import (
    REVISION,
    SHA256,
    Count,
    Name,
    OneOf,
    Pixel,
    Positive,
    Radii,
    RadiusOrZero,
    Section,
    Seeds,
    Stem,
)
from interference.config.zoo import CHECKPOINTS, REPOSITORY

Architecture = Annotated[str, OneOf(ARCHITECTURES)]
Sha256 = Annotated[str, Field(pattern=SHA256)] | None
Channels = Annotated[list[Pixel], Field(min_length=3, max_length=3)]


class TrainingAttack(Section):
    """What a network is trained against; one step is FGSM with a random start (Wong et al. 2020)."""

    steps: Count
    """Gradient steps per image and training step."""
    relative_step: Positive
    """Length of a step over epsilon."""
    random_start: bool
    """Whether the first step is from a random point of the ball, not from the image."""


class Schedule(Section):
    """How long a training is, and how fast."""

    epochs: Count
    """Epochs, each over all training images."""
    learning_rate: Positive
    """Peak of the one-cycle rate of SGD, per step."""


class Trunk(Schedule):
    """Clean training that every model of a seed starts from."""


class Finetune(Schedule):
    """Training that follows at each epsilon, 0 included."""

    attack: TrainingAttack


class Epsilons(Section):
    """Radii of adversarial training by norm, of which one may be left out. Epsilon 0, the clean
    baseline, is always trained, with as many extra steps."""

    l2: Radii | None = None
    """L2 radii in pixel units (pixels are in [0, 1])."""
    linf: Radii | None = None
    """Linf radii in pixel units, or fractions such as 8/255."""


class Trained(Section):
    """Networks that the experiment trains itself."""

    source: Literal["trained"]
    """Where networks come from: trained here; or hub, MadryLab's checkpoints, or files, one's own,
    which have other keys (docs/config.md)."""
    architecture: Architecture
    """As torchvision calls it."""
    stem: Stem
    """First layers: 7x7 of stride 2 and max-pooling; for small images `strided` is 3x3 of stride 2,
    and `small` is 3x3 of stride 1."""
    width: Annotated[int, Field(ge=4)] | None
    """Channels of the stem, and of all that follow in proportion; null keeps the architecture's own.
    ResNet-18 and ResNet-50 take others than their 64."""
    epsilons: Epsilons
    seeds: Seeds
    """Seeds: a model of each epsilon is trained with each."""
    batch_size: Annotated[int, Field(ge=2)]
    """Images per training step."""
    weight_decay: Annotated[float, Field(ge=0)]
    """Share of each weight that is added to its gradient."""
    momentum: Annotated[float, Field(ge=0, lt=1)]
    """Share of a step that goes on in the next (Nesterov)."""
    trunk: Trunk
    finetune: Finetune

    @model_validator(mode="after")
    def _stem(self) -> Self:
        if self.stem != "imagenet" and not self.architecture.startswith(("resnet", "wide_resnet")):
            raise ValueError(f"stem: {self.architecture} has no {self.stem} stem; write imagenet")
        return self

    @model_validator(mode="after")
    def _width(self) -> Self:
        if self.width is not None and self.architecture not in RESIZABLE:
            allowed = " and ".join(RESIZABLE)
            raise ValueError(
                f"width: found {self.width}, but {self.architecture} comes in its own width alone; "
                f"write null, or {allowed} as the architecture"
            )
        return self

    @property
    def architectures(self) -> list[str]:
        return [self.architecture]


def _known(name: str) -> str:
    if name not in CHECKPOINTS:
        close = difflib.get_close_matches(name, CHECKPOINTS, n=3, cutoff=0.5)
        mend = f"did you mean {' or '.join(close)}? " if close else ""
        raise ValueError(f"found {name}; {mend}interference/config/zoo.py lists all that there are")
    return name


class Hub(Section):
    """Checkpoints of madrylab/robust-imagenet-models (Salman et al. 2020), by name."""

    source: Literal["hub"]
    """MadryLab's checkpoints."""
    folder: str | None
    """Path of the folder of their files; null: they come from the hub, into its cache on this
    machine."""
    revision: Annotated[str, Field(pattern=REVISION)]
    """Branch, tag or commit of the hub's repository."""
    checkpoints: Annotated[
        dict[Annotated[str, AfterValidator(_known)], Sha256], Field(min_length=1)
    ]
    """Name of a file without its suffix: the SHA-256 that it must have, in hexadecimal digits. null
    takes what the hub says it is, and the log says how to pin it."""

    stem: ClassVar[Stem] = "imagenet"
    width: ClassVar[None] = None

    @model_validator(mode="after")
    def _clean(self) -> Self:
        _need_clean({name: CHECKPOINTS[name] for name in self.checkpoints}, "checkpoints")
        return self

    @property
    def architectures(self) -> list[str]:
        return list(dict.fromkeys(CHECKPOINTS[name].architecture for name in self.checkpoints))

    def checkpoint(self, name: str) -> dict:
        """Where a network comes from: a folder on this machine is part of it, a cache is not."""
        return {
            "format": "madrylab",
            "repository": REPOSITORY,
            "revision": self.revision,
            "folder": self.folder and str(Path(self.folder).expanduser()),
            "file": CHECKPOINTS[name].file,
            "sha256": self.checkpoints[name],
        }


class NetworkFile(Section):
    """A state dict in a file: torchvision's, timm's or one's own of the same layout, whatever stands
    before its names (module., _orig_mod., model.) and under whatever key of the file it lies."""

    file: str
    """Path of the file."""
    sha256: Sha256
    """SHA-256 that the file must have, in hexadecimal digits; null takes what comes, and the log
    says how to pin it."""
    architecture: Architecture
    """As torchvision calls it."""
    norm: Literal["clean", "l2", "linf"]
    """Norm that it was trained against; clean for none."""
    epsilon: RadiusOrZero
    """Radius that it was trained against, in pixel units, or a fraction such as 8/255; clean: 0."""
    classes: Annotated[int, Field(ge=2)]
    """Classes that its last layer tells apart."""
    mean: Channels
    """Mean of the pixels that it was trained with, per channel, in pixel units."""
    std: Channels
    """Standard deviation of these pixels, per channel, in pixel units."""

    @model_validator(mode="after")
    def _pixels(self) -> Self:
        """Statistics are of pixels in [0, 1]; of pixels in 0 to 255 they are as many times larger."""
        for name, values in (("mean", self.mean), ("std", self.std)):
            low = "at least 0" if name == "mean" else "above 0"
            positive = all(value > 0 or (value == 0 and name == "mean") for value in values)
            if not positive or max(values) > 1:
                scaled = [float(f"{value / 255:.6g}") for value in values]
                mend = f"; write {scaled} if pixels were 0 to 255"
                raise ValueError(
                    f"{name}: found {values}, of pixels in [0, 1] each is {low} and at most 1"
                    + (mend if positive and max(scaled) <= 1 else "")
                )
        return self

    @model_validator(mode="after")
    def _epsilon(self) -> Self:
        if (self.norm == "clean") != (self.epsilon == 0):
            raise ValueError(
                f"epsilon: {self.epsilon:g} does not go with norm {self.norm}; a clean network has "
                "norm clean and epsilon 0, any other a norm and an epsilon above 0"
            )
        return self


class Files(Section):
    """Networks in files of one's own."""

    source: Literal["files"]
    """Files of one's own."""
    networks: Annotated[dict[Name, NetworkFile], Field(min_length=1)]
    """Networks by names of one's own."""

    stem: ClassVar[Stem] = "imagenet"
    width: ClassVar[None] = None

    @model_validator(mode="after")
    def _clean(self) -> Self:
        _need_clean(self.networks, "networks")
        return self

    @property
    def architectures(self) -> list[str]:
        return list(dict.fromkeys(network.architecture for network in self.networks.values()))

    def checkpoint(self, name: str) -> dict:
        """Where a network comes from."""
        own = self.networks[name].model_dump(exclude={"norm", "epsilon", "architecture"})
        return {"format": "state_dict", **own, "file": str(Path(own["file"]).expanduser())}


def _need_clean(networks: dict, key: str) -> None:
    """Raise ValueError where an architecture has no clean network to be compared with."""
    clean = {network.architecture for network in networks.values() if network.norm == "clean"}
    for name, network in networks.items():
        if network.architecture not in clean:
            raise ValueError(
                f"{key}: {name} is a {network.architecture}, and no clean {network.architecture} is "
                "there to compare it with; add one of epsilon 0"
            )


Models = Annotated[Trained | Hub | Files, Field(discriminator="source")]
