"""One SAE of a sweep in training, and what a type of SAE says about it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from interference.kernels.adam import Adam
from interference.saes.dictionary import Dictionary

if TYPE_CHECKING:  # a job on a CPU loads no torch: losses are methods of tensors
    from torch import Tensor


class SaeType(Protocol):
    """What a module of interference.saes.types offers. All of it is plain: no compiled code.

    It may have two more. ``state(latents)``: arrays beside the parameters that training changes, of
    which it knows two by name: with ``length``, (h,), Adam's step is added to a decoder row at that
    length, and then normalised; with ``norm``, (1,), Adam takes gradients over that of the step
    before. ``start(p, x, sparsity, settings)``: changes the parameters in place before the first
    step; arguments as of ``loss``.
    """

    __name__: str
    SPARSITY: str  # the name of the setting that the sweep is over
    UNIT_DECODER: bool  # whether rows of w_dec are kept at unit norm
    Settings: type  # a dataclass. A gradient_clip and a warmup_fraction in it are followed

    def parameters(self, settings: Any, d: int, latents: int, seed: int) -> dict[str, np.ndarray]:
        """The parameters at the start, float32; one is ``w_dec``: (latents, d), one ``b_dec``: (d,)."""

    def loss(
        self,
        p: Mapping[str, "Tensor"],
        x: "Tensor",
        sparsity: "Tensor",
        settings: Any,
        state: Mapping[str, "Tensor"],
    ) -> "Tensor":
        """L of M members at once, (M,), or of one, ().

        p: matrices (M, h, d), vectors (M, 1, h) or (M, 1, d); x: (M, n, d); sparsity: (M,), times the
        share in force of a penalty that is warming up; state: (M, …), brought up to date in place. Of
        one member all are without the first axis. No tensor's number is taken to the host, and no
        shape depends on one: a GPU replays the operations.
        """

    def dictionary(self, p: Mapping[str, np.ndarray], sparsity: float) -> Dictionary:
        """The SAE of these parameters in the canonical form; it shares no memory with them."""


class Member:
    """One SAE of the sweep: all that a step changes.

    sae_type: a module of interference.saes.types; sparsity: its value in the sweep.
    """

    def __init__(
        self, sae_type: SaeType, settings: Any, sparsity: float, d: int, latents: int, seed: int
    ):
        self.sae_type, self.settings, self.sparsity = sae_type, settings, sparsity
        self.parameters = sae_type.parameters(settings, d, latents, seed)
        self.state = sae_type.state(latents) if hasattr(sae_type, "state") else {}
        self.adam = Adam(self.parameters)

    def arrays(self) -> dict[str, np.ndarray]:
        """Every array that training changes, live; `adam.steps` beside them is all of its state."""
        return {**self.adam.arrays(), **self.state}

    def dictionary(self) -> Dictionary:
        """The SAE as it is now."""
        return self.sae_type.dictionary(self.parameters, self.sparsity)


def ramp(settings: Any, fraction: float) -> float:
    """The share of the penalty in force: it rises linearly over the first ``warmup_fraction``.

    fraction: of training done. 1 for settings without a warm-up.
    """
    warmup = getattr(settings, "warmup_fraction", 0)
    return min(1.0, fraction / warmup) if warmup else 1.0
