"""The bound holds for every perturbation, and is tight where it says so."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from interference.toy.attacks.every import every, worst_losses
from interference.toy.bound import bound, exact, menu, reach
from interference.toy.problem import losses
from tests.support.stacks import SPEC, generator, problem, random_points

TOLERANCE = 1e-6


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    epsilon=st.floats(1e-4, 10),
    scale=st.floats(1e-2, 3),
    bias=st.floats(0, 3),
    features=st.integers(2, 16),
    hidden=st.integers(1, 6),
)
def test_no_perturbation_exceeds_the_bound(seed, epsilon, scale, bias, features, hidden):
    # 2 models × 16 inputs an example, each against five attacks and forty random points.
    posed = problem(seed, epsilon, scale=scale, bias=bias, features=features, hidden=hidden)
    found = every(posed, generator(seed), SPEC)
    most = bound(posed, found["strongest"])
    for v in (*found.values(), *random_points(posed, 40, generator(seed + 1))):
        assert (losses(posed, v) <= most).all()


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), epsilon=st.floats(1e-3, 5))
def test_every_quadratic_of_the_menu_is_above_the_error_on_its_interval(seed, epsilon):
    posed = problem(seed, epsilon)
    _, crossing = exact(posed)
    options = menu(posed, crossing)
    rho = reach(posed).expand_as(crossing)[crossing]
    z, x = posed.clean[crossing], posed.target[crossing]
    for share in torch.linspace(-1, 1, 41).double():
        t = share * rho
        above = options.curvature * t.square() + options.slope * t + options.constant
        error = ((z + t).relu() - x).square()
        assert (above - error >= -1e-12 * (1 + error)).all()


def test_a_wrong_guess_loosens_the_bound_but_does_not_break_it():
    posed = problem(1, 0.4)
    strongest = every(posed, generator(), SPEC)["strongest"]
    assert (bound(posed, -strongest) >= losses(posed, strongest)).all()


def test_where_no_relu_changes_state_the_bound_is_tight():
    posed = problem(2, 0.1)
    posed = posed._replace(clean=posed.clean + posed.clean.sign() * 5)
    assert not exact(posed)[1].any()
    found = worst_losses(posed, generator(), SPEC)
    torch.testing.assert_close(found["bound"], found["strongest"], rtol=TOLERANCE, atol=0)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), epsilon=st.floats(1e-3, 5))
def test_for_a_single_output_the_bound_is_tight(seed, epsilon):
    posed = problem(seed, epsilon, features=1, hidden=1)
    found = worst_losses(posed, generator(seed), SPEC)
    torch.testing.assert_close(found["bound"], found["strongest"], rtol=TOLERANCE, atol=1e-15)


def test_the_models_of_a_stack_are_bounded_alone():
    posed = problem(3, 0.4)
    guess = torch.zeros_like(posed.push @ posed.target)
    alone = type(posed)(*(field[1:] for field in posed))
    torch.testing.assert_close(bound(posed, guess)[1:], bound(alone, guess[1:]))
