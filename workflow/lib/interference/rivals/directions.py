"""Where attacks point beside where class vectors say.

To first order a change of pixels δ raises logit b over logit a by δ · g_ab, with g_ab the gradient of
their difference: Jᵀ (W_b − W_a), J the Jacobian of the bottleneck. For an image of class y the geometry
of class vectors names one direction before any attack: g_yt, where t is the class whose vector is
nearest to W_y. Its control permutes class vectors among classes, and takes the direction that the
permuted geometry names: over all permutations the mean is that over the classes a of g_a,near(a). The
stricter control keeps the own class and takes the mean over all others.
"""

import torch
from torch import Tensor

from interference.rivals.geometry import nearest
from interference.rivals.network import Stack

#: Keeps the cosine of no change finite.
TINY = 1e-12


def gradients(stack: Stack, x: Tensor) -> Tensor:
    """Return the gradient of every logit: x (S, n, pixels) → (S, n, C, pixels)."""
    to_logits = stack.W if stack.A is None else stack.W @ stack.A.mT
    awake = (stack.hidden(x) > 0).to(x.dtype)
    gated = awake[:, :, None] * to_logits[:, None]
    return (gated.flatten(1, 2) @ stack.U.mT).unflatten(1, gated.shape[1:3])


def towards(gradient: Tensor, change: Tensor) -> Tensor:
    """Return the cosine of a change with every difference of gradients: entry [a, b] from a to b.

    gradient: (..., C, pixels); change: (..., pixels). Returns (..., C, C) float64, 0 from a to a.
    """
    gradient, change = gradient.double(), change.double()
    along = (gradient @ change[..., None]).squeeze(-1)
    products = gradient @ gradient.mT
    squares = products.diagonal(dim1=-2, dim2=-1)
    distance = (squares[..., None] + squares[..., None, :] - 2 * products).clamp_min(0).sqrt()
    scale = distance * change.norm(dim=-1)[..., None, None]
    return (along[..., None, :] - along[..., :, None]) / scale.clamp_min(TINY)


def predicted(cosine: Tensor, labels: Tensor, gram: Tensor) -> dict[str, Tensor]:
    """Return what `towards` gives for the geometry's direction and for its two controls: (n,) each.

    cosine: (n, C, C); labels: (n,) int64; gram: (C, C).
    """
    rows, near = torch.arange(len(labels)), nearest(gram)
    classes = torch.arange(len(gram))
    return {
        "cosine": cosine[rows, labels, near[labels]],
        "cosine_shuffled": cosine[:, classes, near].mean(1),
        "cosine_other": cosine[rows, labels].sum(1) / (len(gram) - 1),
    }
