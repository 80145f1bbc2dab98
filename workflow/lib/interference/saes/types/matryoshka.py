"""Matryoshka SAE (Bussmann et al. 2025, arXiv 2503.17547) with BatchTopK, as in the paper.

    Z = BatchTopK(ReLU((X − b_dec) W_encᵀ + b_enc)),   x̂_m = Σ_{i < m} z_i W_dec,i + b_dec
    L = Σ_m mean_rows ‖x − x̂_m‖² + AuxK

m runs over nested prefixes of the h latents, the last of them all: each must reconstruct x: (d,) by
itself, so the first latents learn what is general. ``prefixes`` gives each m as a share of h. The
n·k largest entries are chosen once, over all latents. AuxK is that of TopK, with e = x − x̂_h;
unit decoder rows, the tied start and threshold inference are BatchTopK's.
"""

from interference.config.saes import Matryoshka
from interference.saes.types import batch_topk

SPARSITY = "k"
Settings = Matryoshka


class Member(batch_topk.Member):
    """One SAE of the sweep in training."""

    settings: Settings

    def prefixes(self, latents: int) -> list[int]:
        return [round(share * latents) for share in self.settings.prefixes]


Stacked = batch_topk.Stacked
