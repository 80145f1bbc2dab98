"""Is a robust model more than a shorter one? Clean-trained models, shrunk.

W of each clean-trained model is scaled to the Frobenius norm of the adversarially trained model of
its density and seed, and b alone is fitted again. Directions, and so the learned features, stay
those of clean training: the robustness that a shrunk model gains needs no other superposition.

Given W, each output is a problem in its own b: minimise Σ_s (ReLU(z_s + b) − x_s)² with z = Wᵀ W x.
With z sorted, largest first, the first k inputs are alive for b in [−z_k, −z_{k+1}] and the loss is

    k (b − d̄_k)² + Σ_{s ≤ k} (d_s − d̄_k)² + Σ_{s > k} x_s²,

d = x − z, d̄_k the mean of its first k. It is least at d̄_k clipped to that interval, and the least
over k is the global minimum, without any descent. An output that is better dead is the left end of
k = 1. Each term is a sum of squares, so nothing is lost by cancellation where losses are compared.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from interference.compute import generator
from interference.toy import sampling

#: Name of these models, beside the modes that are trained.
SHRUNK = "shrunk"


def shrunk(
    W: Tensor, index: dict[str, np.ndarray], samples: int
) -> tuple[Tensor, Tensor, dict[str, np.ndarray]]:
    """W (K, m, n), b (K, n) and index of the stack's K clean-trained models, shrunk; float64.

    W: (S, m, n); index: training, density and seed, each (S,); samples: fresh inputs that b is
    fitted to, of the model's own density and seed.
    """
    pairs = list(zip(index["density"].tolist(), index["seed"].tolist()))
    clean = np.flatnonzero(index["training"] == "clean")
    robust = {pairs[i]: i for i in np.flatnonzero(index["training"] == "adversarial")}
    norm = W.double().norm(dim=(-2, -1), keepdim=True)
    scale = norm[[robust[pairs[i]] for i in clean]] / norm[clean]
    W = W[clean].double() * scale
    # A model at a time: the sums of one are n × samples.
    b = [refit(w, inputs(W.shape[-1], *pairs[i], samples)) for w, i in zip(W, clean)]
    mine = {name: values[clean] for name, values in index.items()}
    return W, torch.stack(b), mine | {"training": np.full(len(clean), SHRUNK)}


def inputs(features: int, density: float, seed: int, samples: int) -> Tensor:
    """Inputs of one density from the refit's own random stream, (n, B) float64."""
    u = torch.rand(features, samples, generator=generator(seed, sampling.REFIT))
    return sampling.sparse_inputs(u, torch.tensor([density]))[0].double()


def refit(W: Tensor, x: Tensor) -> Tensor:
    """The b of least squared error on inputs x, exactly, (n,). W: (m, n); x: (n, B); float64."""
    return best_bias(W.mT @ (W @ x), x)


def best_bias(z: Tensor, x: Tensor) -> Tensor:
    """argmin over b of Σ_s (ReLU(z_s + b) − x_s)² for each output. z, x: (n, B); returns (n,)."""
    z, order = z.sort(descending=True)
    x = x.gather(-1, order)
    d = x - z
    k = torch.arange(1, z.shape[-1] + 1, dtype=z.dtype)
    mean = d.cumsum(-1) / k
    # Welford 1962: what value k adds to the squared deviations of those before it.
    added = (d[:, 1:] - mean[:, :-1]).square() * (k[:-1] / k[1:])
    alive = pad(added, (1, 0)).cumsum(-1)
    dead = pad(x[:, 1:].square(), (0, 1)).flip(-1).cumsum(-1).flip(-1)
    b = mean.clamp(-z, pad(-z[:, 1:], (0, 1), value=torch.inf))
    loss = k * (b - mean).square() + alive + dead
    return b.gather(-1, loss.argmin(-1, keepdim=True)).squeeze(-1)
