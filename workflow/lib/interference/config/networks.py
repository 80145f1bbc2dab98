"""Where networks come from: trained here, MadryLab's checkpoints, or files of one's own."""

import difflib
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from interference.config.facts import ARCHITECTURES
from interference.config.values import (
    REVISION,
    SHA256,
    Count,
    Name,
    Pixel,
    Positive,
    Radii,
    RadiusOrZero,
    Section,
    Seeds,
)
from interference.config.zoo import CHECKPOINTS

Architecture = Literal[tuple(ARCHITECTURES)]
#: What a file must hash to; null takes what comes, and the log says how to pin it.
Sha256 = Annotated[str, Field(pattern=SHA256)] | None
Channels = Annotated[list[Pixel], Field(min_length=3, max_length=3)]


class TrainingAttack(Section):
    """The attack inside adversarial training."""

    steps: Count
    relative_step: Positive
    random_start: bool


class Trunk(Section):
    epochs: Count
    learning_rate: Positive


class Finetune(Section):
    epochs: Count
    learning_rate: Positive
    attack: TrainingAttack


class Epsilons(Section):
    """Training radii a norm; a norm may be left out, the clean baseline is always there."""

    l2: Radii | None = None
    linf: Radii | None = None


class Trained(Section):
    """Networks that the experiment trains itself."""

    source: Literal["trained"]
    architecture: Architecture
    stem: Literal["imagenet", "small"]
    epsilons: Epsilons
    seeds: Seeds
    batch_size: Annotated[int, Field(ge=2)]
    weight_decay: Annotated[float, Field(ge=0)]
    momentum: Annotated[float, Field(ge=0, lt=1)]
    trunk: Trunk
    finetune: Finetune

    @model_validator(mode="after")
    def _stem(self) -> Self:
        if self.stem == "small" and not self.architecture.startswith(("resnet", "wide_resnet")):
            raise ValueError(f"stem: {self.architecture} has no small stem; write imagenet")
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
    """Checkpoints of madrylab/robust-imagenet-models (Salman et al. 2020), by name.

    folder: where the files lie; null: they come from the hub, into its cache on this machine.
    revision: a branch, tag or commit of the hub's repository.
    checkpoints: name → SHA-256 of the file.
    """

    source: Literal["hub"]
    folder: str | None
    revision: Annotated[str, Field(pattern=REVISION)]
    checkpoints: Annotated[
        dict[Annotated[str, AfterValidator(_known)], Sha256], Field(min_length=1)
    ]

    stem: ClassVar[str] = "imagenet"

    @model_validator(mode="after")
    def _clean(self) -> Self:
        _need_clean({name: CHECKPOINTS[name] for name in self.checkpoints}, "checkpoints")
        return self

    @property
    def architectures(self) -> list[str]:
        return list(dict.fromkeys(CHECKPOINTS[name].architecture for name in self.checkpoints))


class NetworkFile(Section):
    """A state dict in a file: torchvision's, timm's or one's own of the same layout, whatever stands
    before its names (module., _orig_mod., model.) and under whatever key of the file it lies.

    norm, epsilon: what it was trained against, in pixel units; clean and 0 for neither.
    mean, std: of the pixels in [0, 1], a channel each, that it was trained with.
    """

    file: str
    sha256: Sha256
    architecture: Architecture
    norm: Literal["clean", "l2", "linf"]
    epsilon: RadiusOrZero
    classes: Annotated[int, Field(ge=2)]
    mean: Channels
    std: Channels

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
    networks: Annotated[dict[Name, NetworkFile], Field(min_length=1)]

    stem: ClassVar[str] = "imagenet"

    @model_validator(mode="after")
    def _clean(self) -> Self:
        _need_clean(self.networks, "networks")
        return self

    @property
    def architectures(self) -> list[str]:
        return list(dict.fromkeys(network.architecture for network in self.networks.values()))


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
