"""BatchTopK with AuxK (Bussmann et al. 2024, arXiv 2412.06410).

    Z = BatchTopK(ReLU((X − b_dec) W_encᵀ + b_enc)),   X̂ = Z W_dec + b_dec
    L = mean_rows ‖x − x̂‖² + AuxK

X: (n, d). BatchTopK keeps the n·k largest entries of the whole batch (n, h), so that a row may have
more or fewer than k; of equals at the bar none is kept. All else is TopK's: AuxK and its
scale, unit decoder rows, the tied start. The SAE is scored with threshold inference: a frozen
threshold at which training rows have k active latents on average. (The paper takes the mean over
batches of the least kept entry, which is similar.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from interference.config.saes import BatchTopK
from interference.saes.dictionary import Dictionary
from interference.saes.types import topk

if TYPE_CHECKING:  # a job on a CPU loads no torch: these are methods of tensors
    from torch import Tensor

SPARSITY = "k"
Settings = BatchTopK
UNIT_DECODER = True


parameters, state = topk.parameters, topk.state


def loss(
    p: Mapping[str, Tensor], x: Tensor, k: Tensor, settings: Settings, state: Mapping[str, Tensor]
) -> Tensor:
    """L: (M,), the firing counters brought up to date; arguments as of `SaeType.loss`."""
    return topk.nested_loss(p, x, k, settings, state, top_of_batch, [p["w_enc"].shape[-2]])


def top_of_batch(pre: Tensor, k: Tensor, settings: topk.Settings) -> Tensor:
    """z: (M, n, h), the n·k largest pre-activations of a whole batch where they exceed 0; others 0."""
    n, entries = pre.shape[-2], pre.detach().flatten(-2)
    largest = entries.topk(n * max(settings.k) + 1).values
    bar = largest.gather(-1, n * k[..., None].long()).relu()  # the (n·k + 1)-th largest, or 0
    return pre * (pre > bar[..., None])


start = partial(topk.start, keep=top_of_batch)


def dictionary(p: Mapping[str, np.ndarray], k: int) -> Dictionary:
    """With the pre-encoder bias folded in; to be calibrated."""
    return replace(topk.dictionary(p, k), pooled=True)
