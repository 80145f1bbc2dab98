"""Toy models: their training, and how they are attacked and drawn."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from interference.config.values import Count, Fraction, NonNegative, Positive, Section, Seeds

Density = Annotated[float, Field(gt=0, le=1)]


class Densities(Section):
    """Densities of inputs, a geometric row from max to min. A density is the probability that a
    feature of an input is active."""

    max: Density
    """The largest density."""
    min: Density
    """The smallest density."""
    count: Annotated[int, Field(ge=2)]
    """Densities in all, both ends included."""

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
    """Steps along the gradient; or analytic, towards the output whose own direction raises the loss
    most (Elhage et al. 2022), which has no other key."""
    steps: Count
    """Gradient steps per training step."""
    relative_step: Positive
    """Length of a step over the radius."""
    noise: NonNegative
    """Standard deviation of the noise where the first gradient is taken, in units of inputs (active
    features are in [0, 1]); it is never part of the perturbation."""


class ToyAnalytic(Section):
    """Towards the output whose own direction raises the loss most (Elhage et al. 2022)."""

    type: Literal["analytic"]
    """Towards the output whose own direction raises the loss most; or gradient, steps along it."""


class ToyAdversarial(Section):
    """The second training mode: loss on clean and on attacked inputs, mixed."""

    relative_epsilon: Positive
    """L2 radius over the norm of an input."""
    radius: Literal["sample", "mean"]
    """Whose norm that is: each input's own, or the mean of its batch."""
    weight: Fraction
    """Share of the attacked loss; the clean loss has the rest."""
    attack: Annotated[ToyGradient | ToyAnalytic, Field(discriminator="type")]
    """What the inputs are attacked with in training."""


class ToyPgd(Section):
    """Projected gradient ascent from several starts."""

    starts: Count
    """Random starts per input."""
    steps: Count
    """Gradient steps per start."""
    relative_step: Positive
    """Length of a step over the radius."""


class ToyEvaluation(Section):
    """Every attack and a certified bound, on the same inputs."""

    samples: Count
    """Inputs that a model is attacked on, per density."""
    relative_epsilon: Positive
    """L2 radius over the mean norm of the inputs."""
    noise: NonNegative
    """Standard deviation of the noise where the one-step attack takes its gradient, in units of
    inputs."""
    pgd: ToyPgd
    refit_samples: Count
    """Inputs that the biases of the shrunk models are fitted to."""
    common_density: Density
    """Density of inputs that every model is attacked on too, beside its own."""


class ToyGeometry(Section):
    """Models drawn as graphs."""

    densities: Annotated[int, Field(ge=2)]
    """So many of the densities, both ends included."""


class Toy(Section):
    """Toy models of superposition (Elhage et al. 2022), clean and adversarially trained, over
    densities. An experiment may leave them out."""

    features: Count
    """Features of an input."""
    hidden: Count
    """Dimensions of the bottleneck, fewer than features."""
    densities: Densities
    seeds: Seeds
    """Seeds: a model of each density and training mode is trained with each."""
    steps: Count
    """Training steps."""
    batch_size: Count
    """Inputs per training step."""
    learning_rate: Positive
    """Adam's rate, constant, per step."""
    weight_decay: NonNegative
    """Decoupled as in AdamW: share of a weight that a step at rate 1 takes off."""
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
