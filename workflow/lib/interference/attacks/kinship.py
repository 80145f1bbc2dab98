"""How alike two networks see the same images: linear CKA (Kornblith et al. 2019), without bias.

The plain index of few images in many dimensions is near 1 whatever the networks are, so each of its three
terms is the unbiased estimator of HSIC (Song et al. 2012, eq. 5; Nguyen et al. 2021, section 2.2): 1 of equal
geometries, also rotated, shifted or scaled, and 0 on average of independent ones.
"""

from torch import Tensor


def gram(activations: Tensor) -> Tensor:
    """Return inner products of images less each one's own: (n, n) float64, zero on the diagonal.

    activations: (n, ...), all positions of an image are its features; their mean is taken off, which
    changes nothing but rounding.
    """
    rows = activations.flatten(1).double()
    rows = rows - rows.mean(0)
    return (rows @ rows.T).fill_diagonal_(0)


def hsic(a: Tensor, b: Tensor) -> float:
    """Return the unbiased estimator of HSIC of two `gram` matrices of n > 3 images."""
    n = len(a)
    trace = (a * b).sum()
    sums = a.sum() * b.sum() / ((n - 1) * (n - 2))
    rows = 2 * (a.sum(0) @ b.sum(0)) / (n - 2)
    return float((trace + sums - rows) / (n * (n - 3)))


def cka(a: Tensor, b: Tensor) -> float:
    """Return the CKA of two `gram` matrices of the same images, at most 1; NaN of a constant one."""
    own = hsic(a, a) * hsic(b, b)
    return hsic(a, b) / own**0.5 if own > 0 else float("nan")
