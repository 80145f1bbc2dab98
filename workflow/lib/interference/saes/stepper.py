"""What moves the members of a seed, and the one choice of it."""

import importlib
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np

from interference import gpu
from interference.saes.member import Member, SaeType

#: What a step takes: rows (n, d), the learning rate, and the fraction of training done before it.
Batch = tuple[np.ndarray, float, float]


class Stepper(Protocol):
    """Moves the members of one seed; their arrays follow at `synchronise`, if not before."""

    def take(self, turn: list[Batch]) -> None: ...

    def synchronise(self) -> None: ...


class OneByOne:
    """Compiled steps, a member after the other: the weights of one stay in cache for a turn."""

    def __init__(self, steps: list):
        """steps: of each member, a `Step` of its type's compiled module."""
        self.steps = steps

    def take(self, turn: list[Batch]) -> None:
        """Every member takes all steps of a turn; which member goes first changes nothing."""
        for member in self.steps:
            for batch in turn:
                member.step(*batch)

    def synchronise(self) -> None:
        """Nothing: members' arrays are the working copy."""


class Apart:
    """Stacks of one member each, so that a member's bytes do not depend on the others."""

    def __init__(self, stacks: list):
        self.stacks = stacks

    def take(self, turn: list[Batch]) -> None:
        for stack in self.stacks:
            stack.take(turn)

    def synchronise(self) -> None:
        for stack in self.stacks:
            stack.synchronise()


def compiled(sae_type: SaeType) -> Any:
    """The module of a type's hand-written step, or None where it has none."""
    name = f"interference.saes.compiled.{sae_type.__name__.rpartition('.')[2]}"
    return importlib.import_module(name) if find_spec(name) else None


def stepper(members: list[Member]) -> Stepper:
    """On a GPU all members at once, in torch; on a CPU the compiled step, or, of a type without one,
    torch, member by member: the same but for rounding. A compiled step loads no torch."""
    on_gpu, steps = gpu.visible(), compiled(members[0].sae_type)
    if steps and not on_gpu:
        return OneByOne([steps.Step(member) for member in members])
    from interference.compute import device
    from interference.saes.stacked import CapturedStack, Stack

    if on_gpu:
        return CapturedStack(members, device())
    return Apart([Stack([member], device()) for member in members])
