"""Training of all densities, seeds and training modes as one stack.

Adam at a constant rate on fresh samples. W starts Xavier normal as in Elhage et al. 2022 and
b at p/2, the best constant at p = 1: from b = 0 some outputs die there and never return.

The robust loss is (1 − weight) · clean + weight · attacked, with the one-step attack of radius
relative_epsilon · ‖x‖ a sample, and no gradient through the attack (Gorton & Lewis 2025, arXiv
2508.17456, toy models).

A seed has random streams of its own, shared by its densities and modes, so a model's weights do
not depend on which others are trained beside it.
"""

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from interference.compute import generator
from interference.progress import track
from interference.store.files import sha256, write_json
from interference.store.tensors import write_tensors
from interference.toy import sampling
from interference.toy.model import Gradients, Perturbation, encode, gradients, norms, propagate

#: Halves of the stack; within each, densities, and within a density, seeds.
MODES = ("clean", "adversarial")
#: Norm of a gradient below which it is taken for zero; the perturbation then vanishes with it.
TINY = 1e-12


class Adam:
    """Adam (Kingma & Ba 2015) at a constant rate, in place on a list of parameters."""

    def __init__(self, parameters: list[Tensor], rate: float):
        self.parameters = parameters
        self.rate = rate
        self.steps = 0
        self.means = [torch.zeros_like(p) for p in parameters]
        self.squares = [torch.zeros_like(p) for p in parameters]

    def step(
        self, gradients: list[Tensor], betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
    ) -> None:
        """Move each parameter; gradients have the parameters' order and shapes."""
        self.steps += 1
        mean_rate = self.rate / (1 - betas[0] ** self.steps)
        square_scale = math.sqrt(1 - betas[1] ** self.steps)
        for p, g, mean, square in zip(self.parameters, gradients, self.means, self.squares):
            mean.lerp_(g, 1 - betas[0])
            square.mul_(betas[1]).addcmul_(g, g, value=1 - betas[1])
            p.addcdiv_(mean, square.sqrt().div_(square_scale).add_(eps), value=-mean_rate)


def initial(spec: dict) -> tuple[Tensor, Tensor]:
    """Initial weights of the stack.

    W, (S, m, n): Xavier normal, the same at every density and mode of a seed;
    b, (S, n): half the density.
    """
    n, m = spec["features"], spec["hidden"]
    copies = len(MODES) * len(spec["densities"])
    deviation = math.sqrt(2 / (n + m))
    draws = [torch.randn(m, n, generator=generator(s, sampling.INIT)) for s in spec["seeds"]]
    W = (torch.stack(draws) * deviation).repeat(copies, 1, 1)
    b = torch.tensor(spec["densities"]).repeat_interleave(len(spec["seeds"])).repeat(len(MODES)) / 2
    return W, b.unsqueeze(-1).repeat(1, n)


def clean_gradients(W: Tensor, b: Tensor, x: Tensor) -> Gradients:
    """Gradient of the clean loss. W: (S, m, n); b: (S, n); x: (S, n, B)."""
    return gradients(W, x, [(1.0, propagate(W, b, encode(W, x), x))])


def steepest_ascent(W: Tensor, hidden_error: Tensor, radius: Tensor) -> Perturbation:
    """The perturbation of length ``radius`` along the gradient Wᵀ c of each sample's loss.

    With G = W Wᵀ, ‖Wᵀ c‖² = cᵀ G c: the direction is normalised in m dimensions.

    W: (S, m, n); hidden_error: c, (S, m, B); radius: L2, (S, 1, 1) or (S, 1, B).
    """
    shift = (W @ W.mT) @ hidden_error
    squared = (hidden_error * shift).sum(-2, keepdim=True)
    scale = radius / squared.clamp_min_(0).sqrt_().clamp_min_(TINY)
    return Perturbation(hidden_error * scale, shift.mul_(scale))


def robust_gradients(
    W: Tensor, b: Tensor, x: Tensor, radius: Tensor, weight: float, noise: Tensor | None
) -> Gradients:
    """Gradient of (1 − weight) · clean + weight · attacked loss, the attack held constant.

    W: (S, m, n); b: (S, n); x: (S, n, B); radius: L2, (S, 1, B); noise: (S, n, B), added to x
    where the attack's gradient is taken, or None: that gradient is then the clean backward pass.
    """
    clean = propagate(W, b, encode(W, x), x)
    point = clean if noise is None else propagate(W, b, encode(W, x + noise), x)
    code, shift = steepest_ascent(W, point.hidden_error, radius)
    attacked = propagate(W, b, clean.hidden + shift, x, code)
    return gradients(W, x, [(1 - weight, clean), (weight, attacked)])


def train(spec: dict) -> tuple[Tensor, Tensor]:
    """Train the stack that a spec describes. Returns W (S, m, n) and b (S, n), float32."""
    densities, robust = torch.tensor(spec["densities"]), spec["adversarial"]
    size = (spec["features"], spec["batch_size"])
    samples = [generator(s, sampling.TRAINING) for s in spec["seeds"]]
    noises = [generator(s, sampling.TRAINING_NOISE) for s in spec["seeds"]]
    W, b = initial(spec)
    (W_clean, W_robust), (b_clean, b_robust) = W.chunk(2), b.chunk(2)
    adam = Adam([W_clean, b_clean, W_robust, b_robust], spec["learning_rate"])
    for _ in track(range(spec["steps"]), total=spec["steps"], label="toy models"):
        x = sampling.sparse_inputs(sampling.uniforms(samples, *size), densities).flatten(0, 1)
        noise = None
        if robust["noise"] > 0:
            z = sampling.normals(noises, *size) * robust["noise"]
            noise = z.repeat(len(densities), 1, 1)
        radius = robust["relative_epsilon"] * norms(x)
        adam.step(
            [
                *clean_gradients(W_clean, b_clean, x),
                *robust_gradients(W_robust, b_robust, x, radius, robust["weight"], noise),
            ]
        )
    return W, b


def index(spec: dict) -> dict[str, np.ndarray]:
    """What each model of the stack is: mode (index into MODES), density and seed, each (S,)."""
    mode, density, seed = np.meshgrid(
        np.arange(len(MODES)), spec["densities"], spec["seeds"], indexing="ij"
    )
    return {"mode": mode.ravel(), "density": density.ravel(), "seed": seed.ravel()}


def fit(spec: dict, output: Path) -> None:
    """Train the stack; write its weights beside ``output`` and then ``output``, their manifest.

    spec: `Specs.toy_models`; output: …/toy/models.json, weights in …/toy/models.safetensors.
    """
    W, b = train(spec)
    weights = output.with_suffix(".safetensors")
    write_tensors(weights, {"W": W.numpy(), "b": b.numpy(), **index(spec)}, spec)
    write_json(
        output,
        {
            "spec": spec,
            "modes": list(MODES),
            "densities": spec["densities"],
            "seeds": spec["seeds"],
            "sha256": sha256(weights),
        },
    )
