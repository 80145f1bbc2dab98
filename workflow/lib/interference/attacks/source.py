"""Adversarial images that another job made, for the controls that are made of them."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Source:
    """Adversarial images at one epsilon, for a batch.

    clean, adversarial: (n, ...) float32 in [0, 1]; which images they are, a method's ``partners``
    says.
    """

    clean: Tensor
    adversarial: Tensor
