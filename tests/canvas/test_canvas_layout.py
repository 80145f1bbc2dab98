"""Another layout of directions: the same norms and singular values, and else at random."""

import pytest
import torch

from interference.canvas.layout import laid_out, turned
from interference.canvas.measures import squared_cosines
from interference.compute import generator
from tests.support.canvases import tight_frame


def directions(n, m, seed=0):
    """Gaussian directions whose norms differ by a factor of four."""
    norms = torch.linspace(0.5, 2, n, dtype=torch.float64)
    drawn = torch.randn(n, m, generator=generator(seed, n, m), dtype=torch.float64)
    return norms[:, None] * torch.nn.functional.normalize(drawn, dim=1)


def distinct(found, V):
    """Whether cosines between directions are others."""
    a, b = (torch.nn.functional.normalize(each, dim=1) for each in (found, V))
    return (a @ a.T - b @ b.T).norm() > 0.3 * (b @ b.T).fill_diagonal_(0).norm()


@pytest.mark.parametrize(("n", "m"), [(6, 3), (36, 12), (12, 12)])
def test_norms_and_singular_values_are_kept_and_cosines_are_not(n, m):
    V = directions(n, m)
    found = laid_out(V, generator(1))
    torch.testing.assert_close(found.norm(dim=1), V.norm(dim=1))
    torch.testing.assert_close(
        torch.linalg.svdvals(found), torch.linalg.svdvals(V), rtol=1e-4, atol=1e-5
    )
    assert distinct(found, V)


def test_a_tight_frame_becomes_another_of_the_same_sum_of_squared_cosines():
    V = tight_frame(12, 6).double()
    found = laid_out(V, generator(2))
    torch.testing.assert_close(
        squared_cosines(found), torch.ones(12, dtype=torch.float64), rtol=1e-3, atol=1e-3
    )
    assert distinct(found, V)


def test_orthogonal_directions_stay_orthogonal():
    """Nothing but their norms and spectrum is kept, and of these there is no other layout with overlap."""
    V = torch.diag(torch.tensor([3.0, 3.0, 3.0, 3.0], dtype=torch.float64))
    found = laid_out(V, generator(3))
    torch.testing.assert_close(found @ found.T, V @ V.T, atol=1e-4, rtol=0)


def test_turns_are_orthogonal_and_bring_each_direction_to_its_place():
    V = directions(8, 5)
    turns = turned(V, generator(4))
    torch.testing.assert_close(
        turns @ turns.mT, torch.eye(5, dtype=torch.float64).expand(8, 5, 5), atol=1e-12, rtol=0
    )
    moved = torch.einsum("nm,nmk->nk", V, turns)
    torch.testing.assert_close(moved, laid_out(V, generator(4)))


def test_layouts_of_other_draws_differ_and_of_the_same_do_not():
    V = directions(6, 3)
    assert torch.equal(laid_out(V, generator(5)), laid_out(V, generator(5)))
    assert distinct(laid_out(V, generator(5)), laid_out(V, generator(6)))


def test_what_no_layout_can_have_is_an_error():
    V = torch.full((3, 2), float("nan"), dtype=torch.float64)
    with pytest.raises((ArithmeticError, torch.linalg.LinAlgError)):
        laid_out(V, generator(0))
