"""BatchTopK with AuxK (Bussmann et al. 2024, arXiv 2412.06410).

    Z = BatchTopK(ReLU((X − b_dec) W_encᵀ + b_enc)),   X̂ = Z W_dec + b_dec
    L = mean_rows ‖x − x̂‖² + AuxK

X: (n, d). BatchTopK keeps the n·k largest entries of the whole batch (n, h), so that a row may have
more or fewer than k; of equals at the bar none is kept. All else is TopK's: AuxK and its
scale, unit decoder rows, the tied start. The SAE is scored with threshold inference: a frozen
threshold at which training rows have k active latents on average. (The paper takes the mean over
batches of the least kept entry, which is similar.)
"""

from dataclasses import replace

import numpy as np

from interference.config.saes import BatchTopK
from interference.saes.dictionary import Dictionary, calibrated_threshold
from interference.saes.kernels import rows_above
from interference.saes.types import topk

SPARSITY = "k"
Settings = BatchTopK


class Member(topk.Member):
    """One SAE of the sweep in training."""

    def _code(
        self, centred: np.ndarray, watched: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        p = self.parameters
        pre = centred @ p["w_enc"].T
        pre += p["b_enc"]
        bar = calibrated_threshold(np.maximum(pre, 0), self.k)
        index, value = rows_above(pre, np.full(pre.shape[1], bar, pre.dtype))
        return index, value, np.maximum(pre[:, watched], 0)

    def dictionary(self) -> Dictionary:
        """The SAE as it is now, to be calibrated, with the pre-encoder bias folded in."""
        return replace(super().dictionary(), pooled=True)


class Stacked(topk.Stacked):
    """L of M members in torch (saes/stacked.py)."""

    def code(self, pre):
        bar = pre.new_empty(len(pre), 1, 1)  # the (n·k + 1)-th largest entry, or 0
        for one, entries, k in zip(bar, pre.detach().flatten(1), self.k):
            one.copy_(entries.topk(pre.shape[1] * k + 1, sorted=False).values.amin().relu())
        return pre * (pre > bar)
