"""L0 of every image under attack, and how many of its latents the attack wakes.

A latent is active where its activation, which carries its decoder norm, exceeds its threshold: 0
for ReLU, what was learned for JumpReLU and Gated, the frozen training threshold for BatchTopK and
for TopK, whose own count is k by construction. An image's L0 is the mean over its positions.
"""

import numpy as np

from interference.kernels.compile import cached
from interference.saes.dictionary import Dictionary


@cached
def _count(
    pre: np.ndarray,
    bias: np.ndarray,
    threshold: np.ndarray,
    clean: np.ndarray,
    is_clean: bool,
    active: np.ndarray,
    woken: np.ndarray,
) -> None:
    """Add every row's active and woken latents to ``active`` and ``woken``, (rows,) int64.

    pre: (rows, h) pre-activations without bias; bias, threshold: (h,); clean: (rows, h) bool, the
    latents active on clean images, which is written where ``is_clean``.
    """
    for r in range(pre.shape[0]):
        for i in range(pre.shape[1]):
            on = pre[r, i] + bias[i] > threshold[i]
            if is_clean:
                clean[r, i] = on
            if on:
                active[r] += 1
                if not clean[r, i]:
                    woken[r] += 1


def count_active(
    dictionary: Dictionary, conditions: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Count the active latents of every image under every condition, and those newly active.

    conditions: arrays (images, positions, d) float32 of the same images, standardised, clean first.
    Returns l0 and woken, (conditions, images) float64, means over positions: woken latents are
    active there and not at the same position of the clean image.
    """
    images, positions = conditions[0].shape[:2]
    counts = np.zeros((2, len(conditions), images * positions), np.int64)
    clean = np.zeros((images * positions, len(dictionary.b_enc)), np.bool_)
    threshold = np.zeros(dictionary.b_enc.shape, np.float32) + np.float32(dictionary.threshold)
    for c, values in enumerate(conditions):
        pre = values.reshape(images * positions, -1) @ dictionary.w_enc.T
        _count(pre, dictionary.b_enc, threshold, clean, c == 0, counts[0, c], counts[1, c])
    l0, woken = counts.reshape(2, len(conditions), images, positions).mean(3)
    return l0, woken
