"""Auto-PGD, Square and the ensemble on linear networks, whose worst perturbation is known."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from interference.attacks.auto import checkpoints
from interference.attacks.methods.square import FIRST_SHARE, share
from interference.attacks.norms import norm_of
from interference.attacks.victim import Victim
from tests.attacks.test_attack_methods import NORMS, images, perturb

CLASSES = 5
SHAPE = (1, 6, 6)
EPSILONS = {"l2": 0.35, "linf": 0.05}
ENSEMBLE = {"steps": 30, "restarts": 1, "targets": 4, "queries": 300}


class Linear:
    """Logits W x, in float64."""

    def __init__(self, seed, classes):
        random = torch.Generator().manual_seed(seed)
        self.w = torch.randn((classes, *SHAPE), generator=random).double()

    def __call__(self, x):
        return torch.einsum("nijk,cijk->nc", x.double(), self.w)

    def worst_margin(self, x, labels, epsilon, norm):
        """The highest margin within the ball, where no pixel reaches a bound: (n,)."""
        logits = self(x)
        away = self.w[None] - self.w[labels][:, None]  # (n, c, ...), what each class gains
        gains = torch.linalg.vector_norm(away.flatten(2), ord={"l2": 2, "linf": 1}[norm], dim=2)
        margins = logits - logits.gather(1, labels[:, None]) + epsilon * gains
        return margins.scatter(1, labels[:, None], -torch.inf).amax(1)


def case(seed, classes=CLASSES):
    network = Linear(seed, classes)
    x = images((6, *SHAPE), seed, saturated=False)
    return Victim(network, network(x).argmax(1)), x, network


@pytest.mark.parametrize("norm", NORMS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 200))
def test_auto_pgd_reaches_the_optimum_of_two_classes(norm, seed):
    victim, x, network = case(seed, classes=2)
    epsilon = EPSILONS[norm]
    best = network.worst_margin(x, victim.labels, epsilon, norm)
    options = {"steps": 60, "restarts": 1, "loss": "log-odds"}
    found = perturb("apgd", victim, x, norm=norm, epsilon=epsilon, **options).losses
    clean = victim.margin(x)
    assert (found <= best + 1e-5).all()
    assert ((found - clean) / (best - clean) > 0.995).all()


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("apgd", {"steps": 60, "restarts": 3, "loss": "log-odds"}),
        ("apgd", {"steps": 60, "restarts": 3, "loss": "dlr"}),
        ("apgd_targeted", {"steps": 60, "restarts": 1, "targets": CLASSES - 1}),
        ("strongest", ENSEMBLE),
    ],
    ids=["log-odds", "dlr", "targeted", "strongest"],
)
@pytest.mark.parametrize("norm", NORMS)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 200))
def test_of_several_classes_it_fools_where_the_optimum_does_and_never_finds_more(
    norm, method, options, seed
):
    victim, x, network = case(seed)
    epsilon = EPSILONS[norm] / 2
    best = network.worst_margin(x, victim.labels, epsilon, norm)
    found = perturb(method, victim, x, norm=norm, epsilon=epsilon, **options).losses
    assert (found <= best + 1e-5).all()
    assert (found[best > 0.3] > 0).all(), (found, best)


@pytest.mark.parametrize("norm", NORMS)
def test_square_comes_near_the_optimum_without_a_gradient(norm):
    gains = []
    for seed in range(4):
        victim, x, network = case(seed)
        epsilon = EPSILONS[norm]
        best = network.worst_margin(x, victim.labels, epsilon, norm)
        found = perturb("square", victim, x, norm=norm, epsilon=epsilon, queries=2000).losses
        clean = victim.margin(x)
        gains.append(((found - clean) / (best - clean)).mean())
        assert (found <= best + 1e-5).all()
    assert min(gains) > {"l2": 0.6, "linf": 0.85}[norm], gains


@pytest.mark.parametrize("norm", NORMS)
def test_square_never_asks_for_a_gradient_and_spends_the_queries_it_was_given(norm):
    asked = []

    def logits(x):
        asked.append((torch.is_grad_enabled(), len(x)))
        return torch.stack([x.flatten(1).sum(1), 0 * x.flatten(1).sum(1)], 1)

    x = images((3, 2, 9, 7))
    perturb("square", Victim(logits, torch.zeros(3, dtype=torch.int64)), x, norm=norm, epsilon=0.3,
            queries=40)  # fmt: skip
    assert asked == [(False, 3)] * 40


@pytest.mark.parametrize("norm", NORMS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 200))
def test_more_queries_never_do_worse(norm, seed):
    victim, x, _ = case(seed)
    start, more = (
        perturb("square", victim, x, norm=norm, epsilon=0.2, queries=q).losses for q in (1, 60)
    )
    assert (more >= start).all()


def test_squares_shrink_by_the_papers_schedule_whatever_the_number_of_queries():
    for queries in (100, 1000, 5000, 10_000):
        shares = [share(query, queries) for query in range(queries)]
        assert shares[0] == FIRST_SHARE
        assert shares == sorted(shares, reverse=True)
        assert share(queries * 9 // 10, queries) == FIRST_SHARE / 2**9
    assert share(300, 1000) == share(3000, 10_000) == FIRST_SHARE / 2**6


@pytest.mark.parametrize("steps", [1, 2, 5, 10, 20, 50, 100, 1000])
def test_checkpoints_are_the_papers(steps):
    shares = [0, 0.22]  # by hand: 0.22, 0.41, 0.57, 0.70, 0.80, 0.87, 0.93, 0.99
    for step in (0.19, 0.16, 0.13, 0.1, 0.07, 0.06, 0.06):
        shares.append(shares[-1] + step)
    expected = {math.ceil(round(p * steps, 9)) for p in shares[1:]}
    assert set(checkpoints(steps)) == expected


@pytest.mark.parametrize("norm", NORMS)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 200))
def test_the_ensemble_keeps_what_its_first_member_fooled_and_betters_the_rest(norm, seed):
    victim, x, _ = case(seed)
    ball = {"norm": norm, "epsilon": EPSILONS[norm] / 2, "seed": seed}
    found = perturb("strongest", victim, x, **ball, **ENSEMBLE)
    torch.testing.assert_close(victim.margin(found.images), found.losses, rtol=0, atol=1e-6)
    first = perturb("apgd", victim, x, **ball, steps=30, restarts=1, loss="log-odds")
    left = first.losses <= 0
    torch.testing.assert_close(found.images[~left], first.images[~left], rtol=0, atol=0)
    assert (found.losses[left] >= first.losses[left]).all()


def test_images_that_are_fooled_leave_the_ensemble_and_no_other_batch():
    sizes = []

    def logits(x):
        sizes.append(len(x))
        z = torch.stack([x.flatten(1).mean(1), *[0.5 + 0 * x.flatten(1).mean(1)] * 3], 1)
        return z.double() * torch.tensor([1.0, 1.0, 0.9, 0.8]).double()

    x = torch.cat([torch.full((2, *SHAPE), 0.52), torch.full((3, *SHAPE), 0.95)])
    victim = Victim(logits, torch.zeros(5, dtype=torch.int64))
    found = perturb("strongest", victim, x, norm="linf", epsilon=0.1, **ENSEMBLE)
    assert (found.losses > 0).tolist() == [True, True, False, False, False]
    assert set(sizes) == {5, 3}
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("norm", NORMS)
def test_of_restarts_the_best_stays(norm):
    x = images((6, *SHAPE), 3, saturated=False)
    wavy = Victim(lambda x: torch.stack([0 * x.flatten(1).sum(1), (30 * x).sin().flatten(1).sum(1)], 1),
                  torch.zeros(len(x), dtype=torch.int64))  # fmt: skip
    options = {"steps": 3, "relative_step": 0.5}
    one, four = (
        perturb("pgd", wavy, x, norm=norm, epsilon=0.3, restarts=n, **options) for n in (1, 4)
    )
    assert (four.losses >= one.losses).all()
    assert (four.losses > one.losses).any()
    torch.testing.assert_close(wavy.loss("log-odds")(four.images), four.losses)
    assert (norm_of(four.images - x, norm) <= 0.3 * (1 + 1e-5)).all()
