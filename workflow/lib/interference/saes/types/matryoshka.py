"""Matryoshka SAE (Bussmann et al. 2025, arXiv 2503.17547) with BatchTopK, as in the paper.

    Z = BatchTopK(ReLU((X − b_dec) W_encᵀ + b_enc)),   x̂_m = Σ_{i < m} z_i W_dec,i + b_dec
    L = Σ_m mean_rows ‖x − x̂_m‖² + AuxK

m runs over nested prefixes of the h latents, the last of them all: each must reconstruct x: (d,) by
itself, so the first latents learn what is general. ``prefixes`` gives each m as a share of h. The
n·k largest entries are chosen once, over all latents. AuxK is that of TopK, with e = x − x̂_h;
unit decoder rows, the tied start and threshold inference are BatchTopK's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from interference.config.saes import Matryoshka
from interference.saes.types import batch_topk, topk

if TYPE_CHECKING:  # a job on a CPU loads no torch: these are methods of tensors
    from torch import Tensor

SPARSITY = "k"
Settings = Matryoshka
UNIT_DECODER = True


parameters, state = topk.parameters, topk.state
start, dictionary = batch_topk.start, batch_topk.dictionary


def ends(settings: Settings, latents: int) -> list[int]:
    """Each m."""
    return [round(share * latents) for share in settings.prefixes]


def loss(
    p: Mapping[str, Tensor], x: Tensor, k: Tensor, settings: Settings, state: Mapping[str, Tensor]
) -> Tensor:
    """L: (M,), the firing counters brought up to date; arguments as of `SaeType.loss`."""
    prefixes = ends(settings, p["w_enc"].shape[-2])
    return topk.nested_loss(p, x, k, settings, state, batch_topk.top_of_batch, prefixes)
