"""What `latents.respond` measures, by dense products in torch: how a GPU does it.

A core goes through the few latents that are active; a GPU multiplies all of them sooner than a core finds
these. With it `measure` takes a quarter of the time (*measured*: docs/performance.md).
"""

import numpy as np
import torch
from torch import Tensor

from interference import compute
from interference.probes.latents import COUNTS, Probe
from interference.saes.metrics import ABSOLUTE

#: Bytes of the pre-activations of the images that are looked at together at most; some ten arrays are as large.
MOST_BYTES = 2**29


def respond(probe: Probe, conditions: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Measure the latents of every image under every condition, as `latents.respond` has it."""
    images, positions, _ = conditions[0].shape
    size = max(1, MOST_BYTES // (4 * positions * len(probe.dictionary.b_enc)))
    parts = [
        _respond(probe, [_on_device(c[start : start + size]) for c in conditions])
        for start in range(0, images, size)
    ]
    found = {name: np.concatenate([part[name] for part in parts], axis=1) for name in parts[0]}
    whole = ("union", "squared_error")
    return {name: v if name in whole else v / positions for name, v in found.items()}


def _respond(probe: Probe, conditions: list[Tensor]) -> dict[str, np.ndarray]:
    """Return sums over positions, (conditions, images) float64. conditions: (images, positions, d)."""
    sae = probe.dictionary
    w_enc, b_enc, w_dec, b_dec, relative, gain = map(
        _on_device, (sae.w_enc, sae.b_enc, sae.w_dec, sae.b_dec, probe.relative, probe.gain)
    )
    threshold = _on_device(np.zeros_like(sae.b_enc) + sae.threshold).to(b_enc)
    sums = []
    clean = None
    for x in conditions:
        pre = x @ w_enc.T
        active = pre + b_enc > threshold
        code = torch.where(active, pre + b_enc, 0)
        clean = clean or (pre, active, code)
        clean_pre, clean_active, clean_code = clean
        woken = active & ~clean_active
        through_all = ((code - clean_code) @ w_dec) @ w_enc.T
        own = gain.to(code) * code
        scored = _top(pre + b_enc, sae.k) if sae.k and not sae.pooled else code
        columns = {
            "l0": active,
            "union": active.any(1, keepdim=True),
            "l0_absolute": active & (code > ABSOLUTE),
            "l0_relative": active & (code > relative),
            "woken": woken,
            "silenced": clean_active & ~active,
            "drive": (pre - clean_pre) * woken,
            "drive_own": own * woken,
            "drive_interference": (through_all - own) * woken,
            "squared_error": (x - b_dec - scored @ w_dec).double() ** 2,
        }
        sums.append([column.sum((1, 2), dtype=torch.float64) for column in columns.values()])
    stacked = torch.stack([torch.stack(own) for own in sums], 1).cpu().numpy()
    return dict(zip((*COUNTS, "squared_error"), stacked, strict=True))


def _top(biased: Tensor, k: int) -> Tensor:
    """Keep the k largest of each row, rectified. biased: (images, positions, h)."""
    top = biased.topk(k)
    return torch.zeros_like(biased).scatter_(2, top.indices, top.values.relu())


def _on_device(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(compute.device())
