"""Training steps in torch, the whole stack in each operation: for a GPU, and to check `step`.

The robust loss is (1 − weight) · clean + weight · attacked, the perturbation of L2 radius
relative_epsilon · ‖x‖, and no gradient goes through it (Gorton & Lewis 2025, arXiv 2508.17456, toy
models).
"""

import numpy as np
import torch
from torch import Tensor

from interference.kernels.adam import EPS, adam_tensors, corrections
from interference.kernels.columns import TINY
from interference.toy.model import (
    Gradients,
    Pass,
    Perturbation,
    encode,
    gradients,
    norms,
    propagate,
    reconstruct,
)
from interference.toy.sampling import sparse_inputs
from interference.toy.state import ARRAYS, MODES, State


def clean_gradients(W: Tensor, b: Tensor, x: Tensor) -> Gradients:
    """Gradient of the clean loss. W: (S, m, n); b: (S, n); x: (S, n, B)."""
    return gradients(W, x, [(1.0, propagate(W, b, encode(W, x), x))])


def radii(x: Tensor, robust: dict) -> Tensor:
    """L2 radius of each sample, (S, 1, B): of its own norm, or of the mean norm of its batch.

    x: (S, n, B); robust: the spec's ``adversarial``.
    """
    lengths = norms(x)
    if robust["radius"] == "mean":
        lengths = lengths.mean(-1, keepdim=True).expand_as(lengths)
    return robust["relative_epsilon"] * lengths


def steepest_ascent(
    W: Tensor, b: Tensor, x: Tensor, clean: Pass, first: Pass, radius: Tensor, attack: dict
) -> Perturbation:
    """Steps of length relative_step · radius along the gradient Wᵀ c of each sample's loss.

    With G = W Wᵀ, ‖Wᵀ c‖² = cᵀ G c: lengths are taken in m dimensions. A longer perturbation than
    the radius is scaled back. The first gradient is that of ``first``.
    """
    gram, one = W @ W.mT, radius.new_ones(())
    code = shift = torch.zeros_like(clean.hidden)
    for step in range(attack["steps"]):
        point = first if step == 0 else propagate(W, b, clean.hidden + shift, x)
        moved = gram @ point.hidden_error
        length = attack["relative_step"] * radius / _length(point.hidden_error, moved)
        code, shift = code + length * point.hidden_error, shift + length * moved
        if attack["relative_step"] * (step + 1) > 1:
            kept = torch.minimum(radius / _length(code, shift), one)
            code, shift = code * kept, shift * kept
    return Perturbation(code, shift)


def _length(code: Tensor, shift: Tensor) -> Tensor:
    """‖Wᵀ a‖ = √(a · W Wᵀ a), not below TINY. Each (S, m, B); returns (S, 1, B)."""
    return (code * shift).sum(-2, keepdim=True).clamp_min_(0).sqrt_().clamp_min_(TINY)


def worst_output(W: Tensor, b: Tensor, x: Tensor, clean: Pass, radius: Tensor) -> Perturbation:
    """The analytic attack: of ±(Wᵀ W)_i at full radius, what raises each sample's loss most.

    Elhage et al. 2022, "Relationship to Adversarial Robustness". Along (Wᵀ W)_i the code is W_i, and
    with G = W Wᵀ, ‖Wᵀ W_i‖² = (Wᵀ G W)_ii.
    """
    moved = W @ W.mT @ W
    squares = (W * moved).sum(-2)
    worst, index = radius.new_full(radius.shape, -1), radius.new_zeros(radius.shape).long()
    scale = torch.zeros_like(radius)
    for i in range(W.shape[-1]):
        for sign in (1, -1):
            length = sign * radius * squares[:, i, None, None].rsqrt()
            output = reconstruct(W, b, clean.hidden + length * moved[..., i : i + 1])
            error = output.sub_(x).square_().sum(-2, keepdim=True)
            gains = error > worst  # never where the length is infinite: not a number
            worst = torch.where(gains, error, worst)
            index, scale = index.masked_fill(gains, i), torch.where(gains, length, scale)
    index = index.expand_as(clean.hidden)
    return Perturbation(scale * W.gather(-1, index), scale * moved.gather(-1, index))


def robust_gradients(
    W: Tensor, b: Tensor, x: Tensor, noise: Tensor | None, robust: dict
) -> Gradients:
    """Gradient of (1 − weight) · clean + weight · attacked loss, the attack held constant.

    W: (S, m, n); b: (S, n); x: (S, n, B); noise: (S, n, B), added to x where the attack's first
    gradient is taken, or None: that gradient is then the clean backward pass.
    robust: the spec's ``adversarial``.
    """
    clean, radius, attack = propagate(W, b, encode(W, x), x), radii(x, robust), robust["attack"]
    if attack["type"] == "analytic":
        code, shift = worst_output(W, b, x, clean, radius)
    else:
        first = clean if noise is None else propagate(W, b, encode(W, x + noise), x)
        code, shift = steepest_ascent(W, b, x, clean, first, radius, attack)
    attacked = propagate(W, b, clean.hidden + shift, x, code)
    return gradients(W, x, [(1 - robust["weight"], clean), (robust["weight"], attacked)])


class Stepper:
    """Moves a `State`; its arrays follow at `synchronise`."""

    def __init__(self, spec: dict, state: State, device: torch.device):
        self.spec, self.state = spec, state
        self.arrays = {n: torch.from_numpy(state.arrays[n].copy()).to(device) for n in ARRAYS}
        kind = self.arrays["W"].dtype
        self.densities = torch.tensor(spec["densities"], dtype=kind, device=device)

    def step(self, uniforms: np.ndarray, normals: np.ndarray) -> None:
        """One step of every model. uniforms, normals: (K, n, B)."""
        robust, W, b = self.spec["adversarial"], self.arrays["W"], self.arrays["b"]
        u, z = (torch.from_numpy(draw).to(W.device) for draw in (uniforms, normals))
        x = sparse_inputs(u, self.densities).flatten(0, 1)
        deviation = robust["attack"].get("noise", 0)
        noise = deviation * z.repeat(len(self.densities), 1, 1) if deviation > 0 else None
        (W_clean, W_robust), (b_clean, b_robust) = W.chunk(len(MODES)), b.chunk(len(MODES))
        clean = clean_gradients(W_clean, b_clean, x)
        attacked = robust_gradients(W_robust, b_robust, x, noise, robust)
        self.state.steps += 1
        rate, (first, second) = self.spec["learning_rate"], corrections(self.state.steps)
        for name, gradient in zip("Wb", map(torch.cat, zip(clean, attacked))):
            parameter, mean, square = (
                self.arrays[f"{name}{of}"] for of in ("", "_mean", "_square")
            )
            parameter.mul_(1 - rate * self.spec["weight_decay"])
            adam_tensors(parameter, gradient, mean, square, rate * second / first, EPS * second)

    def synchronise(self) -> None:
        """Copy the working arrays into the state's."""
        for name, array in self.arrays.items():
            self.state.arrays[name][:] = array.cpu().numpy()
