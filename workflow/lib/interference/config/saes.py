"""SAEs: the settings of every type, of every layer, and of baselines.

A new type is a module of interference.saes.types, a section with its settings and a key of `SaeTypes`
here, and a label in interference.analysis.figures.style. A job reads its settings by the same class.
"""

from typing import Annotated, Self, get_args

from pydantic import AfterValidator, Field, model_validator

from interference.config.values import (
    Count,
    Fraction,
    Layer,
    OneOf,
    Positive,
    Section,
    Seeds,
    Sweep,
    distinct,
)


def _prefixes(shares: list[float]) -> list[float]:
    if shares != sorted(set(shares)) or shares[-1] != 1:
        raise ValueError(f"{shares}: shares of the latents must rise and end with 1.0")
    return shares


class SaeType(Section):
    """The settings of one type; the first key is its sweep over sparsities."""

    @property
    def sweep(self) -> list:
        return getattr(self, next(iter(type(self).model_fields)))


class TopK(SaeType):
    """TopK with AuxK (Gao et al. 2024)."""

    k: Annotated[list[Count], Field(min_length=1), AfterValidator(distinct)]
    """The sweep: active latents per row; of batch_topk and matryoshka, the mean over rows."""
    aux_k: Annotated[int, Field(ge=0)]
    """Dead latents per row that model what is left of it (AuxK)."""
    aux_weight: Annotated[float, Field(ge=0)]
    """Weight of AuxK's loss over that of the reconstruction."""
    dead_after: Count
    """Rows without firing that make a latent dead."""


class ReluL1(SaeType):
    """ReLU with an L1 penalty (Conerly et al., April 2024)."""

    l1: Sweep
    """The sweep: the penalty λ over √width."""
    warmup_fraction: Fraction
    """Share of training, from its start, over which λ rises from 0."""
    gradient_clip: Positive
    """L2 norm at which the gradient of all parameters together is clipped, in units of the loss."""


class BatchTopK(TopK):
    """TopK over a whole batch, with AuxK (Bussmann et al. 2024)."""


class JumpRelu(SaeType):
    """JumpReLU with an L0 penalty (Rajamanoharan et al. 2024)."""

    l0: Sweep
    """The sweep: the penalty λ of an active latent over the width."""
    warmup_fraction: Fraction
    """Share of training, from its start, over which λ rises from 0."""
    initial_threshold: Positive
    """Threshold of every latent at the start, over √width."""
    bandwidth: Positive
    """Window of pre-activations around the threshold that move it, over √width."""


class Gated(SaeType):
    """Gated, with an L1 penalty on the gate (Rajamanoharan et al. 2024)."""

    l1: Sweep
    """The sweep: the penalty λ on the gate over √width."""
    warmup_fraction: Fraction
    """Share of training, from its start, over which λ rises from 0."""


class Matryoshka(TopK):
    """BatchTopK of nested dictionaries (Bussmann et al. 2025)."""

    prefixes: Annotated[list[Positive], Field(min_length=1), AfterValidator(_prefixes)]
    """Where each dictionary ends, as a share of the latents; they rise, and the last is 1.0."""


class SaeTypes(Section):
    """SAE types, one at least."""

    topk: TopK | None = None
    relu_l1: ReluL1 | None = None
    batch_topk: BatchTopK | None = None
    jumprelu: JumpRelu | None = None
    gated: Gated | None = None
    matryoshka: Matryoshka | None = None

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self.named:
            allowed = ", ".join(type(self).model_fields)
            raise ValueError(f"no SAE type is named; allowed: {allowed}")
        return self

    @property
    def named(self) -> dict[str, SaeType]:
        """The types of the experiment, always in the order above."""
        types = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: settings for name, settings in types.items() if settings is not None}


#: Types whose sweep is over k, the number of active latents.
WITH_K = tuple(
    name
    for name, field in SaeTypes.model_fields.items()
    if "k" in get_args(field.annotation)[0].model_fields
)


class LayerSaes(Section):
    """How SAEs of one layer are trained."""

    expansion_factor: Count
    """Latents over the width of the layer."""
    rows: Count
    """Rows seen in training; more than there are: several epochs."""
    batch_size: Count
    """Rows per training step."""
    learning_rate: Positive
    """Adam's rate until it falls, per step."""


class Decay(Section):
    """How the learning rate ends, in all layers alike."""

    decay_fraction: Fraction
    """Share of training, up to its end, over which the learning rate falls to 0."""


class Baselines(Section):
    """What stands beside SAEs of one type that has a k: projections on k principal components, and the
    same SAEs trained on whitened rows and on Gaussian rows of the same covariance."""

    type: Annotated[str, OneOf(WITH_K)]
    """A type of `types`."""
    k: Annotated[list[Count], Field(min_length=1), AfterValidator(distinct)]
    """Principal components, and active latents per row; some k of the type's sweep."""


class Saes(Decay):
    """Sparse autoencoders: every type, sparsity and seed, on the rows of every model and layer."""

    seeds: Seeds
    """Seeds: an SAE of each sparsity is trained with each."""
    layers: dict[Layer, LayerSaes]
    """How the SAEs of each layer of `activations.layers` are trained."""
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
