"""All attacks on the same inputs, weakest first, and the certified bound that no attack exceeds."""

from functools import reduce

import torch
from torch import Tensor

from interference.toy.attacks.analytic import analytic
from interference.toy.attacks.one_step import one_step
from interference.toy.attacks.pgd import pgd
from interference.toy.attacks.trust_region import trust_region
from interference.toy.bound import bound
from interference.toy.problem import Problem, better, losses


def every(problem: Problem, random: torch.Generator, spec: dict) -> dict[str, Tensor]:
    """v of each attack, each (S, m, B); the strongest is the best of the others at each input.

    PGD starts from what one-step found, so it is at least as strong; the trust region from the
    clean pattern and from what both found. spec: `Specs.vulnerability`.
    """
    found = {"one-step": one_step(problem, random, noise=spec["noise"])}
    found["analytic"] = analytic(problem)
    found["pgd"] = pgd(problem, found["one-step"], random, **spec["pgd"])
    starts = [torch.zeros_like(found["pgd"]), found["one-step"], found["pgd"]]
    found["trust-region"] = trust_region(problem, starts)
    found["strongest"] = reduce(lambda v, other: better(problem, v, other), found.values())
    return found


def worst_losses(problem: Problem, random: torch.Generator, spec: dict) -> dict[str, Tensor]:
    """Loss under each attack, and the bound, (S, B) each, at every input. As `every`."""
    found = every(problem, random, spec)
    return {name: losses(problem, v) for name, v in found.items()} | {
        "bound": bound(problem, found["strongest"])
    }
