"""Reconstructions of a layer that defend a network, in torch, so that an attack can go through them.

The network goes on from x̂, not from the layer's activations x, which removes whatever x̂ leaves out.

- *sae*: x̂ = W_decᵀ f(x) + b_dec, f the code that SAEs are scored with. Gradients flow through the
  active latents, x̂' = W_decᵀ diag(f > 0) W_enc, and none through the choice of them: where the active
  set stays the same, which is almost everywhere, that is the true derivative.
- *pca*: the projection on the first c principal components of the layer's training rows, of that c
  whose FVU on held-out rows is nearest to the SAE's: as much is removed, without a dictionary.
- *none*: the network as it is.

x is standardised per channel here, in float32.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from interference.activations.standardise import Statistics
from interference.models.network import Network
from interference.saes.dictionary import Dictionary
from interference.saes.spectrum import Spectrum

#: (..., d) float32, standardised → (..., d).
Reconstruction = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Sae:
    """w_enc, w_dec: (h, d); b_enc, threshold: (h,); b_dec: (d,), all float32; k: kept latents, 0 for
    those above the threshold."""

    w_enc: Tensor
    b_enc: Tensor
    w_dec: Tensor
    b_dec: Tensor
    threshold: Tensor
    k: int

    @classmethod
    def of(cls, dictionary: Dictionary, device: torch.device) -> "Sae":
        """Bring a trained SAE to a device."""
        threshold = np.broadcast_to(dictionary.threshold, dictionary.b_enc.shape)
        return cls(
            w_enc=_tensor(dictionary.w_enc, device),
            b_enc=_tensor(dictionary.b_enc, device),
            w_dec=_tensor(dictionary.w_dec, device),
            b_dec=_tensor(dictionary.b_dec, device),
            threshold=_tensor(threshold, device),
            k=0 if dictionary.pooled else dictionary.k,
        )

    def encode(self, x: Tensor) -> Tensor:
        """Return the code of `Dictionary.encode`: (..., d) → (..., h)."""
        rectified = torch.relu(x @ self.w_enc.T + self.b_enc)
        if not self.k:
            return rectified.where(rectified > self.threshold, 0)
        values, latents = rectified.topk(self.k)
        return torch.zeros_like(rectified).scatter(-1, latents, values)

    def __call__(self, x: Tensor) -> Tensor:
        return self.encode(x) @ self.w_dec + self.b_dec


@dataclass(frozen=True)
class Projection:
    """mean: (d,); vectors: (d, c), orthonormal columns. Both float32."""

    mean: Tensor
    vectors: Tensor

    @classmethod
    def of(cls, spectrum: Spectrum, components: int, device: torch.device) -> "Projection":
        """Bring the first directions of a spectrum to a device."""
        vectors = spectrum.vectors[:, :components]
        return cls(_tensor(spectrum.mean, device), _tensor(vectors, device))

    def __call__(self, x: Tensor) -> Tensor:
        return (x - self.mean) @ self.vectors @ self.vectors.T + self.mean


def _tensor(values: np.ndarray, device: torch.device) -> Tensor:
    # a spectrum's directions are in reversed order, which torch does not take
    return torch.tensor(np.ascontiguousarray(values, np.float32), device=device)


def pca_fvu(spectrum: Spectrum, heldout: np.ndarray) -> np.ndarray:
    """Return the FVU of projections on the first c directions, c from 1 to d: (d,) float64.

    heldout: (images, positions, d) standardised; FVU as SAEs are scored, about these rows' mean.
    """
    mean = heldout.mean((0, 1), dtype=np.float64)
    deviation = sum(((image - mean) ** 2).sum() for image in heldout)
    return spectrum.residuals(heldout).sum(0) / deviation


@dataclass(frozen=True)
class Defended:
    """A network that goes on from a reconstruction of one layer.

    statistics: what the layer's rows were standardised with.
    """

    network: Network
    layer: str
    statistics: Statistics
    reconstruction: Reconstruction

    def __call__(self, images: Tensor) -> Tensor:
        """Return logits: (n, channels, height, width) in [0, 1] → (n, classes)."""
        restored = self.restored(self.network.activations(images, self.layer))
        return self.network.from_layer(restored, self.layer)

    def restored(self, activations: Tensor) -> Tensor:
        """Return the reconstruction of raw activations, raw too: (n, positions, d) → (n, positions, d)."""
        statistics, device = self.statistics, activations.device
        mean, std = _tensor(statistics.mean, device), _tensor(statistics.std, device)
        return self.reconstruction((activations - mean) / std) * std + mean
