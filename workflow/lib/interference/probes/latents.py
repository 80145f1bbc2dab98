"""What every image's latents do under a condition: how many are active, which woke, and what woke them.

A latent is active where its activation, which carries its decoder norm, exceeds its threshold: 0
for ReLU, what was learned for JumpReLU and Gated, the frozen training threshold for BatchTopK and
for TopK, whose own count is k by construction.

**Interference share.** A condition displaces a row by Δ, and so the pre-activation of latent i by its
*drive* w_i·Δ, w_i its encoder row. With Δf_j the change of latent j, d_j its decoder row and e what the
SAE leaves unexplained, Δ = Σ_j Δf_j d_j + Δe, and the drive of a latent that the condition wakes is

    w_i·Δ  =  Δf_i w_i·d_i  +  Σ_{j≠i} Δf_j w_i·d_j  +  w_i·Δe
              own direction    interference             beyond the SAE

The second part comes through overlap with other latents that moved: the mechanism that Gorton & Lewis
2025 assert. It is zero where encoder rows are orthogonal to all decoder rows but their own.
"""

from dataclasses import dataclass

import numpy as np

from interference.kernels.compile import cached
from interference.saes.dictionary import Dictionary
from interference.saes.metrics import ABSOLUTE, IMAGES, RELATIVE, Use

#: What `respond` measures of each image, means over its positions unless it says otherwise.
COUNTS = ("l0", "union", "l0_absolute", "l0_relative", "woken", "silenced", "drive", "drive_own",
          "drive_interference")  # fmt: skip


@dataclass(frozen=True)
class Probe:
    """A dictionary, and what its latents are counted with.

    relative: (h,) float32, 1 % of each latent's 99th percentile where it is active.
    gain: (h,) float64, w_i·d_i of each latent's encoder and decoder row.
    """

    dictionary: Dictionary
    relative: np.ndarray
    gain: np.ndarray

    @classmethod
    def of(cls, dictionary: Dictionary, heldout: np.ndarray) -> "Probe":
        """Calibrate on clean rows. heldout: (images, positions, d) float32, standardised."""
        rows = heldout.reshape(-1, heldout.shape[2])
        use = Use.none(len(dictionary.b_enc), len(rows))
        step = IMAGES * heldout.shape[1]
        for start in range(0, len(rows), step):
            use.add(dictionary.encode_threshold(rows[start : start + step]))
        gain = (dictionary.w_enc.astype(np.float64) * dictionary.w_dec).sum(1)
        return cls(dictionary, (RELATIVE * use.percentile()).astype(np.float32), gain)


def respond(probe: Probe, conditions: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Measure the latents of every image under every condition: name → (conditions, images) float64.

    conditions: arrays (images, positions, d) float32 of the same images, standardised, clean first.

    - l0: active latents; l0_absolute, l0_relative: those above 1e-3, and above 1 % of their own 99th
      percentile; union: latents active at one of the image's positions at least.
    - woken: active, and not at the same position of the clean image; silenced: the reverse.
    - drive, drive_own, drive_interference: sums over the woken latents, as of this module.
    - squared_error: Σ‖x − x̂‖² over the positions, by the code that SAEs are scored with.
    """
    dictionary = probe.dictionary
    images, positions, d = conditions[0].shape
    counts = np.zeros((len(conditions), images, len(COUNTS)))
    squared_error = np.zeros((len(conditions), images))
    threshold = np.zeros(dictionary.b_enc.shape, np.float32) + np.float32(dictionary.threshold)
    clean = conditions[0].reshape(-1, d) @ dictionary.w_enc.T
    for c, values in enumerate(conditions):
        rows = values.reshape(-1, d)
        pre = rows @ dictionary.w_enc.T if c else clean.copy()
        _respond(
            pre, clean, dictionary.b_enc, threshold, probe.relative, dictionary.w_enc,
            dictionary.w_dec, probe.gain, ABSOLUTE, counts[c],
        )  # fmt: skip
        left = rows - dictionary.decode(dictionary.code(dictionary.rectify(pre)))
        squared_error[c] = np.einsum("ipd,ipd->i", *2 * [left.reshape(values.shape)], dtype=float)
    per_image = {name: counts[:, :, i] for i, name in enumerate(COUNTS)}
    return {
        **{name: v if name == "union" else v / positions for name, v in per_image.items()},
        "squared_error": squared_error,
    }


@cached
def _respond(
    pre: np.ndarray,
    clean: np.ndarray,
    bias: np.ndarray,
    threshold: np.ndarray,
    relative: np.ndarray,
    w_enc: np.ndarray,
    w_dec: np.ndarray,
    gain: np.ndarray,
    absolute: float,
    counts: np.ndarray,
) -> None:
    """Add the sums over positions of every image to ``counts``, (images, len(COUNTS)) float64.

    pre, clean: (images · positions, h) pre-activations without bias; bias, threshold, relative:
    (h,) of the same type; w_enc, w_dec: (h, d); gain: (h,); absolute: a threshold for all.
    """
    rows, latents = pre.shape
    images, d = counts.shape[0], w_dec.shape[1]
    positions = rows // images
    seen, woken, displaced = np.zeros(latents, np.bool_), np.zeros(latents, np.int64), np.zeros(d)
    for m in range(images):
        seen[:] = False
        for r in range(m * positions, (m + 1) * positions):
            displaced[:] = 0
            newly = 0
            for i in range(latents):
                now, before = pre[r, i] + bias[i], clean[r, i] + bias[i]
                on, was = now > threshold[i], before > threshold[i]
                change = 0.0
                if on:
                    change += now
                    seen[i] = True
                    counts[m, 0] += 1
                    counts[m, 2] += now > absolute
                    counts[m, 3] += now > relative[i]
                    if not was:
                        woken[newly] = i
                        newly += 1
                if was:
                    change -= before
                    counts[m, 5] += not on
                if change != 0:
                    for c in range(d):
                        displaced[c] += change * w_dec[i, c]
            counts[m, 4] += newly
            for n in range(newly):
                i = woken[n]
                own, through_all = gain[i] * (pre[r, i] + bias[i]), 0.0
                for c in range(d):
                    through_all += w_enc[i, c] * displaced[c]
                counts[m, 6] += pre[r, i] - clean[r, i]
                counts[m, 7] += own
                counts[m, 8] += through_all - own
        counts[m, 1] += seen.sum()
