"""Another layout of directions: the same norms and singular values, and else at random.

From a random start the nearest matrix of these singular values and the nearest one of these norms are
taken in turn, until it has both (Tropp et al. 2005, "Designing structured tight frames via an
alternating projection method", section III).
"""

import torch
from torch import Tensor

#: How far a singular value may be off, over the largest, and after how many turns that is given up.
TOLERANCE, ROUNDS = 1e-6, 20_000


def turned(V: Tensor, draw: torch.Generator) -> Tensor:
    """Return an orthogonal matrix for each direction, which turns it to its place in another layout.

    V: (n, m) float64; returns (n, m, m): the rows V_j @ turned_j are `laid_out`.
    """
    before, after = (_bases(directions, draw) for directions in (V, laid_out(V, draw)))
    return before.mT @ after


def laid_out(V: Tensor, draw: torch.Generator) -> Tensor:
    """Return random directions of the norms and singular values of V: (n, m) float64 → (n, m).

    Norms are exact, singular values within `TOLERANCE`. Raises ArithmeticError where `ROUNDS` do not get
    there.
    """
    norms, values = V.norm(dim=1, keepdim=True), torch.linalg.svdvals(V)
    rows = torch.randn(V.shape, generator=draw, dtype=V.dtype)
    for _ in range(ROUNDS):
        rows = norms * torch.nn.functional.normalize(rows, dim=1)
        left, found, right = torch.linalg.svd(rows, full_matrices=False)
        if (found - values).abs().max() <= TOLERANCE * values[0]:
            return rows
        rows = left * values @ right
    raise ArithmeticError(f"no layout of {len(V)} directions was found in {ROUNDS} rounds")


def _bases(V: Tensor, draw: torch.Generator) -> Tensor:
    """Orthonormal bases whose first vector is each direction's, the others at random: (n, m, m), rows."""
    n, m = V.shape
    columns = torch.randn(n, m, m, generator=draw, dtype=V.dtype)
    columns[:, :, 0] = V
    Q, R = torch.linalg.qr(columns)
    signs = torch.where(R.diagonal(dim1=1, dim2=2) < 0, -1.0, 1.0)  # a direction of 0 has none
    return (Q * signs[:, None]).mT
