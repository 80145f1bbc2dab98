"""Canvases: grids of real images whose features are known, and the networks that read them."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from interference.config.values import (
    MEASURE,
    OPTIONAL,
    Count,
    Name,
    Positive,
    Radii,
    Radius,
    Section,
    Seeds,
    Sweep,
    distinct,
)

Family = Literal[
    "dose", "frozen", "orthonormal", "shuffled", "width", "crossover", "ladder", "factorial"
]
#: Features per dimension where one dose stands for superposition; 1 stands for none.
SUPERPOSED = 3
#: Cells of a canvas with a crossover, and dimensions of its blocks of six features each.
CROSSED, BLOCKS = 36, (6, 4, 3, 3, 2, 1)
#: Families whose numbers of features or dimensions are cells over `SUPERPOSED`, or multiples of it.
IN_THIRDS = ("shuffled", "width", "ladder", "factorial")
#: Cells that adversarial training may change: every one, the feature's own, or all others.
ATTACKED = ("all", "own", "others")


def _families(families: list) -> list:
    """The families, unless one stands twice. Raises ValueError."""
    for family in families:
        if families.count(family) > 1:
            raise ValueError(f"{family} is there twice; each family may stand once")
    return families


class Regime(Section):
    """How dense features are, and what of the network differs with it."""

    classes: Annotated[int, Field(ge=2)]
    """Classes that are used, the first of the dataset; feature j is on where cell j shows class j
    modulo classes."""
    density: Annotated[float, Field(gt=0, lt=1)]
    """Probability that a feature is on, independent of all others."""
    detectors: Annotated[int, Field(ge=0)]
    """Detectors per cell between trunk and bottleneck; 0 gives the bottleneck the trunk's features."""
    hidden: Annotated[int, Field(ge=0)]
    """Units of the decoder's hidden layer; 0 makes the decoder linear, as it always is in the
    family crossover."""


class CanvasTrunk(Section):
    """The convolutional trunk that all cells share, taught on single images once per seed."""

    features: Count
    """Features per cell."""
    steps: Count
    """Training steps on single images."""
    batch_size: Count
    """Images per training step."""
    learning_rate: Positive
    """Adam's highest rate, per step."""


class CanvasTraining(Section):
    """Training of a network on canvases, composed as they are needed."""

    steps: Count
    """Training steps, the same for clean and for attacked canvases."""
    batch_size: Count
    """Canvases per training step."""
    learning_rate: Positive
    """Adam's highest rate, per step."""


class Flips(Section):
    """The least changes of a canvas that flip a feature."""

    pairs: Count
    """Pairs of a canvas and a feature, the same for all networks of a family and seed."""
    steps: Count
    """Steps along the gradient per start."""
    starts: Count
    """Starts per pair, the first at the canvas itself."""


class CanvasAdversarial(Section):
    """Adversarial training of the family ladder."""

    epsilons: Radii
    """L2 radii of the attacks in training, of the whole canvas, pixels in [0, 1]."""
    steps: Count
    """Gradient steps per training step."""


class Transfer(Section):
    """Attacks made on the network of one seed and shown to those of all others, with independent
    features and with correlated ones."""

    doses: Sweep
    """Features per dimension of the networks, some of `doses`."""
    pairs: Count
    """Pairs of a canvas and a feature."""


class Ruler(Section):
    """Proxies of superposition on bottlenecks whose superposition is known."""

    rows: Count
    """Canvases that are measured, rows of an SAE, and as many that SAEs are trained on."""
    k: Count
    """Active latents per row of the SAEs, and principal components beside them."""
    expansion_factor: Count
    """Latents over dimensions."""
    steps: Count
    """Training steps of an SAE."""
    batch_size: Count
    """Rows per training step."""
    learning_rate: Positive
    """Adam's rate until it falls, per step."""
    densities: Annotated[list[Annotated[float, Field(gt=0, lt=1)]], AfterValidator(distinct)]
    """Other densities of the canvases, at one dose."""
    scales: Sweep
    """What activations are multiplied by, at one dose: over their own units."""
    epsilon: Radius
    """L2 radius of the attack under which latents are counted, pixels in [0, 1]."""
    measures: list[Annotated[str, Field(pattern=MEASURE)]]
    """Further proxies, functions of activations, as MODULE:FUNCTION; may be empty."""


class Mount(Section):
    """Bottlenecks on the experiment's own networks, frozen, each in place of the small trunk: cells are
    whole images, the canvases' seed is the network's."""

    cells: Annotated[int, Field(ge=3)]
    """Cells of a canvas, and so features, n."""
    doses: Sweep
    """Features per dimension, n / m, one bottleneck each; cells over a dose is an integer."""
    flips: Flips


class Canvas(Section):
    """Networks that read canvases through a bottleneck: superposition as a dose. A canvas is a grid
    of real images, of which each is a feature that is on or off. An experiment may leave them out."""

    cells: Annotated[int, Field(ge=4)]
    """Cells of a canvas, and so features, n."""
    halved: bool
    """Whether cells have half the side of the dataset's images."""
    regimes: Annotated[dict[Name, Regime], Field(min_length=1)]
    """Regimes by names of one's own; everything is done in each."""
    doses: Annotated[Sweep, Field(min_length=2)]
    """Features per dimension, n / m, one network each; cells over a dose is an integer."""
    seeds: Seeds
    """Seeds: every network is trained with each, on canvases of its own."""
    families: Annotated[list[Family], Field(min_length=1), AfterValidator(_families)]
    """Sets of networks that are compared on the same pairs: dose, one per dose; frozen, the same on
    a trunk that stays as it was taught; orthonormal, with orthonormal columns of the bottleneck;
    shuffled, with and without directions in the bottleneck laid out at random, of equal norms and
    spectrum; width, a third of the features read at a third of the dimensions and at all; crossover, blocks of
    other doses within a network; ladder, adversarial training; factorial, features by dimensions."""
    trunk: CanvasTrunk
    training: CanvasTraining
    flips: Flips
    adversarial: CanvasAdversarial = OPTIONAL
    transfer: Transfer = OPTIONAL
    ruler: Ruler = OPTIONAL
    mount: Mount = OPTIONAL

    @model_validator(mode="after")
    def _agree(self) -> Self:
        problem = next(_problems(self), None)
        if problem is not None:
            raise ValueError(problem)
        return self

    @property
    def trained(self) -> list[str]:
        """Families that are trained: those that are flipped, and what transfer adds."""
        return [*self.families, *(["correlated"] if self.transfer else [])]


def _problems(canvas: Canvas) -> Iterator[str]:
    """One line per problem: field, what was found, what is allowed, the mend."""
    yield from _uneven(canvas, "")
    if canvas.mount:
        yield from _uneven(canvas.mount, "mount.")
    if "dose" not in canvas.families:
        yield (
            f"families: found {', '.join(canvas.families)} without dose, which all others stand "
            "beside; add it"
        )
    if "crossover" in canvas.families and canvas.cells != CROSSED:
        yield (
            f"cells: {canvas.cells}, but the blocks of the family crossover make up {CROSSED}; write "
            "that, or leave the family out"
        )
    for family in IN_THIRDS:
        if family in canvas.families and canvas.cells % SUPERPOSED:
            yield (
                f"cells: {canvas.cells} has no third, which the family {family} needs; write a "
                f"multiple of {SUPERPOSED}, or leave the family out"
            )
    if ("ladder" in canvas.families) != (canvas.adversarial is not None):
        yield (
            "adversarial: the radii of the family ladder; give both, or leave both out, found "
            + ("the family alone" if canvas.adversarial is None else "adversarial alone")
        )
    for dose in canvas.transfer.doses if canvas.transfer else []:
        if dose not in canvas.doses:
            known = ", ".join(f"{each:g}" for each in canvas.doses)
            yield f"transfer.doses: {dose:g} is none of doses; write some of {known}"
    if canvas.transfer and len(canvas.seeds) < 2:
        yield "transfer: found one seed, needs two; add one to seeds, or leave transfer out"
    if canvas.ruler and "factorial" not in canvas.families:
        yield "ruler: reads the networks of the family factorial; add it to families"


def _uneven(section: Canvas | Mount, path: str) -> Iterator[str]:
    """One line per dose that makes no whole number of dimensions. path: of the section."""
    for dose in section.doses:
        if dose < 1 or (section.cells / dose) % 1:
            possible = range(1, section.cells + 1)
            near = min(possible, key=lambda m: abs(section.cells / m - dose))
            yield (
                f"{path}doses: {dose:g} of {section.cells} cells makes {section.cells / dose:g} dimensions; "
                f"write a dose of at least 1 that makes an integer, such as {section.cells / near:.6g}"
            )


def regime_of(canvas: Canvas, family: str, name: str) -> dict:
    """The regime of a family's networks, as specs have it; a crossover reads each block alone, so its
    decoder is linear."""
    regime = {"name": name, **canvas.regimes[name].model_dump()}
    return regime | ({"hidden": 0} if family == "crossover" else {})


def members(canvas: Canvas, family: str) -> list[dict]:
    """The networks of a family, as specs have them.

    name: of its own in the family. cells: n. read: features that it is taught to read, the first.
    dimensions: m. dose: read / dimensions. frozen: whether the trunk stays as it is. orthonormal:
    of the bottleneck's columns. shuffled: None, or its decoder is taught anew, and whether directions
    of features are laid out at random before. correlated: whether it is taught on canvases of correlated features.
    blocks: None, or ``of``, the block of each feature, and ``dimensions`` of each block.
    epsilon, attacked: adversarial training, 0 and None without, and which of `ATTACKED`.
    """
    cells, third = canvas.cells, canvas.cells // SUPERPOSED
    at_doses = [_member(cells, round(cells / dose)) for dose in canvas.doses]
    match family:
        case "dose":
            return at_doses
        case "frozen" | "orthonormal":
            return [{**member, family: True} for member in at_doses]
        case "shuffled":
            return [_member(cells, m, shuffled=False) for m in (cells, third)] + [
                _member(cells, m, name=f"m{m}-shuffled", shuffled=True) for m in (cells, third)
            ]
        case "correlated":
            chosen = [round(cells / dose) for dose in canvas.transfer.doses]
            return [
                {**member, family: True} for member in at_doses if member["dimensions"] in chosen
            ]
        case "width":
            return [_member(cells, m, read=third) for m in (third, cells)]
        case "crossover":
            return _crossed()
        case "ladder":
            return [_member(cells, third, name="clean")] + [
                _member(cells, third, name=f"{attacked}-{epsilon:g}", epsilon=epsilon, attacked=attacked)
                for attacked in ATTACKED
                for epsilon in sorted(canvas.adversarial.epsilons)
            ]  # fmt: skip
        case _:
            return [
                _member(n, m, name=f"n{n}-m{m}")
                for n in (third, 2 * third, cells, 2 * cells)
                for m in (third, 2 * third, cells)
                if m <= n
            ]


def mounted(mount: Mount) -> list[dict]:
    """The bottlenecks on one frozen network, as specs have them: see `members`."""
    return [_member(mount.cells, round(mount.cells / dose), frozen=True) for dose in mount.doses]


def _member(cells: int, dimensions: int, *, read: int | None = None, **given: Any) -> dict:
    """One network, clean and with one block where nothing else is given."""
    read = cells if read is None else read
    return {
        "name": f"m{dimensions}",
        "cells": cells,
        "read": read,
        "dimensions": dimensions,
        "dose": read / dimensions,
        "frozen": False,
        "orthonormal": False,
        "shuffled": None,
        "correlated": False,
        "blocks": None,
        "epsilon": 0.0,
        "attacked": None,
        **given,
    }


def _crossed() -> list[dict]:
    """Networks of six blocks, as many as blocks: each feature is in each block once."""
    count, size = len(BLOCKS), CROSSED // len(BLOCKS)
    return [
        _member(
            CROSSED,
            sum(BLOCKS),
            name=f"x{turn}",
            blocks={
                "of": [(feature // size + turn) % count for feature in range(CROSSED)],
                "dimensions": list(BLOCKS),
            },
        )
        for turn in range(count)
    ]


def pixels(canvas: Canvas, channels: int, size: int) -> int:
    """Values of a canvas's pixels. size: pixels per side of the dataset's images."""
    side = size // 2 if canvas.halved else size
    return canvas.cells * channels * side**2
