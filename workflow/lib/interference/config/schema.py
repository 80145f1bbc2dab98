"""The whole config of an experiment, one pydantic model a section.

Nothing here has a value by default: a missing key is an error, so a config file says all of its
science. What an experiment can do without is left out whole: an arm, a norm, an SAE type.
"""

import math
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from interference.config.combinations import problems
from interference.config.facts import DATASETS
from interference.config.networks import Models
from interference.config.sae_types import WITH_K, SaeTypes
from interference.config.values import (
    Count,
    Fraction,
    Layer,
    Name,
    Norm,
    Positive,
    Radii,
    Section,
    Seed,
    Seeds,
    distinct,
)

#: A section that a file may leave out, and not leave empty; None in a config without it.
OPTIONAL = Field(None, json_schema_extra=lambda schema: schema.pop("default"))


class Pictures(Section):
    """Files of pictures: the shorter side is brought to `resize` pixels, the centre is cut out.

    corrupt: what becomes of files that cannot be read, and of what else lies among them and is no
    picture of a class: refuse them all, or skip and list them.
    """

    resize: Annotated[int, Field(ge=8)]
    corrupt: Literal["refuse", "skip"]


class Data(Section):
    """Images and their split. Pixels are in [0, 1]."""

    dataset: Literal[tuple(DATASETS)]
    root: str | None
    image_size: Annotated[int, Field(ge=8)] | None
    pictures: Pictures | None
    train: Count
    heldout: Annotated[int, Field(ge=2)]
    evaluation: Count
    seed: Seed

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
        if self.pictures and self.pictures.resize < self.image_size:
            raise ValueError(
                f"pictures.resize: {self.pictures.resize} pixels cannot hold a square of "
                f"image_size: {self.image_size}"
            )
        if known.train is not None and self.train + self.heldout > known.train:
            raise ValueError(
                f"train + heldout: {self.train} + {self.heldout} images asked for, "
                f"{self.dataset} has {known.train}"
            )
        if known.test is not None and self.evaluation > known.test:
            raise ValueError(
                f"evaluation: {self.evaluation} images asked for, {self.dataset} has {known.test}"
            )
        return self

    @property
    def size(self) -> int:
        """Pixels a side."""
        return self.image_size or DATASETS[self.dataset].size

    @property
    def channels(self) -> int:
        return DATASETS[self.dataset].channels


class Fgsm(Section):
    """One full step along the gradient (Goodfellow et al. 2015)."""

    type: Literal["fgsm"]
    norm: Norm
    epsilons: Radii

    #: Of one image at one epsilon, for the costs of a plan; so it is in every method.
    gradients: ClassVar[int] = 1


class Pgd(Section):
    """Projected gradient ascent (Madry et al. 2018)."""

    type: Literal["pgd"]
    norm: Norm
    epsilons: Radii
    steps: Count
    relative_step: Positive
    random_start: bool

    @property
    def gradients(self) -> int:
        return self.steps


class Noise(Section):
    """The control: a random direction, with the norm matched after the clamp to [0, 1]."""

    type: Literal["noise"]
    norm: Norm
    epsilons: Radii

    gradients: ClassVar[int] = 0


Method = Annotated[Fgsm | Pgd | Noise, Field(discriminator="type")]


class Attacks(Section):
    images: Count
    seed: Seed
    methods: Annotated[dict[Name, Method], Field(min_length=1)]


class Activations(Section):
    """parts: jobs that share a layer's forward pass over the training images. keep: False removes
    a layer's rows and attacked activations once every job that reads them is done."""

    layers: Annotated[dict[Layer, Count], Field(min_length=1)]
    parts: Count
    keep: bool
    seed: Seed


class LayerSaes(Section):
    expansion_factor: Count
    rows: Count
    batch_size: Count
    learning_rate: Positive


class Baselines(Section):
    """SAEs on whitened rows and on a Gaussian surrogate: a type of `types`, and some k of its sweep."""

    type: Literal[WITH_K]
    k: Annotated[list[Count], Field(min_length=1), AfterValidator(distinct)]


class Saes(Section):
    seeds: Seeds
    decay_fraction: Fraction
    layers: dict[Layer, LayerSaes]
    types: SaeTypes
    baselines: Baselines

    @model_validator(mode="after")
    def _have_peers(self) -> Self:
        named, chosen = self.types.named, self.baselines
        if chosen.type not in named:
            raise ValueError(
                f"baselines.type: {chosen.type} is not among the types of the experiment: "
                f"{', '.join(named)}; name one of these that has a k, or add it to types"
            )
        sweep = named[chosen.type].sweep
        for k in chosen.k:
            if k not in sweep:
                raise ValueError(
                    f"baselines.k: {k} is not in types.{chosen.type}.k: {sweep}; baselines stand "
                    "beside an SAE of the same k"
                )
        return self


class Analysis(Section):
    confidence: Annotated[float, Field(gt=0, lt=1)]
    resamples: Annotated[int, Field(ge=100)]
    seed: Seed

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


class Densities(Section):
    """Geometric from max to min."""

    max: Annotated[float, Field(gt=0, le=1)]
    min: Annotated[float, Field(gt=0, le=1)]
    count: Annotated[int, Field(ge=2)]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min >= self.max:
            raise ValueError(f"min: {self.min:g} is not below max: {self.max:g}")
        return self

    @property
    def values(self) -> list[float]:
        ratio = (self.min / self.max) ** (1 / (self.count - 1))
        return [float(f"{self.max * ratio**i:.6g}") for i in range(self.count)]


class ToyGradient(Section):
    """Steps along the gradient, the first of them taken at inputs with noise."""

    type: Literal["gradient"]
    steps: Count
    relative_step: Positive
    noise: Annotated[float, Field(ge=0)]


class ToyAnalytic(Section):
    """Towards the output whose own direction raises the loss most (Elhage et al. 2022)."""

    type: Literal["analytic"]


class ToyAdversarial(Section):
    relative_epsilon: Positive
    radius: Literal["sample", "mean"]
    weight: Fraction
    attack: Annotated[ToyGradient | ToyAnalytic, Field(discriminator="type")]


class ToyPgd(Section):
    starts: Count
    steps: Count
    relative_step: Positive


class ToyEvaluation(Section):
    samples: Count
    relative_epsilon: Positive
    noise: Annotated[float, Field(ge=0)]
    pgd: ToyPgd
    refit_samples: Count
    common_density: Annotated[float, Field(gt=0, le=1)]


class ToyGeometry(Section):
    densities: Annotated[int, Field(ge=2)]


class Toy(Section):
    features: Count
    hidden: Count
    densities: Densities
    seeds: Seeds
    steps: Count
    batch_size: Count
    learning_rate: Positive
    weight_decay: Annotated[float, Field(ge=0)]
    adversarial: ToyAdversarial
    evaluation: ToyEvaluation
    geometry: ToyGeometry

    @model_validator(mode="after")
    def _sizes(self) -> Self:
        if self.hidden >= self.features:
            raise ValueError(
                f"hidden: {self.hidden} is not below features: {self.features}; "
                "without a bottleneck there is no superposition"
            )
        if self.geometry.densities > self.densities.count:
            raise ValueError(
                f"geometry.densities: {self.geometry.densities} to show, but densities.count "
                f"trains {self.densities.count}"
            )
        return self


class Config(Section):
    """One experiment: an arm of networks (data to saes, all or none), an arm of toy models, or both."""

    experiment: Name
    data: Data = OPTIONAL
    models: Models = OPTIONAL
    attacks: Attacks = OPTIONAL
    activations: Activations = OPTIONAL
    saes: Saes = OPTIONAL
    analysis: Analysis
    toy: Toy = OPTIONAL

    @model_validator(mode="after")
    def _combinations(self) -> Self:
        found = problems(self)
        if found:
            raise ValueError("\n".join(found))
        return self

    @property
    def arms(self) -> list[str]:
        """Which of "networks" and "toy" the experiment has."""
        sections = {"networks": self.models, "toy": self.toy}
        return [arm for arm, section in sections.items() if section is not None]
