"""How much superposition a stack of toy models holds, from its weights alone.

W is (S, m, n), features are its columns W_i; every measure is (S,) float64.

Features per dimension is ‖W‖²_F / m, the inverse of Elhage et al. 2022's D* = m/‖W‖²_F. It mixes
how many features are learned with how long their vectors are, so count, length and the scale-free
dimensionality stand beside it.
"""

from torch import Tensor


def squared_norms(W: Tensor) -> Tensor:
    """‖W_i‖² of each feature. W: (S, m, n); returns (S, n) float64."""
    return W.double().square().sum(-2)


def learned(W: Tensor) -> Tensor:
    """Which features are learned: ‖W_i‖² > ½ max_j ‖W_j‖². W: (S, m, n); returns (S, n) bool.

    Means nothing near density 1, where the basis of the hidden space is free.
    """
    squared = squared_norms(W)
    return squared > squared.amax(-1, keepdim=True) / 2


def features_per_dimension(W: Tensor) -> Tensor:
    """‖W‖²_F / m (Elhage et al. 2022, "The Geometry of Superposition").

    W: (S, m, n); returns (S,).
    """
    return squared_norms(W).sum(-1) / W.shape[-2]


def learned_features_per_dimension(W: Tensor) -> Tensor:
    """Count of learned features over m. W: (S, m, n); returns (S,)."""
    return learned(W).double().sum(-1) / W.shape[-2]


def dimensionality(W: Tensor) -> Tensor:
    """Mean over the learned features of D_i = ‖W_i‖⁴ / Σ_j (W_i · W_j)².

    D_i is the share of a dimension that feature i has to itself (Elhage et al. 2022, "The Geometry
    of Superposition"). W: (S, m, n); returns (S,).
    """
    W = W.double()
    overlaps = (W.mT @ W).square_().sum(-1)
    return _mean_of_learned(W, squared_norms(W).square_() / overlaps)


def learned_norm(W: Tensor) -> Tensor:
    """Mean ‖W_i‖ of the learned features. W: (S, m, n); returns (S,)."""
    return _mean_of_learned(W, squared_norms(W).sqrt_())


def interference(W: Tensor) -> Tensor:
    """Mean of (Wᵀ W)_ij² over ordered pairs i ≠ j. W: (S, m, n); returns (S,)."""
    n = W.shape[-1]
    W = W.double()
    total = (W.mT @ W).square_().sum(dim=(-2, -1))
    return (total - squared_norms(W).square_().sum(-1)) / (n * (n - 1))


def _mean_of_learned(W: Tensor, values: Tensor) -> Tensor:
    mask = learned(W)
    return values.where(mask, 0).sum(-1) / mask.sum(-1)
