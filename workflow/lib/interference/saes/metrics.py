"""How well a dictionary does on held-out rows: float64 sums, image by image."""

from dataclasses import dataclass

import numpy as np

from interference.saes.dictionary import Dictionary

#: Images scored at once, for a bounded memory.
IMAGES = 100


@dataclass(frozen=True)
class Scores:
    """Sums over the positions of each image, and over all rows for each channel and latent.

    squared_error, deviation: (images,) float64: Σ‖x − x̂‖² and Σ‖x − x̄‖²;
    l0: (images,) mean active latents a row; channel_error, channel_deviation: (d,);
    fired: (h,) rows in which each latent fired; rows: how many were scored.
    """

    squared_error: np.ndarray
    deviation: np.ndarray
    l0: np.ndarray
    channel_error: np.ndarray
    channel_deviation: np.ndarray
    fired: np.ndarray
    rows: int

    @property
    def summary(self) -> dict[str, float]:
        """fvu: Σ‖x − x̂‖² / Σ‖x − x̄‖², x̄ the mean of the scored rows. r2: mean over channels that
        vary of 1 − their own ratio. mse: a dimension. l0: mean. dead_fraction: never fired."""
        varying = self.channel_deviation > 0
        ratios = self.channel_error[varying] / self.channel_deviation[varying]
        total = self.squared_error.sum()
        return {
            "fvu": float(total / self.deviation.sum()),
            "r2": float(1 - ratios.mean()),
            "mse": float(total / self.rows / len(self.channel_error)),
            "l0": float(self.l0.mean()),
            "dead_fraction": float((self.fired == 0).mean()),
        }


def score(dictionary: Dictionary, x: np.ndarray) -> Scores:
    """x: (images, positions, d) float32, standardised, held out."""
    images, positions, d = x.shape
    mean = x.reshape(-1, d).mean(0, dtype=np.float64)
    error, deviation, l0 = np.zeros(images), np.zeros(images), np.zeros(images)
    channel_error, channel_deviation = np.zeros(d), np.zeros(d)
    fired = np.zeros(len(dictionary.b_enc), np.int64)
    for start in range(0, images, IMAGES):
        part = slice(start, start + IMAGES)
        rows = x[part].reshape(-1, d)
        latents = dictionary.encode(rows)
        errors = (rows.astype(np.float64) - dictionary.decode(latents)) ** 2
        deviations = (rows - mean) ** 2
        channel_error += errors.sum(0)
        channel_deviation += deviations.sum(0)
        error[part] = errors.sum(1).reshape(-1, positions).sum(1)
        deviation[part] = deviations.sum(1).reshape(-1, positions).sum(1)
        active = latents > 0
        l0[part] = active.sum(1).reshape(-1, positions).mean(1)
        fired += active.sum(0)
    return Scores(error, deviation, l0, channel_error, channel_deviation, fired, images * positions)
