"""Methods of attack and controls of the config, one section per type."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from interference.config.values import Count, Name, Norm, Positive, Radii, Section

#: Types that look for what fools the network; all others are controls.
ATTACKS = ("fgsm", "pgd", "apgd", "apgd_targeted", "square", "strongest")


class Attack(Section):
    """What every method has."""

    norm: Norm
    """Norm of the perturbation."""
    epsilons: Radii
    """Radii in pixel units (pixels are in [0, 1]), or fractions such as 8/255."""

    @property
    def gradients(self) -> float:
        """How many it takes of one image at one epsilon, for the costs of a plan; a forward pass alone
        is half of one."""
        return 0

    @property
    def classes(self) -> int:
        """The fewest classes that it can be asked for."""
        return 2

    @property
    def settings(self) -> dict:
        """What the method's module reads."""
        return self.model_dump(exclude={"images", "of", "across"})


class Fgsm(Attack):
    """One full step along the gradient (Goodfellow et al. 2015)."""

    type: Literal["fgsm"]
    """One full step along the gradient."""

    @property
    def gradients(self) -> float:
        return 1


class Pgd(Attack):
    """Projected gradient ascent (Madry et al. 2018)."""

    type: Literal["pgd"]
    """Projected gradient ascent."""
    steps: Count
    """Gradient steps per image and restart."""
    relative_step: Positive
    """Length of a step over epsilon."""
    random_start: bool
    """Whether the first step is from a random point of the ball, not from the image."""
    restarts: Count
    """Starts per image; of all the best point stays."""
    loss: Literal["log-odds", "margin"]
    """What is raised: the log-odds of a mistake, or the margin of logits."""

    @model_validator(mode="after")
    def _starts(self) -> Self:
        if self.restarts > 1 and not self.random_start:
            raise ValueError(
                f"restarts: {self.restarts} starts from the image itself are all the same; write "
                "restarts: 1 or random_start: true"
            )
        return self

    @property
    def gradients(self) -> float:
        return self.restarts * self.steps


class Apgd(Attack):
    """Auto-PGD, which chooses its own steps (Croce & Hein 2020)."""

    type: Literal["apgd"]
    """Auto-PGD, which chooses its own steps."""
    steps: Count
    """Gradient steps per image and restart."""
    restarts: Count
    """Random starts per image; of all the best point stays."""
    loss: Literal["log-odds", "dlr"]
    """What is raised: the log-odds of a mistake, or DLR, the difference of logits ratio."""

    @property
    def gradients(self) -> float:
        return self.restarts * self.steps

    @property
    def classes(self) -> int:
        return 3 if self.loss == "dlr" else 2


class ApgdTargeted(Attack):
    """Auto-PGD towards the most likely wrong classes, one after the other (Croce & Hein 2020)."""

    type: Literal["apgd_targeted"]
    """Auto-PGD towards the most likely wrong classes, one after the other."""
    steps: Count
    """Gradient steps per image, restart and target."""
    restarts: Count
    """Random starts per image and target; of all the best point stays."""
    targets: Count
    """Wrong classes, the most likely first; fewer than there are classes."""

    @property
    def gradients(self) -> float:
        return self.targets * self.restarts * self.steps

    @property
    def classes(self) -> int:
        return max(4, self.targets + 1)


class Square(Attack):
    """Random search by squares, without a gradient (Andriushchenko et al. 2020)."""

    type: Literal["square"]
    """Random search by squares, without a gradient."""
    queries: Count
    """Forward passes per image."""

    @property
    def gradients(self) -> float:
        return self.queries / 2


class Strongest(Attack):
    """The worst of an ensemble: Auto-PGD on log-odds, then towards wrong classes, then Square; each on
    the images that are left. It is no condition of probes where it has fewer images than others."""

    type: Literal["strongest"]
    """The worst of an ensemble: Auto-PGD, Auto-PGD towards wrong classes, Square."""
    images: Count
    """The first so many of the attacked images. With fewer than attacks.images probes leave it out."""
    steps: Count
    """Gradient steps of each Auto-PGD per image, restart and target."""
    restarts: Count
    """Random starts of each Auto-PGD."""
    targets: Count
    """Wrong classes, the most likely first; fewer than there are classes."""
    queries: Count
    """Forward passes of Square per image."""

    @property
    def gradients(self) -> float:
        return (1 + self.targets) * self.restarts * self.steps + self.queries / 2

    @property
    def classes(self) -> int:
        return max(4, self.targets + 1)


class Noise(Attack):
    """The control: a random direction, with the norm matched after the clamp to [0, 1]."""

    type: Literal["noise"]
    """The control: a random direction, with the norm matched after the clamp to [0, 1]."""


class Shuffled(Attack):
    """A control: an attack's perturbations, each on another image, with the norm that it had on its
    own."""

    type: Literal["shuffled"]
    """A control: an attack's perturbations, each on another image."""
    of: Name
    """Name of the attack, which has the same norm and these epsilons, among others."""


class Transferred(Attack):
    """A control: the adversarial images that an attack found on another network."""

    type: Literal["transferred"]
    """A control: the adversarial images that an attack found on another network."""
    of: Name
    """Name of the attack, which has the same norm and these epsilons, among others."""
    across: Literal["epsilon", "seed"]
    """Which network: epsilon, the clean one of the seed, and for the clean one that of the middle epsilon
    of the first norm; seed, the one of the next seed, after the last the first."""


class Frequency(Attack):
    """A control: noise of low or high spatial frequencies, with the norm matched after the clamp."""

    type: Literal["frequency"]
    """A control: noise of low or high spatial frequencies."""
    band: Literal["low", "high"]
    """Frequencies up to half of Nyquist's, the mean included, or those beyond."""


class Corruption(Attack):
    """A control: towards a common corruption of the image, with the norm matched after the clamp."""

    type: Literal["corruption"]
    """A control: towards a common corruption of the image."""
    kind: Literal["blur", "contrast", "jpeg"]
    """Which: a Gaussian blur of one pixel, contrast 0.4, or JPEG of quality 25."""


class Least(Section):
    """Least changes that flip a network's predictions. An experiment may leave them out."""

    images: Count
    """Attacked images, the first, that are flipped."""
    steps: Annotated[int, Field(ge=10)]
    """Gradient steps per image."""


class Structure(Section):
    """What perturbations of the headline attack look like, beside noise and the input gradient. An
    experiment may leave it out."""

    images: Count
    """Attacked images, the first, whose perturbations are measured."""


class Exchange(Section):
    """Adversarial images of the headline attack shown to every other network, and how alike networks see
    clean images. An experiment may leave it out."""

    images: Annotated[int, Field(ge=4)]
    """Attacked images, the first, that are shown, and on whose clean versions networks are compared."""


Method = Annotated[
    Fgsm | Pgd | Apgd | ApgdTargeted | Square | Strongest
    | Noise | Shuffled | Transferred | Frequency | Corruption,
    Field(discriminator="type"),
]  # fmt: skip
