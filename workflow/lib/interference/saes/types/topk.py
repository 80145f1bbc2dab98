"""TopK with AuxK (Gao et al. 2024, §2.3 and A.2).

    z = TopK(ReLU(W_enc (x − b_dec) + b_enc)),   x̂ = W_decᵀ z + b_dec
    L = mean_rows ‖x − x̂‖² + weight · min(n_dead / k_aux, 1) · mean_rows ‖e − ê‖²

e = x − x̂ is taken as a constant, ê = W_decᵀ z_dead is made of the top k_aux *dead* latents, without
b_dec: a latent is dead when it has not fired for ``dead_after`` rows. The scale of the auxiliary
loss is SAELens's. A pick whose value is zero does not count as firing.

Decoder rows have unit norm: the gradient along them is removed and they are renormalised after each
step. A step is taken at a length that is kept beside each row: it starts at 0.1 and grows as steps
go sideways, so that rows turn fast at first and slowly in the end (weight normalisation: Salimans &
Kingma 2016, §2.1). Steps at length 1 leave FVU 4 to 7 % higher.

Adam takes each gradient over the norm of the one before it, all parameters together. Gradients
shrink severalfold in training, and the square of the first ones would shorten steps for a thousand
more: without this, FVU is 2 to 10 % higher. (Other trainers clip at norm 1, which is nearly always
exceeded, so it is the same thing; the norm before is known when a latent takes its step.)

W_enc starts as W_dec, times the number that makes reconstructions of the first batch as long as its
rows (A.1): at unit norm the sum of k correlated latents overshoots x several times.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from interference.config.saes import TopK
from interference.saes.dictionary import Dictionary, initial_directions

if TYPE_CHECKING:  # a job on a CPU loads no torch: these are methods of tensors
    from torch import Tensor

SPARSITY = "k"
Settings = TopK
UNIT_DECODER = True
#: How latents are chosen: of pre-activations (M, n, h), k (M,) and the settings.
Keep = Callable[["Tensor", "Tensor", Any], "Tensor"]
#: Of decoder rows at the start, as their steps see it.
INITIAL_LENGTH = 0.1


def parameters(settings: Settings, d: int, latents: int, seed: int) -> dict[str, np.ndarray]:
    """W_enc, W_dec: (h, d); b_enc: (h,); b_dec: (d,)."""
    w_dec = initial_directions(d, latents, seed)
    return {
        "w_enc": w_dec.copy(),
        "b_enc": np.zeros(latents, np.float32),
        "w_dec": w_dec,
        "b_dec": np.zeros(d, np.float32),
    }


def state(latents: int) -> dict[str, np.ndarray]:
    """silent: (h,) rows since each latent fired; length: (h,); norm: (1,), of the gradient before."""
    return {
        "silent": np.zeros(latents, np.int64),
        "length": np.full(latents, INITIAL_LENGTH, np.float32),
        "norm": np.ones(1),
    }


def loss(
    p: Mapping[str, Tensor], x: Tensor, k: Tensor, settings: Settings, state: Mapping[str, Tensor]
) -> Tensor:
    """L: (M,), the firing counters brought up to date; arguments as of `SaeType.loss`."""
    return nested_loss(p, x, k, settings, state, top_k, [p["w_enc"].shape[-2]])


def top_k(pre: Tensor, k: Tensor, settings: Settings) -> Tensor:
    """z: (M, n, h), the ReLU of the k largest pre-activations of each row; the others 0."""
    value, index = pre.topk(max(settings.k))
    rank = value.new_ones(value.shape).cumsum(-1)
    return scattered(pre, value * (rank <= k[..., None, None]), index)


def scattered(pre: Tensor, value: Tensor, index: Tensor) -> Tensor:
    """Zeros like ``pre``, and ReLU(value) where index says, each (M, n, any). A GPU would take four
    times as long for a ReLU of all of ``pre``, and its gradient."""
    return pre.new_zeros(pre.shape).scatter(-1, index, value.relu())


def nested_loss(
    p: Mapping[str, Tensor],
    x: Tensor,
    k: Tensor,
    settings: Settings,
    state: Mapping[str, Tensor],
    keep: Keep,
    ends: list[int],
) -> Tensor:
    """L, where z are chosen by ``keep`` (`top_k`, or another), and the latents below each of ``ends``,
    the last of which is h, reconstruct x by themselves: squared errors are summed over these."""
    w_enc, b_enc, w_dec, b_dec = (p[name] for name in ("w_enc", "b_enc", "w_dec", "b_dec"))
    product = x @ w_enc.mT
    z = keep(product + (b_enc - b_dec @ w_enc.mT), k, settings)
    errors, made, begin = x.new_zeros(()), b_dec, 0
    for end in ends:
        made = made + z[..., begin:end] @ w_dec[..., begin:end, :]
        errors, begin = errors + squared_error(x, made), end
    silent = state["silent"]
    silent.add_(x.shape[-2]).masked_fill_((z.detach() > 0).any(-2), 0)
    if not settings.aux_weight or not settings.aux_k:
        return errors
    dead = silent > settings.dead_after
    pre = (product + (b_enc - b_dec.detach() @ w_enc.mT)) * dead[..., None, :]
    if settings.aux_k < pre.shape[-1]:
        z = scattered(pre, *pre.topk(settings.aux_k, sorted=False))
    else:
        z = pre.relu()
    scale = (dead.sum(-1, dtype=z.dtype) / settings.aux_k).clamp(max=1.0)
    auxiliary = squared_error((x - made).detach(), z @ w_dec)
    return errors + settings.aux_weight * scale * auxiliary


def squared_error(x: Tensor, made: Tensor) -> Tensor:
    """mean_rows ‖x − x̂‖²: (M, n, d) → (M,)."""
    return (x - made).square().sum(-1).mean(-1)


def start(
    p: Mapping[str, Tensor], x: Tensor, k: Tensor, settings: Settings, keep: Keep = top_k
) -> None:
    """Make the reconstructions of x, without b_dec, as long as its rows on average."""
    centred = x - p["b_dec"]
    made = keep(centred @ p["w_enc"].mT + p["b_enc"], k, settings) @ p["w_dec"]
    square, length = (a.double().square().sum((-2, -1), keepdim=True) for a in (centred, made))
    scale = (square / length).sqrt().where(length > 0, 1.0)
    p["w_enc"].mul_(scale.to(x.dtype))


def dictionary(p: Mapping[str, np.ndarray], k: int) -> Dictionary:
    """With the pre-encoder bias folded in."""
    b_enc = p["b_enc"] - p["w_enc"] @ p["b_dec"]
    return Dictionary(p["w_enc"].copy(), b_enc, p["w_dec"].copy(), p["b_dec"].copy(), k)
