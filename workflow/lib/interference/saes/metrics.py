"""How well a dictionary does on held-out rows, and how its latents share them: float64 sums.

A latent is active where f_i‖W_dec,i‖, its activation in the canonical form, is above 0. Two more
thresholds say how much of L0 hangs on faint activations: 1e-3, and 1 % of the 99th percentile of
the latent's own activations. That percentile is over the rows in which the latent is active: over
all rows it would be 0 for every latent that fires in fewer than one of a hundred.
"""

from dataclasses import dataclass

import numpy as np

from interference.kernels.compile import cached, inner
from interference.saes.dictionary import Dictionary

#: Images scored at once, and latents compared at once, for a bounded memory.
IMAGES, LATENTS = 100, 512
#: Thresholds of the sensitivity of L0: absolute, and over the latent's own upper percentile.
ABSOLUTE, RELATIVE = 1e-3, 0.01
#: Share of a latent's active rows that lie above its upper percentile.
UPPER = 0.01
#: A latent that is active in a larger share of rows is dense.
DENSE = 0.1


@dataclass(frozen=True)
class Scores:
    """Sums over the positions of each image, and over all rows for each channel and latent.

    squared_error, deviation: (images,) float64: Σ‖x − x̂‖² and Σ‖x − x̄‖²;
    l0: (images,) mean active latents per row; channel_error, channel_deviation: (d,);
    fired, absolute, relative: (h,) rows in which each latent is above 0, 1e-3 and 1 % of its own
    percentile; magnitude: (h,) Σ f_i; cosines: of each latent that fired, the largest |cosine| of
    its decoder row to another's; rows: how many were scored.
    """

    squared_error: np.ndarray
    deviation: np.ndarray
    l0: np.ndarray
    channel_error: np.ndarray
    channel_deviation: np.ndarray
    fired: np.ndarray
    absolute: np.ndarray
    relative: np.ndarray
    magnitude: np.ndarray
    cosines: np.ndarray
    rows: int

    @property
    def by_image(self) -> dict[str, np.ndarray]:
        """What there is of each image."""
        return {name: getattr(self, name) for name in ("squared_error", "deviation", "l0")}

    @property
    def summary(self) -> dict[str, float]:
        """One number each:

        - fvu: Σ‖x − x̂‖² / Σ‖x − x̄‖², x̄ the mean of the scored rows; r2: mean over channels that
          vary of 1 − their own ratio; mse: a dimension;
        - l0: mean active latents per row; l0_absolute, l0_relative: those above 1e-3, and above 1 % of
          their own 99th percentile; dead_fraction: latents that never fired; dense_fraction: those
          active in more than a tenth of the rows;
        - effective_features: F = exp(H(p)) with p_i ∝ the mean of f_i, 0 where nothing fires; psi:
          F/d (Bereska et al. 2025, superposition as lossy compression);
        - coherence: the largest |cosine| of two decoder rows; mean_coherence: the mean over latents
          of the largest |cosine| to another. Latents that never fired are left out of both, which
          are 0 where fewer than two are left.
        """
        varying = self.channel_deviation > 0
        ratios = self.channel_error[varying] / self.channel_deviation[varying]
        total, d = self.squared_error.sum(), len(self.channel_error)
        features = effective_features(self.magnitude)
        return {
            "fvu": float(total / self.deviation.sum()),
            "r2": float(1 - ratios.mean()),
            "mse": float(total / self.rows / d),
            "l0": float(self.l0.mean()),
            "l0_absolute": float(self.absolute.sum() / self.rows),
            "l0_relative": float(self.relative.sum() / self.rows),
            "dead_fraction": float((self.fired == 0).mean()),
            "dense_fraction": float((self.fired > DENSE * self.rows).mean()),
            "effective_features": features,
            "psi": features / d,
            "coherence": float(self.cosines.max(initial=0)),
            "mean_coherence": float(self.cosines.mean()) if len(self.cosines) else 0.0,
        }


def score(dictionary: Dictionary, x: np.ndarray) -> Scores:
    """x: (images, positions, d) float32, standardised, held out.

    Rows are encoded twice: latents have their own percentiles only after a first pass.
    """
    images, positions, d = x.shape
    parts = [slice(start, start + IMAGES) for start in range(0, images, IMAGES)]
    mean = x.reshape(-1, d).mean(0, dtype=np.float64)
    error, deviation, l0 = np.zeros(images), np.zeros(images), np.zeros(images)
    channel_error, channel_deviation = np.zeros(d), np.zeros(d)
    use = Use.none(len(dictionary.b_enc), images * positions)
    for part in parts:
        rows = x[part].reshape(-1, d)
        latents = dictionary.encode(rows)
        errors = (rows.astype(np.float64) - dictionary.decode(latents)) ** 2
        deviations = (rows - mean) ** 2
        channel_error += errors.sum(0)
        channel_deviation += deviations.sum(0)
        error[part] = errors.sum(1).reshape(-1, positions).sum(1)
        deviation[part] = deviations.sum(1).reshape(-1, positions).sum(1)
        l0[part] = use.add(latents).reshape(-1, positions).mean(1)
    bar, relative = RELATIVE * use.percentile(), np.zeros(len(use.fired), np.int64)
    for part in parts:
        _count_above(dictionary.encode(x[part].reshape(-1, d)), bar, relative)
    return Scores(
        error, deviation, l0, channel_error, channel_deviation,
        use.fired, use.absolute, relative, use.magnitude,
        largest_cosines(dictionary.w_dec[use.fired > 0]), images * positions,
    )  # fmt: skip


@dataclass(frozen=True)
class Use:
    """What each latent does, summed over rows: fired, absolute, magnitude as in `Scores`.

    largest: (h, about a hundredth of the rows) its largest activations, a heap with the least first.
    """

    fired: np.ndarray
    absolute: np.ndarray
    magnitude: np.ndarray
    largest: np.ndarray

    @classmethod
    def none(cls, latents: int, rows: int) -> "Use":
        """Before the first of ``rows`` rows."""
        kept = int(UPPER * (rows - 1)) + 2
        return cls(
            fired=np.zeros(latents, np.int64),
            absolute=np.zeros(latents, np.int64),
            magnitude=np.zeros(latents),
            largest=np.zeros((latents, kept)),
        )

    def add(self, latents: np.ndarray) -> np.ndarray:
        """Count the codes (n, h) of more rows, and return how many latents are active in each."""
        active = np.zeros(len(latents), np.int64)
        _tally(latents, active, self.fired, self.absolute, self.magnitude, self.largest)
        return active

    def percentile(self) -> np.ndarray:
        """(h,) 99th percentile over active rows, linear between two of them; 0 where there are none."""
        descending = -np.sort(-self.largest, axis=1)
        place = UPPER * np.maximum(self.fired - 1, 0)
        rank, latent = place.astype(np.int64), np.arange(len(place))
        above, below = descending[latent, rank], descending[latent, rank + 1]
        return above + (place - rank) * (below - above)


def effective_features(magnitude: np.ndarray) -> float:
    """exp(H(p)), p ∝ magnitude (h,): how many equally used features it is; 0 where all are 0."""
    p = magnitude[magnitude > 0]
    p = p / p.sum()
    return float(np.exp(-(p * np.log(p)).sum())) if len(p) else 0.0


def largest_cosines(directions: np.ndarray) -> np.ndarray:
    """Of each row of (h, d), the largest |cosine| to another, (h,) float64; 0 of a row alone."""
    unit = directions.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    largest = np.zeros(len(unit))
    for start in range(0, len(unit), LATENTS):
        cosines = np.abs(unit[start : start + LATENTS] @ unit.T)
        np.fill_diagonal(cosines[:, start:], 0)
        largest[start : start + LATENTS] = cosines.max(1)
    return largest


@cached
def _tally(
    latents: np.ndarray,
    active: np.ndarray,
    fired: np.ndarray,
    absolute: np.ndarray,
    magnitude: np.ndarray,
    largest: np.ndarray,
) -> None:
    for r in range(latents.shape[0]):
        for i in range(latents.shape[1]):
            value = latents[r, i]
            if value > 0:
                active[r] += 1
                fired[i] += 1
                absolute[i] += value > ABSOLUTE
                magnitude[i] += value
                if value > largest[i, 0]:
                    _replace_least(largest[i], value)


@inner
def _replace_least(heap: np.ndarray, value: float) -> None:
    at, child = 0, 1
    while child < len(heap):
        if child + 1 < len(heap) and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= value:
            break
        heap[at] = heap[child]
        at, child = child, 2 * child + 1
    heap[at] = value


@cached
def _count_above(latents: np.ndarray, bar: np.ndarray, count: np.ndarray) -> None:
    for r in range(latents.shape[0]):
        for i in range(latents.shape[1]):
            count[i] += latents[r, i] > bar[i]


def per_image(members: list[tuple[dict, dict[str, np.ndarray]]]) -> dict[str, np.ndarray]:
    """Columns of a table, a row per (member, image), members one after the other.

    members: what names each, and its arrays (images,).
    """
    images = len(members[0][1]["l0"])
    columns = {
        name: np.repeat([member[name] for member, _ in members], images) for name in members[0][0]
    }
    columns["image"] = np.tile(np.arange(images), len(members))
    for name in members[0][1]:
        columns[name] = np.concatenate([arrays[name] for _, arrays in members])
    return columns
