"""What the preprint's rivals are held against: classifiers through a bottleneck, MLPs over classes and
hidden units, and MLPs that learn from attacks alone."""

from collections.abc import Iterator
from itertools import product
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from interference.config.values import Count, Positive, Radii, Radius, Section, Seeds, distinct

#: At least two classes, or units, or dimensions, each once.
Sizes = Annotated[list[Annotated[int, Field(ge=2)]], Field(min_length=2), AfterValidator(distinct)]


class RivalTraining(Section):
    """Training of every network of the rivals."""

    steps: Count
    """Training steps, the same for clean and for adversarial training."""
    batch_size: Count
    """Images per training step."""
    learning_rate: Positive
    """Adam's highest rate, per step."""


class Aim(Section):
    """The attack on every classifier, whose direction geometry is to foretell."""

    epsilon: Radius
    """L2 radius, pixels in [0, 1]."""
    steps: Count
    """Gradient steps."""
    images: Count
    """Evaluation images of the classes, the first; fewer where there are no more."""


class Bottlenecks(Section):
    """Classifiers that read images through a linear bottleneck (Stevinson et al. 2025, arXiv
    2510.11709). In fewer dimensions than classes less one their class vectors are in superposition."""

    classes: Annotated[int, Field(ge=4)]
    """Classes that are told apart, the first of the dataset."""
    hidden: Count
    """Units of the hidden layer before the bottleneck."""
    widths: Sizes
    """Dimensions of the bottleneck, below classes; odd ones need an even number of classes."""
    frames: Annotated[int, Field(ge=2)]
    """Forced geometries beside the learned one: class vectors fixed on a ring, in another order each,
    the same for all seeds."""
    epsilons: Radii
    """L2 radii of adversarial training, pixels in [0, 1]; clean training always stands beside them."""
    steps: Count
    """Gradient steps of the attack in training."""
    attack: Aim

    @model_validator(mode="after")
    def _framed(self) -> Self:
        for width in self.widths:
            if width >= self.classes or (width % 2 and self.classes % 2):
                fitting = [m for m in range(2, self.classes) if not (m % 2 and self.classes % 2)]
                raise ValueError(
                    f"widths: {width} has no frame of {self.classes} class vectors; write some of "
                    f"{', '.join(map(str, fitting))}"
                )
        return self


class TiedSae(Section):
    """The sparse autoencoder on hidden units, tied and with an L1 penalty, as the source has it."""

    expansion_factor: Count
    """Latents over hidden units."""
    l1: Positive
    """The penalty λ: weight of the mean activation over the mean squared error."""
    steps: Count
    """Training steps."""
    batch_size: Count
    """Rows per training step."""
    learning_rate: Positive
    """Adam's highest rate, per step."""


class Abundance(Section):
    """MLPs of one hidden layer over classes and hidden units, and how many effective features adversarial
    training leaves them (Bereska et al. 2025, arXiv 2512.13568)."""

    classes: Sizes
    """Numbers of classes that are told apart, the first of the dataset."""
    widths: Sizes
    """Hidden units."""
    epsilons: Radii
    """Linf radii of adversarial training, pixels in [0, 1]; clean training always stands beside them."""
    steps: Count
    """Gradient steps of the attack in training, and of that under which features are counted."""
    rows: Count
    """Images, drawn anew, that an SAE learns from, and as many that features are counted on."""
    sae: TiedSae


class Shown(Section):
    """The attack on every MLP of most classes, which is shown to all others."""

    epsilon: Radius
    """Linf radius, pixels in [0, 1]; noise beside it moves every pixel by as much."""
    steps: Count
    """Gradient steps."""
    images: Count
    """Evaluation images of the classes, the first; fewer where there are no more."""


class Overlap(Section):
    """Attacks between the MLPs of most classes, over hidden units, training radii and seeds, beside how alike
    the dictionaries of their SAEs are."""

    attack: Shown


class Lesson(Section):
    """The attack that turns training images towards the classes that they are then labelled with."""

    epsilon: Radius
    """Linf radius, pixels in [0, 1]; noise beside it moves every pixel by as much."""
    steps: Count
    """Gradient steps."""


class Relearning(Section):
    """MLPs that learn from attacks alone: from images that are turned towards other classes, and labelled
    with these (Ilyas et al. 2019, arXiv 1905.02175), asked about clean images."""

    classes: Annotated[int, Field(ge=3)]
    """Classes that are told apart, the first of the dataset."""
    hidden: Count
    """Hidden units of the networks that are attacked, and of those that learn."""
    epsilons: Radii
    """Linf radii that attacked networks were trained at, pixels in [0, 1]; a clean one stands beside them."""
    steps: Count
    """Gradient steps of the attack in that training."""
    attack: Lesson


class Rivals(Section):
    """Papers that dispute or carry on what the preprint says, on networks that see real images: where
    attacks point in a bottleneck, how many features adversarial training leaves, and what attacks teach.
    An experiment may leave them out."""

    seeds: Annotated[Seeds, Field(min_length=2)]
    """Seeds, two at least: every network is trained with each, and attacks pass between them."""
    training: RivalTraining
    bottlenecks: Bottlenecks
    abundance: Abundance
    overlap: Overlap
    relearning: Relearning


def members(bottlenecks: Bottlenecks) -> list[dict]:
    """The classifiers of a seed, as specs have them, by training epsilon.

    name: of its own. width: m. epsilon: of training. geometry: learned or frame-F. kind: learned or
    forced. frame: F, or None where class vectors are learned.
    """
    frames = [None, *range(bottlenecks.frames)]
    return [
        _member(width, epsilon, frame)
        for epsilon, width, frame in product(
            (0.0, *sorted(bottlenecks.epsilons)), sorted(bottlenecks.widths), frames
        )
    ]


def _member(width: int, epsilon: float, frame: int | None) -> dict:
    geometry = "learned" if frame is None else f"frame-{frame}"
    return {
        "name": f"m{width}-{geometry}-{epsilon:g}",
        "width": width,
        "epsilon": epsilon,
        "geometry": geometry,
        "kind": "learned" if frame is None else "forced",
        "frame": frame,
    }


def disagreements(rivals: Rivals, known: int | None, pixels: int, evaluation: int) -> Iterator[str]:
    """One line per setting that the dataset cannot serve: field, what was found, the mend.

    known: classes of the dataset, None where its files decide. pixels: values of an image. evaluation:
    images of that split.
    """
    asked = {
        "bottlenecks.classes": rivals.bottlenecks.classes,
        "abundance.classes": max(rivals.abundance.classes),
        "relearning.classes": rivals.relearning.classes,
    }
    for field, classes in asked.items():
        if known is not None and classes > known:
            yield f"rivals.{field}: found {classes}, but there are {known}; write that or less"
    for section in ("bottlenecks", "overlap"):
        images = getattr(rivals, section).attack.images
        if images > evaluation:
            yield (
                f"rivals.{section}.attack.images: found {images}, but data.evaluation is {evaluation}; write "
                "that or less"
            )
    radii = {
        "bottlenecks.epsilons": (rivals.bottlenecks.epsilons, pixels**0.5),
        "bottlenecks.attack.epsilon": ([rivals.bottlenecks.attack.epsilon], pixels**0.5),
        "abundance.epsilons": (rivals.abundance.epsilons, 1.0),
        "overlap.attack.epsilon": ([rivals.overlap.attack.epsilon], 1.0),
        "relearning.epsilons": (rivals.relearning.epsilons, 1.0),
        "relearning.attack.epsilon": ([rivals.relearning.attack.epsilon], 1.0),
    }
    for field, (found, diameter) in radii.items():
        for radius in found:
            if radius > diameter:
                yield (
                    f"rivals.{field}: found {radius:g}; pixels are in [0, 1], so radii are at most "
                    f"{diameter:g}; write {radius / 255:.6g} if pixels of 0 to 255 were meant"
                )
