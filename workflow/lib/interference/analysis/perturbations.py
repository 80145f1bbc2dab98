"""Claims on perturbations of networks, as data: what the preprint's Table 1 says beside superposition.

Rules were fixed before the data.
"""

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
)
