"""The whole config of an experiment, one pydantic model a section.

Nothing here has a default: a missing key is an error, so a config file says all of its science.
"""

import math
import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from interference.config.facts import ARCHITECTURES, DATASETS, positions


class Section(BaseModel):
    """Strict: unknown keys and values of another type are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def _distinct(values: list) -> list:
    for i, value in enumerate(values):
        if value in values[:i]:
            raise ValueError(f"{value:g} is there twice; each value may stand once")
    return values


Norm = Literal["l2", "linf"]
Layer = Literal["stem", "layer1", "layer2", "layer3", "layer4"]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Radii = Annotated[list[Positive], Field(min_length=1), AfterValidator(_distinct)]
Seeds = Annotated[list[Seed], Field(min_length=1), AfterValidator(_distinct)]
#: A name that becomes part of a path.
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", max_length=60)]


class Data(Section):
    """Images and their split. Pixels are in [0, 1]."""

    dataset: Literal[tuple(DATASETS)]
    root: str | None
    image_size: Annotated[int, Field(ge=8)] | None
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


class Models(Section):
    architecture: Literal[tuple(ARCHITECTURES)]
    stem: Literal["imagenet", "small"]
    epsilons: Epsilons
    seeds: Seeds
    batch_size: Annotated[int, Field(ge=2)]
    weight_decay: Annotated[float, Field(ge=0)]
    momentum: Annotated[float, Field(ge=0, lt=1)]
    trunk: Trunk
    finetune: Finetune


class Fgsm(Section):
    """One full step along the gradient (Goodfellow et al. 2015)."""

    type: Literal["fgsm"]
    norm: Norm
    epsilons: Radii


class Pgd(Section):
    """Projected gradient ascent (Madry et al. 2018)."""

    type: Literal["pgd"]
    norm: Norm
    epsilons: Radii
    steps: Count
    relative_step: Positive
    random_start: bool


class Noise(Section):
    """The control: a random direction, with the norm matched after the clamp to [0, 1]."""

    type: Literal["noise"]
    norm: Norm
    epsilons: Radii


Method = Annotated[Fgsm | Pgd | Noise, Field(discriminator="type")]


class Attacks(Section):
    images: Count
    seed: Seed
    methods: Annotated[dict[Name, Method], Field(min_length=1)]


class Activations(Section):
    layers: Annotated[dict[Layer, Count], Field(min_length=1)]
    seed: Seed


class LayerSaes(Section):
    expansion_factor: Count
    rows: Count
    batch_size: Count


class TopK(Section):
    """TopK with AuxK (Gao et al. 2024)."""

    k: Annotated[list[Count], Field(min_length=1), AfterValidator(_distinct)]
    aux_k: Annotated[int, Field(ge=0)]
    aux_weight: Annotated[float, Field(ge=0)]
    dead_after: Count


class ReluL1(Section):
    """ReLU with an L1 penalty (Conerly et al., April 2024)."""

    l1: Radii
    warmup_fraction: Fraction
    gradient_clip: Positive


class SaeTypes(Section):
    """At least one type; a type may be left out."""

    topk: TopK | None = None
    relu_l1: ReluL1 | None = None

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.topk is None and self.relu_l1 is None:
            raise ValueError("no SAE type is named; allowed: topk, relu_l1")
        return self


class Saes(Section):
    seeds: Seeds
    learning_rate: Positive
    decay_fraction: Fraction
    layers: dict[Layer, LayerSaes]
    types: SaeTypes


class Analysis(Section):
    confidence: Annotated[float, Field(gt=0, lt=1)]
    resamples: Annotated[int, Field(ge=100)]
    seed: Seed


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


class ToyAdversarial(Section):
    relative_epsilon: Positive
    weight: Fraction
    noise: Annotated[float, Field(ge=0)]


class ToyEvaluation(Section):
    samples: Count
    relative_epsilon: Positive
    noise: Annotated[float, Field(ge=0)]


class Toy(Section):
    features: Count
    hidden: Count
    densities: Densities
    seeds: Seeds
    steps: Count
    batch_size: Count
    learning_rate: Positive
    adversarial: ToyAdversarial
    evaluation: ToyEvaluation

    @model_validator(mode="after")
    def _bottleneck(self) -> Self:
        if self.hidden >= self.features:
            raise ValueError(
                f"hidden: {self.hidden} is not below features: {self.features}; "
                "without a bottleneck there is no superposition"
            )
        return self


class Config(Section):
    """One experiment."""

    experiment: Name
    data: Data
    models: Models
    attacks: Attacks
    activations: Activations
    saes: Saes
    analysis: Analysis
    toy: Toy

    @model_validator(mode="after")
    def _combinations(self) -> Self:
        problems = [*self._attack_problems(), *self._layer_problems(), *self._sae_problems()]
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _attack_problems(self):
        if self.attacks.images > self.data.evaluation:
            yield (
                f"attacks.images: {self.attacks.images} images to attack, but data.evaluation "
                f"has {self.data.evaluation}"
            )
        if "clean" in self.attacks.methods:
            yield "attacks.methods.clean: tables call the images as they are clean; rename it"
        noises = {(m.norm, e) for m in self._methods("noise") for e in m.epsilons}
        for name, method in self.attacks.methods.items():
            if method.type != "noise":
                for epsilon in method.epsilons:
                    if (method.norm, epsilon) not in noises:
                        yield (  # every ratio over noise needs its denominator
                            f"attacks.methods.{name}.epsilons: {method.norm} {epsilon:g} has no "
                            f"noise control; add a method of type noise with norm {method.norm} "
                            f"and epsilon {epsilon:g}"
                        )
        for norm in ("l2", "linf"):
            same = [
                n for n, m in self.attacks.methods.items() if (m.type, m.norm) == ("noise", norm)
            ]
            if len(same) > 1:
                yield f"attacks.methods: {' and '.join(same)} are both {norm} noise; keep one"

    def _methods(self, kind: str):
        return [m for m in self.attacks.methods.values() if m.type == kind]

    def _layer_problems(self):
        sizes = positions(self.data.size, self.models.stem)
        for layer, count in self.activations.layers.items():
            if count > sizes[layer]:
                yield (
                    f"activations.layers.{layer}: {count} positions asked for, an image of "
                    f"{self.data.size} pixels has {sizes[layer]} there"
                )
        for layer in self.activations.layers:
            if layer not in self.saes.layers:
                yield f"saes.layers: {layer} is missing; every layer of activations.layers needs rows"
        for layer in self.saes.layers:
            if layer not in self.activations.layers:
                yield f"saes.layers.{layer}: no activations.layers.{layer} gives it rows"

    def _sae_problems(self):
        widths = ARCHITECTURES[self.models.architecture]
        for layer in self.activations.layers:
            width = widths[layer]
            for k in self.saes.types.topk.k if self.saes.types.topk else []:
                if k >= width:
                    yield (
                        f"saes.types.topk.k: {k} is not below the {width} dimensions of {layer}; "
                        f"a sparse code needs k < {width}"
                    )
            fit = self.saes.layers.get(layer)
            if fit and fit.rows < 10 * fit.batch_size:
                yield (
                    f"saes.layers.{layer}.rows: {fit.rows} rows are fewer than ten batches of "
                    f"{fit.batch_size}"
                )


def epsilon_name(epsilon: float) -> str:
    """How a radius is written in a path: the shortest decimal that is the same number."""
    text = repr(float(epsilon))
    return re.sub(r"\.0$", "", text) if math.isfinite(epsilon) else text
