"""What every attack on a toy model has to solve, and nothing else of the model.

An attack maximises MSE(x'(x + δ), x) over ‖δ‖₂ ≤ ε. δ acts through W δ alone, and the image of the
ball under W is that of the ball of the m-dimensional v under R = (W Wᵀ)^½, since both have the
covariance W Wᵀ. So with z = Wᵀ W x + b and M = R W the problem is, in m dimensions,

    maximise Σ_i (ReLU(z_i + M_i · v) − x_i)²   over ‖v‖ ≤ ε,

M_i the columns of M, ‖M_i‖ = ‖(Wᵀ W)_i‖. A code a of the hidden space, δ = Wᵀ a, is v = R a.
Everything here is float64, so that bounds mean what they say.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from interference.toy.model import encode

#: Singular values below this share of the largest are taken for zero.
RANK = 1e-12


class Problem(NamedTuple):
    """The attacks' problem on each input of each model of a stack.

    push: M, (S, m, n); clean: z, (S, n, B); target: x, (S, n, B); radius: L2, (S, 1, 1).
    """

    push: Tensor
    clean: Tensor
    target: Tensor
    radius: Tensor


def root(W: Tensor) -> Tensor:
    """R = (W Wᵀ)^½, symmetric. W: (S, m, n); returns (S, m, m)."""
    values, vectors = torch.linalg.eigh(W @ W.mT)
    return vectors * values.clamp(min=0).sqrt().unsqueeze(-2) @ vectors.mT


def pose(W: Tensor, b: Tensor, x: Tensor, epsilon: Tensor) -> Problem:
    """The problem in float64. W: (S, m, n); b: (S, n); x: (S, n, B); epsilon: L2, (S,)."""
    W, b, x = W.double(), b.double(), x.double()
    clean = torch.baddbmm(b.unsqueeze(-1), W.mT, encode(W, x))
    return Problem(root(W) @ W, clean, x, epsilon.double().reshape(-1, 1, 1))


def perturbation(W: Tensor, v: Tensor) -> Tensor:
    """δ = Wᵀ R⁺ v, the shortest with W δ = R v: in the row space of W and no longer than v.

    With W = U S Vᵀ it is V Uᵀ v, less directions of no singular value. W: (S, m, n) float64;
    v: (S, m, B); returns (S, n, B).
    """
    U, S, Vt = torch.linalg.svd(W, full_matrices=False)
    kept = S.gt(RANK * S[:, :1]).unsqueeze(-1)
    return Vt.mT @ (U.mT @ v * kept)


def preactivations(problem: Problem, v: Tensor) -> Tensor:
    """z + Mᵀ v. v: (S, m, B); returns (S, n, B)."""
    return torch.baddbmm(problem.clean, problem.push.mT, v)


def losses(problem: Problem, v: Tensor) -> Tensor:
    """Squared error of each input, mean over features. v: (S, m, B); returns (S, B)."""
    return preactivations(problem, v).relu_().sub_(problem.target).square_().mean(-2)


def gradient(problem: Problem, v: Tensor) -> Tensor:
    """Half the gradient of the summed squared error by v: M e, e = (x' − x) · [x' > 0].

    v: (S, m, B); returns (S, m, B).
    """
    output = preactivations(problem, v).relu_()
    alive = output.sign()
    return problem.push @ output.sub_(problem.target).mul_(alive)


def better(problem: Problem, v: Tensor, other: Tensor) -> Tensor:
    """Of two perturbations of each input, the one with the larger loss. Each (S, m, B)."""
    gains = losses(problem, other) > losses(problem, v)
    return torch.where(gains.unsqueeze(-2), other, v)
