"""How much each feature of a layer is about one thing, and how much of that its sparsity explains.

A feature is a column of activations a ≥ 0 over images: a hidden unit, or a latent. Two proxies, since no
measure of meaning is there without a judge:

    selectivity   1 − H(p) / ln C, with p_c ∝ the mean of a over the images of class c: 0 of a feature that
                  answers all classes alike, 1 of one that answers a single class
    coherence     Σ a_i a_j cos(x_i, x_j) / Σ a_i a_j over pairs of images i ≠ j, x centred pixels: how alike
                  images are that it answers together (the MonoSemanticity score of Pach et al. 2025, arXiv 2504.02821,
                  there of an image encoder's embeddings); labels play no part

Whatever is sparser answers fewer images, and those are more alike. So each feature stands beside random
directions of the same layer that are active on as many images: a_i = max(0, h_i · r − t), r Gaussian and t
such that they are.
"""

import torch
from torch import Tensor

#: A feature counts if it is active on this share of the images.
LIVING = 0.01
#: Random directions per feature.
DRAWS = 4


def selectivity(a: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Return it per feature: a (n, K), labels (n,) int64 → (K,) float64; NaN of one that is never active.

    Classes without images have no share.
    """
    sums = torch.zeros(classes, a.shape[1], dtype=torch.float64).index_add_(0, labels, a.double())
    means = sums / torch.bincount(labels, minlength=classes).clamp_min(1)[:, None]
    share = means / means.sum(0)
    return 1 + torch.special.xlogy(share, share).sum(0) / torch.tensor(classes).double().log()


def coherence(a: Tensor, x: Tensor) -> Tensor:
    """Return it per feature: a (n, K), x (n, pixels) → (K,) float64; NaN where no two images are answered."""
    centred = x.double() - x.double().mean(0)
    unit = torch.nn.functional.normalize(centred, dim=1)
    a = a.double()
    own = a.square().sum(0)
    answered = a.sum(0).square() - own
    together = (unit.mT @ a).square().sum(0) - own
    # one image alone leaves rounding behind
    return together / answered.where((a > 0).sum(0) > 1, torch.nan)


def as_sparse(h: Tensor, a: Tensor, draw: torch.Generator) -> Tensor:
    """Return random directions of h (n, H) that are active on as many images as each feature of a (n, K):
    (n, K). One that is active on all images stands beside one that is on all but one."""
    z = h @ torch.randn(h.shape[1], a.shape[1], generator=draw)
    active = (a > 0).sum(0).clamp_max(len(a) - 1)
    threshold = z.sort(0, descending=True).values.gather(0, active[None])
    return (z - threshold).relu()


def interpreted(
    h: Tensor, a: Tensor, x: Tensor, labels: Tensor, classes: int, draw: torch.Generator
) -> dict[str, float]:
    """Return what features come to, means over those that are `LIVING`, and random directions beside them.

    h: (n, H), of the layer; a: (n, K), features; x: (n, pixels); labels: (n,). draw: of the directions.
    living: how many; active: their share of images; selectivity, coherence; selectivity_random,
    coherence_random. NaN where none lives.
    """
    a = a[:, (a > 0).double().mean(0) >= LIVING]
    beside = as_sparse(h, a.repeat(1, DRAWS), draw)
    found = {"living": float(a.shape[1]), "active": float((a > 0).double().mean())}
    for suffix, rows in (("", a), ("_random", beside)):
        found[f"selectivity{suffix}"] = float(selectivity(rows, labels, classes).mean())
        found[f"coherence{suffix}"] = float(coherence(rows, x).mean())
    return found
