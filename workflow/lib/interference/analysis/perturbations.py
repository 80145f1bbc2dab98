"""Claims on perturbations of networks, as data: what the preprint's Table 1 says beside superposition.

Rules were fixed before the data.
"""

from collections.abc import Iterator
from functools import partial

from interference.analysis.claim import CONTROL, PREPRINT, Claim, Reported, Subjects
from interference.analysis.quantities import estimate
from interference.analysis.verdicts import RANKED, Rule

_LEAST = "networks, and least changes (attacks.least)"
FLIPPED = Subjects(
    "least",
    "{model_architecture}, {model_norm} {model_epsilon:g}",
    "about != 'one of several'",
    _LEAST,
    per=("model_architecture", "model_norm", "model_epsilon"),
)
FLIPPED_FAMILIES = Subjects(
    "least",
    "{model_architecture}, {family}",
    "about != 'one of several' and family != 'clean' and model_norm != 'clean'",
    f"{_LEAST}, of networks trained against attacks",
    per=("model_architecture", "family"),
)
#: Smallest differences of mean frequencies that count: a twentieth of Nyquist's, by convention.
FREQUENCY = (-0.05, 0.05)


def _structure(
    measure: str, quantity: str, noise: Rule, robust: Rule, trend: Rule
) -> Iterator[Claim]:
    """Claims about one measure of the table structure.

    quantity: the measure in words.
    noise: where the difference to noise lies if perturbations look like it.
    robust: where a difference lies if perturbations of robust networks do less; trend: its correlation
        with the training epsilon.
    """
    scope = "{model_architecture}, {family}"
    chosen = f"about != 'one of several' and measure == '{measure}'"
    trained = f"{chosen} and family != 'clean' and model_norm != 'clean'"
    takes = "networks, and what perturbations look like (attacks.structure)"
    takes_robust = f"{takes}, of networks trained against attacks"
    of_family = ("model_architecture", "family")
    yield Claim(
        f"structure-noise-{measure}",
        f"perturbations of clean networks look like noise of their norm ({quantity}, less the noise's)",
        PREPRINT,
        (
            Subjects(
                "structure",
                "{model_architecture}, clean network",
                f"{chosen} and model_norm == 'clean' and reference == 'noise'",
                takes,
                per=("model_architecture",),
            ),
        ),
        partial(estimate, column="excess"),
        noise,
        reported=Reported("they look like noise"),
    )
    yield Claim(
        f"structure-trend-{measure}",
        "perturbations look the less like noise the larger the training epsilon "
        f"({quantity}, less the noise's, Spearman)",
        PREPRINT,
        (
            Subjects(
                "structure",
                scope,
                f"{trained} and reference == 'noise'",
                takes_robust,
                per=of_family,
            ),
        ),
        partial(estimate, column="trend", ranked="epsilons"),
        trend,
        reported=Reported("of robust networks they have structure"),
    )
    # An attack's steps are along gradients, and robust networks' gradients are coarse anyway.
    yield Claim(
        f"structure-change-{measure}",
        "perturbations of robust networks look less like noise than those of clean ones, beyond what a "
        f"control does ({quantity}, less the control's and the clean network's, mean over epsilons)",
        CONTROL,
        (
            Subjects(
                "structure",
                f"{scope}, against {{reference}}",
                f"{trained} and reference != 'gradient'",
                takes_robust,
                per=("model_architecture", "family", "reference"),
            ),
        ),
        partial(estimate, column="change"),
        robust,
    )


PERTURBATIONS = (
    Claim(
        "least-exists",
        "predictions flip by less than half of the way to the nearest image that is taken for "
        "another class (least change over that distance, median over images)",
        PREPRINT,
        (FLIPPED,),
        partial(estimate, column="of_nearest", log=True),
        Rule("<", 0.5),
        reported=Reported("adversarial examples exist"),
    ),
    Claim(
        "least-rises",
        "the least change that flips a prediction grows with the training epsilon "
        "(median over images, Spearman)",
        CONTROL,
        (FLIPPED_FAMILIES,),
        partial(estimate, column="trend", ranked="epsilons"),
        Rule(">", 0, RANKED),
    ),
    # Perturbations with structure are coarser than noise: what is within the smallest difference that counts,
    # or finer than noise, looks like it.
    *_structure(
        "centroid",
        "mean frequency over Nyquist's",
        noise=Rule(">", FREQUENCY[0]),
        robust=Rule("<", 0, FREQUENCY),
        trend=Rule("<", 0, RANKED),
    ),
    *_structure(
        "coherence",
        "correlation of neighbouring pixels",
        noise=Rule("<", RANKED[1]),
        robust=Rule(">", 0, RANKED),
        trend=Rule(">", 0, RANKED),
    ),
)
