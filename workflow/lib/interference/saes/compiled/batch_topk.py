"""BatchTopK's compiled step: TopK's, with another choice of latents."""

import numpy as np

from interference.kernels.codes import rows_above
from interference.saes.compiled import topk
from interference.saes.dictionary import calibrated_threshold


class Step(topk.Step):
    """Moves one member."""

    def _code(
        self, centred: np.ndarray, watched: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        p = self.member.parameters
        pre = centred @ p["w_enc"].T
        pre += p["b_enc"]
        bar = calibrated_threshold(np.maximum(pre, 0), self.k)
        index, value = rows_above(pre, np.full(pre.shape[1], bar, pre.dtype))
        return index, value, np.maximum(pre[:, watched], 0)
