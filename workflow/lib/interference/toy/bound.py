"""A certified upper bound on the loss that any perturbation of the ball can cause.

Output i moves by t = M_i · v, |t| ≤ ρ_i = ε ‖M_i‖. On that interval its squared error is majorised
by a quadratic a t² + β t + c with 0 ≤ a ≤ 1, and the sum of the quadratics is maximised exactly on
the ball. Where no ReLU changes state the majorant is the error itself and the bound is tight.

Elsewhere, with s = z + t from −l to h, the error less x² is 0 for s ≤ 0 and s² − 2 x s above. For
each curvature a and slope β the least constant that keeps a quadratic above it is known; *any* of
them gives a valid bound. Choosing well is a game: we pick a quadratic an output and input from a
menu, the adversary answers with the maximiser v. We play what would have cost least against all its
answers so far (fictitious play, Robinson 1951), the first being what the attacks found, and keep
the least bound, or Σ_i of each output's own worst error where that is less (a single output).
"""

from typing import NamedTuple

import torch
from torch import Tensor

from interference.toy.attacks.trust_region import weighted
from interference.toy.problem import Problem

#: The menu: curvatures a and, as a share of the slope that touches the right end, slopes β.
CURVATURES = tuple(i / 12 for i in range(13))
SLOPES = (0.0, 0.5, 1.0)
#: Rounds of the game; spread of the adversary's first answer, over ρ.
ROUNDS, SPREAD = 5, 0.2
#: Relative allowance for rounding in float64.
ROUNDING = 1e-11
#: Keeps a division by an interval of no length finite; such an interval is never used.
TINY = 1e-300


class Quadratics(NamedTuple):
    """curvature · t² + slope · t + constant, of one shape that the tensors broadcast to."""

    curvature: Tensor
    slope: Tensor
    constant: Tensor


def bound(problem: Problem, guess: Tensor) -> Tensor:
    """Upper bound on the loss (squared error, mean over features) of each input, (S, B) float64.

    guess: where the worst point may lie, (S, m, B); it tightens the bound and cannot break it.
    """
    # A model at a time, for its menu is some forty times the size of its inputs.
    models = [Problem(*(field[i : i + 1] for field in problem)) for i in range(len(guess))]
    return torch.cat([_play(model, v) for model, v in zip(models, guess.split(1))])


def _play(problem: Problem, guess: Tensor) -> Tensor:
    """The bound on one model of the stack, (1, B)."""
    least, (board, crossing) = separable(problem), exact(problem)
    options = menu(problem, crossing)
    mean = problem.push.mT @ guess
    square = mean.square() + (SPREAD * reach(problem)).square()
    for answers in range(2, ROUNDS + 2):
        chosen = _cheapest(options, mean[crossing], square[crossing])
        for entry, value in zip(board, chosen):
            entry[crossing] = value
        v, most = weighted(problem, board.curvature, board.slope / 2)
        least = torch.minimum(least, most + board.constant.sum(-2))
        t = problem.push.mT @ v
        mean.lerp_(t, 1 / answers)
        square.lerp_(t.square(), 1 / answers)
    return least * (1 + ROUNDING) / problem.target.shape[-2]


def reach(problem: Problem) -> Tensor:
    """ρ, the furthest that each pre-activation can move, (S, n, 1)."""
    return problem.radius * problem.push.norm(dim=-2).unsqueeze(-1)


def separable(problem: Problem) -> Tensor:
    """Sum over outputs of each one's largest error alone, at an end of its interval. (S, B)."""
    rho = reach(problem)
    ends = [(problem.clean + end).relu_().sub_(problem.target).square_() for end in (-rho, rho)]
    return torch.maximum(*ends).sum(-2)


def exact(problem: Problem) -> tuple[Quadratics, Tensor]:
    """The errors that are quadratics on their interval, and which are not: crossing, each (S, n, B).

    An output that stays alive has (z + t − x)², a dead one x². Where it crosses, nothing yet.
    """
    z, x, rho = problem.clean, problem.target, reach(problem)
    alive = z >= rho
    slope = torch.where(alive, 2 * (z - x), 0)
    constant = torch.where(alive, z - x, x).square()
    return Quadratics(alive.to(z.dtype), slope, constant), z.abs() < rho


def menu(problem: Problem, crossing: Tensor) -> Quadratics:
    """K quadratics above the error of each of N crossing outputs: (K, 1), (K, N) and (K, N).

    crossing: (S, n, B), N of them true.
    """
    rho = reach(problem).expand_as(crossing)[crossing]
    z, x = problem.clean[crossing], problem.target[crossing]
    left, right = rho - z, rho + z
    options = []
    for a in CURVATURES:
        end = (1 - a) * right.square() - 2 * x * right
        touching = _touching_slope(a, left, right, end)
        for beta in (share * touching for share in SLOPES):
            gamma = x.square() + _least_constant(a, beta, left, right, end)
            # From s = z + t back to t.
            options.append((z.new_tensor([a]), beta + 2 * a * z, gamma + z * (beta + a * z)))
    return Quadratics(*(torch.stack(column) for column in zip(*options)))


def _cheapest(options: Quadratics, mean: Tensor, square: Tensor) -> Quadratics:
    """Of K options, for each output the one of least mean. mean, square: of t and t², (N,)."""
    price = options.curvature * square + options.slope * mean + options.constant
    best = price.argmin(0, keepdim=True)
    return Quadratics(*(o.expand_as(price).gather(0, best).squeeze(0) for o in options))


def _touching_slope(a: float, left: Tensor, right: Tensor, end: Tensor) -> Tensor:
    """β of the line above −a s² on [−left, 0] through (right, end), as low as it can be at 0."""
    rise = end.clamp(min=0)
    chord = (rise + a * left.square()) / (left + right).clamp(min=TINY)
    tangent = 2 * a * ((right.square() + rise / a).sqrt() - right) if a else chord
    steep = torch.where(tangent > 2 * a * left, chord, tangent)
    return torch.where(end > 0, steep, end / right.clamp(min=TINY))


def _least_constant(a: float, beta: Tensor, left: Tensor, right: Tensor, end: Tensor) -> Tensor:
    """The least γ with β s + γ ≥ −a s² on [−left, 0] and ≥ (1 − a) s² − 2 x s on [0, right].

    The second is convex: its ends 0 and ``end`` decide.
    """
    # The first is worst at s = −β / 2a, cut to the interval, or at 0 where β < 0.
    worst = torch.minimum(beta.clamp(min=0) / (2 * a), left) if a else left * (beta > 0)
    gamma = torch.maximum((beta - a * worst) * worst, end - beta * right)
    return gamma.clamp_(min=0)
