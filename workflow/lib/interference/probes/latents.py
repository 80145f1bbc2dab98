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
from typing import NamedTuple

import numpy as np

from interference.kernels.compile import cached
from interference.kernels.gathered import combined, dotted
from interference.kernels.selection import top_biased_rows
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
    usual = None
    for c, values in enumerate(conditions):
        rows = values.reshape(-1, d)
        pre = rows @ dictionary.w_enc.T
        awake = Codes.above(pre, dictionary)
        usual = usual or (pre.copy(), awake)
        _respond(
            pre, *awake, usual[0], *usual[1], probe.relative, dictionary.w_enc, dictionary.w_dec,
            probe.gain, ABSOLUTE, counts[c],
        )  # fmt: skip
        code = Codes.top(pre, dictionary) if dictionary.k and not dictionary.pooled else awake
        _squared_error(rows, *code, dictionary.w_dec, dictionary.b_dec, squared_error[c])
    per_image = {name: counts[:, :, i] for i, name in enumerate(COUNTS)}
    return {
        **{name: v if name == "union" else v / positions for name, v in per_image.items()},
        "squared_error": squared_error,
    }


class Codes(NamedTuple):
    """Sparse codes of rows: those of row r are at starts[r] to starts[r + 1].

    starts: (rows + 1,) int64. latent: (active,) int32, ascending in each row. value: (active,) float32.
    """

    starts: np.ndarray
    latent: np.ndarray
    value: np.ndarray

    @classmethod
    def above(cls, pre: np.ndarray, dictionary: Dictionary) -> "Codes":
        """The codes at threshold inference. pre: (rows, h), pre-activations without their bias."""
        bias, threshold = dictionary.b_enc, np.zeros_like(dictionary.b_enc)
        threshold += dictionary.threshold
        starts = np.zeros(len(pre) + 1, np.int64)
        _count_above(pre, bias, threshold, starts[1:])
        np.cumsum(starts, out=starts)
        # an entry to spare, since what is below is written before it is left behind
        latent, value = np.zeros(starts[-1] + 1, np.int32), np.zeros(starts[-1] + 1, pre.dtype)
        _pack_above(pre, bias, threshold, starts, latent, value)
        return cls(starts, latent, value)

    @classmethod
    def top(cls, pre: np.ndarray, dictionary: Dictionary) -> "Codes":
        """The codes of the k largest. pre: as of `above`; the bias is added to it."""
        rows, k = len(pre), dictionary.k
        latent, value = np.zeros((rows, k), np.int32), np.zeros((rows, k), pre.dtype)
        none = np.zeros(0, np.int32)
        top_biased_rows(
            pre, dictionary.b_enc, k, latent, value, none, np.zeros((rows, 0), pre.dtype)
        )
        return cls(np.arange(0, (rows + 1) * k, k), latent.ravel(), value.ravel())


@cached
def _count_above(
    pre: np.ndarray, bias: np.ndarray, threshold: np.ndarray, counts: np.ndarray
) -> None:
    """Count the latents of each row above their threshold. counts: (rows,) int64."""
    for r in range(pre.shape[0]):
        count = 0
        for i in range(pre.shape[1]):
            count += pre[r, i] + bias[i] > threshold[i]
        counts[r] = count


@cached
def _pack_above(
    pre: np.ndarray,
    bias: np.ndarray,
    threshold: np.ndarray,
    starts: np.ndarray,
    latent: np.ndarray,
    value: np.ndarray,
) -> None:
    """Write what `_count_above` counted, row after row; latent, value: with an entry to spare."""
    for r in range(pre.shape[0]):
        at = starts[r]
        for i in range(pre.shape[1]):
            v = pre[r, i] + bias[i]
            latent[at], value[at] = i, v
            at += v > threshold[i]


@cached
def _squared_error(
    rows: np.ndarray,
    starts: np.ndarray,
    latent: np.ndarray,
    value: np.ndarray,
    w_dec: np.ndarray,
    b_dec: np.ndarray,
    errors: np.ndarray,
) -> None:
    """Add ‖x − x̂‖² of every row to its image's. errors: (images,) float64."""
    positions, left = rows.shape[0] // errors.shape[0], np.zeros_like(b_dec)
    for r in range(rows.shape[0]):
        combined(latent, value, starts[r], starts[r + 1], w_dec, left)
        total = 0.0
        for c in range(left.shape[0]):
            total += np.float64(rows[r, c] - b_dec[c] - left[c]) ** 2
        errors[r // positions] += total


@cached
def _respond(
    pre: np.ndarray,
    starts: np.ndarray,
    latent: np.ndarray,
    value: np.ndarray,
    clean: np.ndarray,
    clean_starts: np.ndarray,
    clean_latent: np.ndarray,
    clean_value: np.ndarray,
    relative: np.ndarray,
    w_enc: np.ndarray,
    w_dec: np.ndarray,
    gain: np.ndarray,
    absolute: float,
    counts: np.ndarray,
) -> None:
    """Add the sums over positions of every image to ``counts``, (images, len(COUNTS)) float64.

    pre, clean: (images · positions, h) pre-activations without bias; starts, latent, value and
    clean_…: their `Codes`; relative: (h,); w_enc, w_dec: (h, d); gain: (h,); absolute: a threshold for
    all.
    """
    rows, latents = pre.shape
    images, d = counts.shape[0], w_dec.shape[1]
    positions = rows // images
    seen, was = np.zeros(latents, np.bool_), np.zeros(latents, np.bool_)
    woken, through_all = np.zeros(latents, np.int32), np.zeros(latents, pre.dtype)
    displaced, before = np.zeros((1, d), pre.dtype), np.zeros(d, pre.dtype)
    for m in range(images):
        seen[:] = False
        for r in range(m * positions, (m + 1) * positions):
            begin, end = starts[r], starts[r + 1]
            clean_begin, clean_end = clean_starts[r], clean_starts[r + 1]
            for n in range(clean_begin, clean_end):
                was[clean_latent[n]] = True
            newly = 0
            for n in range(begin, end):
                i = latent[n]
                seen[i] = True
                counts[m, 2] += value[n] > absolute
                counts[m, 3] += value[n] > relative[i]
                woken[newly] = i
                newly += not was[i]
            counts[m, 0] += end - begin
            counts[m, 4] += newly
            # of those that were active clean, all but what is active still fell silent
            counts[m, 5] += clean_end - clean_begin - (end - begin - newly)
            if newly:
                combined(latent, value, begin, end, w_dec, displaced[0])
                combined(clean_latent, clean_value, clean_begin, clean_end, w_dec, before)
                for c in range(d):
                    displaced[0, c] -= before[c]
                dotted(woken, displaced, 0, w_enc, 0, newly, through_all)
                at = begin
                for n in range(newly):
                    i = woken[n]
                    while latent[at] != i:
                        at += 1
                    own = gain[i] * value[at]
                    counts[m, 6] += pre[r, i] - clean[r, i]
                    counts[m, 7] += own
                    counts[m, 8] += through_all[n] - own
            for n in range(clean_begin, clean_end):
                was[clean_latent[n]] = False
        counts[m, 1] += seen.sum()
