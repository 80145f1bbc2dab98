"""The whole config of an experiment, one pydantic model per section.

The docstring under a key says what it is, with its unit: `describe` makes the JSON schema, the page
docs/config.md and the comments of config.yaml of it. A section says it at its class.

Nothing here has a value by default: a missing key is an error, so a config file says all of its
science. What an experiment can do without is left out whole: an arm, a norm, an SAE type.
"""

import math
from typing import Annotated, Literal, Self

import yaml
from pydantic import Field, model_validator

from interference.config.attacks import Exchange, Least, Method, Structure
from interference.config.canvas import Canvas
from interference.config.combinations import problems
from interference.config.facts import DATASETS
from interference.config.networks import Models
from interference.config.rivals import Rivals
from interference.config.saes import Saes
from interference.config.toy import Toy
from interference.config.values import (
    OPTIONAL,
    Count,
    Layer,
    Name,
    OneOf,
    Section,
    Seed,
)


class Pictures(Section):
    """How files of pictures become images, as in {resize: 256, corrupt: refuse}; null for datasets
    that are no pictures."""

    resize: Annotated[int, Field(ge=8)]
    """Pixels of the shorter side, before the centre of `image_size` is cut out."""
    corrupt: Literal["refuse", "skip"]
    """What becomes of files that cannot be read, and of whatever else lies among them and is no
    picture of a class: refuse, or skip and list them."""


class Data(Section):
    """Images and their split. Pixels are in [0, 1]."""

    dataset: Annotated[str, OneOf(DATASETS)]
    """Which images. Those of pictures (image-…) need `image_size` and `pictures`, too."""
    root: str | None
    """Path of the folder of a dataset's files; null for the one that ships with the repository."""
    image_size: Annotated[int, Field(ge=8)] | None
    """Pixels per side; null keeps the dataset's own, which pictures have not."""
    pictures: Pictures | None
    classes: Annotated[int, Field(ge=2)] = OPTIONAL
    """Classes, the first of the dataset's: images of others are not taken. An experiment that leaves it
    out has all. Networks that are trained here tell as many apart."""
    labels: Literal["shuffled"] = OPTIONAL
    """Where labels come from: shuffled among the images of a part, so that no image tells its own, for
    an experiment in which nothing can be learned that holds for other images. Left out, they are the
    dataset's."""
    train: Count
    """Images that train networks and give the SAEs their rows."""
    heldout: Annotated[int, Field(ge=2)]
    """Images that score SAEs; no network or statistic has seen them."""
    evaluation: Count
    """Test images: accuracy and attacks."""
    seed: Seed
    """Seed of the split."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        known = DATASETS[self.dataset]
        if known.embedded and self.root is not None:
            raise ValueError(f"root: {self.dataset} ships with the repository; write null")
        if not known.embedded and self.root is None:
            raise ValueError(f"root: {self.dataset} needs the folder that holds its files")
        if known.size is None and self.image_size is None:
            raise ValueError(f"image_size: {self.dataset} has no size of its own; give one")
        if known.size is None and self.pictures is None:
            raise ValueError(
                f"pictures: {self.dataset} is made of files of pictures; say how they become images, "
                "as in {resize: 256, corrupt: refuse}"
            )
        if known.size is not None and self.pictures is not None:
            raise ValueError(f"pictures: {self.dataset} is no folder of pictures; write null")
        if self.pictures and self.pictures.resize < self.size:
            raise ValueError(
                f"pictures.resize: {self.pictures.resize} pixels cannot hold a square of "
                f"image_size: {self.image_size}"
            )
        if known.classes is not None and self.classes is not None and self.classes > known.classes:
            raise ValueError(
                f"classes: found {self.classes}, but {self.dataset} has {known.classes}; write fewer, or "
                "leave it out for all"
            )
        for splits, there in ((("train", "heldout"), known.train), (("evaluation",), known.test)):
            if there is None:
                continue
            of = ""
            if self.classes is not None and known.classes is not None:
                there = there * self.classes // known.classes  # as many of each class
                of = f" of its first {self.classes} classes"
            counts = [getattr(self, split) for split in splits]
            if sum(counts) > there:
                raise ValueError(
                    f"{' + '.join(splits)}: {' + '.join(map(str, counts))} images asked for, "
                    f"{self.dataset} has {there}{of}"
                )
        return self

    @property
    def class_count(self) -> int | None:
        """Classes; None where the dataset's files decide."""
        return DATASETS[self.dataset].classes if self.classes is None else self.classes

    @property
    def size(self) -> int:
        """Pixels a side."""
        size = self.image_size or DATASETS[self.dataset].size
        assert size is not None, "a dataset without a size is one that needs image_size"
        return size

    @property
    def channels(self) -> int:
        return DATASETS[self.dataset].channels


class Attacks(Section):
    """Attacks on every network."""

    images: Count
    """Evaluation images that are attacked, and that SAEs are spliced into the network on: the first
    of the split."""
    defence_images: Count
    """Attacked images, the first, on which a reconstruction defends the network and is attacked
    through."""
    least: Least = OPTIONAL
    structure: Structure = OPTIONAL
    exchange: Exchange = OPTIONAL
    seed: Seed
    """Seed of random starts, of noise, and of who gets whose perturbation."""
    methods: Annotated[dict[Name, Method], Field(min_length=1)]
    """Methods by names of one's own, one job per model and method. Every norm and radius needs its
    control, a method of type noise."""


class Activations(Section):
    """Activations of every network: rows that train and score SAEs."""

    layers: Annotated[dict[Layer, Count], Field(min_length=1)]
    """Hook of the network: spatial positions that are kept per image, drawn at random."""
    parts: Count
    """Jobs that share a layer's pass over the training images."""
    keep: bool
    """Whether rows stay; false: they go once all that read them ran."""
    seed: Seed
    """Seed of the positions, and of the order of the rows."""


class Analysis(Section):
    """Intervals of tables and claims."""

    confidence: Annotated[float, Field(gt=0, lt=1)]
    """Coverage of every interval, a share of 1."""
    resamples: Annotated[int, Field(ge=100)]
    """Draws of the bootstrap over images."""
    seed: Seed
    """Seed of the bootstrap."""

    @model_validator(mode="after")
    def _tails(self) -> Self:
        """Each end of an interval leaves one draw outside at least."""
        need = math.ceil(2 / (1 - self.confidence) - 1e-9)
        if self.resamples < need:
            raise ValueError(
                f"resamples: {self.resamples} cannot tell where the outer {1 - self.confidence:.3g} "
                f"of a confidence of {self.confidence:g} begins; write {need} or more"
            )
        return self


class Config(Section):
    """One experiment: networks (data to saes, all or none of these), toy models (toy), networks on
    canvases (canvas, and data), the networks of the preprint's rivals (rivals, and data), or several of
    these."""

    experiment: Name
    """Name of the experiment: results go to results/EXPERIMENT/."""
    data: Data = OPTIONAL
    models: Models = OPTIONAL
    """Networks: trained here, MadryLab's checkpoints, or one's own."""
    attacks: Attacks = OPTIONAL
    activations: Activations = OPTIONAL
    saes: Saes = OPTIONAL
    analysis: Analysis
    toy: Toy = OPTIONAL
    canvas: Canvas = OPTIONAL
    rivals: Rivals = OPTIONAL

    @model_validator(mode="after")
    def _combinations(self) -> Self:
        found = problems(self)
        if found:
            raise ValueError("\n".join(found))
        return self

    @property
    def text(self) -> str:
        """The config as YAML, without comments: what was written, in its order."""
        values = self.model_dump(mode="json", exclude_unset=True)
        return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)

    @property
    def arms(self) -> list[str]:
        """Which of "networks", "toy", "canvas" and "rivals" the experiment has."""
        sections = {
            "networks": self.models,
            "toy": self.toy,
            "canvas": self.canvas,
            "rivals": self.rivals,
        }
        return [arm for arm, section in sections.items() if section is not None]
