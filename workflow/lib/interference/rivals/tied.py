"""The SAE of Bereska et al. (arXiv 2512.13568), many of them at once: tied, with ReLU and an L1 penalty.

    f = ReLU(x E + e)      latents
    x̂ = f Eᵀ               no bias of the decoder
    loss = mean (x − x̂)² + λ mean |f|, both over rows and their entries

It reads activations as they are, not standardised. Their public code trains for 800 epochs, or until ten
bring nothing; here steps are counted, and the rate falls at the end.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from interference.rivals.descent import descend


@dataclass(frozen=True)
class Tied:
    """S autoencoders. E: (S, d, latents). e: (S, 1, latents)."""

    E: Tensor
    e: Tensor

    def encode(self, x: Tensor) -> Tensor:
        """Return the latents: (S, n, d) → (S, n, latents) ≥ 0."""
        return torch.baddbmm(self.e, x, self.E).relu()

    def decode(self, f: Tensor) -> Tensor:
        """Return reconstructions: (S, n, latents) → (S, n, d)."""
        return f @ self.E.mT


def trained(x: Tensor, settings: dict, draw: torch.Generator) -> Tied:
    """Return an autoencoder per network, trained on its rows: x (S, n, d) float32.

    settings: expansion_factor, l1, steps, batch_size, learning_rate. draw: of the start, Glorot's
    uniform, the same for all, and of the batches.
    """
    size, latents = x.shape[2], settings["expansion_factor"] * x.shape[2]
    reach = (6 / (size + latents)) ** 0.5
    E = (torch.rand(size, latents, generator=draw) * 2 - 1) * reach
    sae = Tied(E.repeat(len(x), 1, 1), torch.zeros(len(x), 1, latents))

    def loss() -> Tensor:
        rows = x[:, torch.randint(x.shape[1], (settings["batch_size"],), generator=draw)]
        f = sae.encode(rows)
        error = (sae.decode(f) - rows).square()
        return error.mean((1, 2)).sum() + settings["l1"] * f.mean((1, 2)).sum()

    descend((sae.E, sae.e), loss, settings["steps"], settings["learning_rate"])
    return sae
