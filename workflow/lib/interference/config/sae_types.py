"""The settings of every SAE type. A new type is a module of interference.saes.types, a section with
its settings and a key of `SaeTypes` here, and a label in interference.analysis.figures.style."""

from typing import Annotated, Self, get_args

from pydantic import AfterValidator, Field, model_validator

from interference.config.values import Count, Fraction, Positive, Section, Sweep, distinct


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
    aux_k: Annotated[int, Field(ge=0)]
    aux_weight: Annotated[float, Field(ge=0)]
    dead_after: Count


class ReluL1(SaeType):
    """ReLU with an L1 penalty (Conerly et al., April 2024)."""

    l1: Sweep
    warmup_fraction: Fraction
    gradient_clip: Positive


class BatchTopK(TopK):
    """BatchTopK with AuxK (Bussmann et al. 2024)."""


class JumpRelu(SaeType):
    """JumpReLU with an L0 penalty (Rajamanoharan et al. 2024)."""

    l0: Sweep
    warmup_fraction: Fraction
    initial_threshold: Positive
    bandwidth: Positive


class Gated(SaeType):
    """Gated, with an L1 penalty on the gate (Rajamanoharan et al. 2024)."""

    l1: Sweep
    warmup_fraction: Fraction


class Matryoshka(TopK):
    """Nested dictionaries with BatchTopK (Bussmann et al. 2025)."""

    prefixes: Annotated[list[Positive], Field(min_length=1), AfterValidator(_prefixes)]


class SaeTypes(Section):
    """At least one type; a type may be left out. Each is a module of interference.saes.types."""

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
