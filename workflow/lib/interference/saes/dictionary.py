"""A trained sparse autoencoder, whatever its type: one canonical form to store, score and attack.

    f = activation(x W_encᵀ + b_enc),   x̂ = f W_dec + b_dec,   ‖W_dec,i‖ = 1

A pre-encoder bias is folded into b_enc and decoder norms into W_enc, so that f_i is the length of
what latent i adds to the reconstruction. The activation is ReLU, of which those above a threshold
are kept: 0, or one per latent (JumpReLU, Gated), or one for all. TopK keeps the k largest of a row,
or, at threshold inference, those above a frozen threshold, which lets the count respond; BatchTopK,
whose k is a mean over rows, is that threshold inference.
"""

from dataclasses import dataclass

import numpy as np

from interference.kernels.dense import relu_rows
from interference.kernels.selection import top_rows


@dataclass(frozen=True)
class Dictionary:
    """w_enc, w_dec: (h, d); b_enc: (h,); b_dec: (d,); k: kept latents, 0 for any number;
    threshold: what counts as active at threshold inference (0 for ReLU), a number or one per latent
    (h,); pooled: k is a mean over rows, met by the threshold."""

    w_enc: np.ndarray
    b_enc: np.ndarray
    w_dec: np.ndarray
    b_dec: np.ndarray
    k: int = 0
    threshold: float | np.ndarray = 0.0
    pooled: bool = False

    def rectified(self, x: np.ndarray) -> np.ndarray:
        """ReLU of the pre-activations: (n, d) → (n, h)."""
        return self.rectify(x @ self.w_enc.T)

    def rectify(self, pre: np.ndarray) -> np.ndarray:
        """ReLU of pre-activations, which come without their bias; in place. pre: (n, h)."""
        relu_rows(pre, self.b_enc)
        return pre

    def encode(self, x: np.ndarray) -> np.ndarray:
        """The code that the SAE is scored with: (n, d) → (n, h), non-negative."""
        return self.code(self.rectified(x))

    def encode_threshold(self, x: np.ndarray) -> np.ndarray:
        """The code at threshold inference, which differs from `encode` for TopK only."""
        return self._above_threshold(self.rectified(x))

    def code(self, rectified: np.ndarray) -> np.ndarray:
        """The code of `encode` from what `rectified` returns, which may be overwritten: (n, h)."""
        if self.k and not self.pooled:
            return keep_top(rectified, self.k)
        return self._above_threshold(rectified)

    def _above_threshold(self, rectified: np.ndarray) -> np.ndarray:
        rectified[rectified <= self.threshold] = 0
        return rectified

    def decode(self, latents: np.ndarray) -> np.ndarray:
        """(n, h) → (n, d)."""
        return latents @ self.w_dec + self.b_dec


def stack(dictionaries: list[Dictionary]) -> dict[str, np.ndarray]:
    """A sweep as arrays with a first axis of members."""
    names = ("w_enc", "b_enc", "w_dec", "b_dec")
    stacked = {name: np.stack([getattr(d, name) for d in dictionaries]) for name in names}
    stacked["k"] = np.array([d.k for d in dictionaries], np.int64)
    stacked["pooled"] = np.array([d.pooled for d in dictionaries])
    stacked["threshold"] = np.empty(stacked["b_enc"].shape, stacked["b_enc"].dtype)
    for row, dictionary in zip(stacked["threshold"], dictionaries, strict=True):
        row[:] = dictionary.threshold
    return stacked


def unstack(arrays: dict[str, np.ndarray]) -> list[Dictionary]:
    """The members of a stored sweep, in the order of its manifest."""
    return [
        Dictionary(
            w_enc=arrays["w_enc"][i],
            b_enc=arrays["b_enc"][i],
            w_dec=arrays["w_dec"][i],
            b_dec=arrays["b_dec"][i],
            k=int(arrays["k"][i]),
            threshold=arrays["threshold"][i],
            pooled=bool(arrays["pooled"][i]),
        )
        for i in range(len(arrays["k"]))
    ]


def keep_top(latents: np.ndarray, k: int) -> np.ndarray:
    """Zero all but the k largest of each row: (n, h) → (n, h)."""
    index = np.zeros((len(latents), k), np.int32)
    value = np.zeros((len(latents), k), latents.dtype)
    top_rows(latents, k, index, value)
    kept = np.zeros_like(latents)
    row, place = np.nonzero(value)  # empty places all point at latent 0
    kept[row, index[row, place]] = value[row, place]
    return kept


def calibrated_threshold(rectified: np.ndarray, k: int) -> float:
    """The threshold above which a row has k active latents on average.

    rectified: (n, h) ReLU'd pre-activations of training rows. Returns the (n·k + 1)-th largest
    entry, or 0 where fewer than n·k are positive.
    """
    positive = rectified[rectified > 0]  # half of them, and all that can matter
    rank = len(positive) - len(rectified) * k - 1
    return float(np.partition(positive, rank)[rank]) if rank >= 0 else 0.0


def initial_directions(d: int, latents: int, seed: int) -> np.ndarray:
    """Random unit rows (latents, d) float32; equal seeds give equal rows."""
    rows = np.random.default_rng([seed, 0]).standard_normal((latents, d))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
