"""Every claim that a run is held against, as data: a new one is an entry of `CLAIMS`.

Reported values are the papers'; they are compared with, never asserted. Associations over training
epsilon are not causes. Claims about networks are read from the rows of tables that are about all
trainings of a kind, or about the only one.
"""

from functools import partial

from interference.analysis.between import EXCHANGED, OVERLAPPING
from interference.analysis.claim import CONTROL, PREPRINT, Claim, Reported, Subjects
from interference.analysis.perturbations import PERTURBATIONS
from interference.analysis.predictions import PREDICTIONS
from interference.analysis.quantities import (
    accuracy_lost,
    estimate,
    lost_beyond_pgd,
    zero_gradients,
)
from interference.analysis.rivals import RIVALS
from interference.analysis.toys import TOYS
from interference.analysis.verdicts import LEAST_GAIN, RANKED, RATIO, SHARE, TENTH, Rule

_TRAINED = "networks trained against attacks beside clean ones (models.epsilons)"
_ATTACKED = "networks under attack, and SAEs on them (data to saes)"

FAMILIES = Subjects(
    "matched",
    "{model_architecture} {layer}, {type}, {family}",
    "about != 'one of several' and family != 'clean' and model_norm != 'clean'",
    _TRAINED,
    per=("model_architecture", "layer", "type", "family"),
)
BESIDE_BASELINES = Subjects(
    "baselines",
    "{model_architecture} {layer}, {type} {sparsity:g}, {model_norm}",
    "about != 'one of several' and model_norm != 'clean'",
    _TRAINED,
    per=("model_architecture", "layer", "type", "sparsity", "model_norm"),
)
CLEAN_NETWORKS, CLEAN_BESIDE_CONTROLS, INTERFERENCE = (
    Subjects(
        "l0",
        "{model_architecture} {layer}, {type} {sparsity:g}, {attack} {epsilon:g}" + against,
        f"about != 'one of several' and model_norm == 'clean' and quantity == '{quantity}' "
        f"and attack == @attack and epsilon == @epsilon and reference {is_clean} 'clean'",
        _ATTACKED,
        per=("model_architecture", "layer", "type", "reference"),
        at_middle_of="sparsity",
    )
    for quantity, against, is_clean in (
        ("l0", ", clean network", "=="),
        ("l0", " against {reference}, clean network", "!="),
        ("interference_share", " against {reference}, clean network", "!="),
    )
)
EQUAL_EPSILON, EQUAL_SUCCESS = (
    Subjects(
        "fair",
        "{model_architecture} {layer}, {type} {sparsity:g}, {family}, at {comparison}",
        "about != 'one of several' and family != 'clean' and model_norm != 'clean' "
        f"and comparison == '{comparison}' and reference == 'noise' and quantity == 'l0' "
        "and among == 'right'",
        _TRAINED,
        per=("model_architecture", "layer", "type", "family"),
    )
    for comparison in ("equal epsilon", "equal success")
)
FALLEN = Subjects(
    "fair",
    "{model_architecture} {layer}, {type} {sparsity:g}, {model_norm} {model_epsilon:g}",
    "about != 'one of several' and model_norm != 'clean' and reference == 'stood' "
    "and quantity == 'l0'",
    _TRAINED,
    per=("model_architecture", "layer", "type", "model_norm"),
    at_middle_of="model_epsilon",
)
RESTORED = Subjects(
    "interventions",
    "{model_architecture} {layer}, {type} {sparsity:g}, clean network",
    "about != 'one of several' and model_norm == 'clean' and intervention == 'restore' "
    "and set == 'woken'",
    _ATTACKED,
    per=("model_architecture", "layer", "type"),
)
DEFENDED = Subjects(
    "defences",
    "{model_architecture} {layer}, {type} {sparsity:g}, clean network",
    "about != 'one of several' and model_norm == 'clean' and defence == 'sae'",
    _ATTACKED,
    per=("model_architecture", "layer", "type"),
    at_middle_of="sparsity",
)
ATTACKED = Subjects("accuracy", "", "type != 'clean'", _ATTACKED)

CLAIMS = (
    *TOYS,
    Claim(
        "fvu-falls",
        "FVU at equal L0 falls with the training epsilon (Spearman)",
        PREPRINT,
        (FAMILIES,),
        partial(estimate, column="trend", ranked="epsilons"),
        Rule("<", 0, RANKED),
        reported=Reported("falls"),
    ),
    # A fall is one of a tenth: SAEs of two seeds on one Gaussian differ in FVU by up to that
    # (measured at stem and layer1), and an interval of one training does not know it.
    Claim(
        "fvu-beyond-gaussian",
        "FVU at equal k falls with the training epsilon by a tenth more than a Gaussian's "
        "(ratio of the two, over the clean network's, mean over epsilons)",
        CONTROL,
        (BESIDE_BASELINES,),
        partial(estimate, column="mean_beyond", log=True),
        Rule("<", 0.9, TENTH),
    ),
    Claim(
        "l0-rises",
        "L0 rises under attack (attacked over clean)",
        PREPRINT,
        (CLEAN_NETWORKS,),
        partial(estimate, column="ratio", log=True),
        Rule(">", 1, RATIO),
        reported_at={
            "stem": Reported("1.1", 1.1),
            "layer1": Reported("2", 2),
            "layer2": Reported("1.5", 1.5),
            "layer3": Reported("2 to 4", 2),
        },
    ),
    Claim(
        "l0-over-control",
        "L0 rises more than under a control of the same norm",
        CONTROL,
        (CLEAN_BESIDE_CONTROLS,),
        partial(estimate, column="ratio", log=True),
        Rule(">", 1, RATIO),
    ),
    Claim(
        "interference-share",
        "interference has a larger share in what wakes latents than under a control",
        PREPRINT,
        (INTERFERENCE,),
        partial(estimate, column="ratio", log=True),
        Rule(">", 1, RATIO),
        reported=Reported("interference wakes them"),
    ),
    # Robust networks hold less interference, if the preprint is right: attacks find less to wake.
    *(
        Claim(
            f"l0-trend-{which}",
            f"at equal {which} of the attack L0 rises less the larger the training epsilon "
            "(L0 over noise, Spearman)",
            CONTROL,
            (subjects,),
            partial(estimate, column="trend", ranked="epsilons"),
            Rule("<", 0, RANKED),
        )
        for which, subjects in (("epsilon", EQUAL_EPSILON), ("success", EQUAL_SUCCESS))
    ),
    Claim(
        "l0-fallen",
        "L0 rises more in images that fall than in those that stand (ratio of the two)",
        CONTROL,
        (FALLEN,),
        partial(estimate, column="ratio", log=True),
        Rule(">", 1, RATIO),
    ),
    *(
        Claim(
            f"woken-{column.replace('_', '-')}",
            f"woken latents put back return more predictions than {control} (share less share)",
            CONTROL,
            (RESTORED,),
            partial(estimate, column=column),
            Rule(">", 0, SHARE),
        )
        for control, column in (
            ("as many random ones", "over_random"),
            ("as many of the most active", "over_top"),
            ("as long a step beyond the SAE", "over_error"),
        )
    ),
    # If attacks work through small interference, leaving it out defends, and better than leaving out as
    # much variance: both of a subject's claims must hold.
    *(
        Claim(
            f"defence-{column.replace('_', '-')}",
            "removing small interference buys robustness (accuracy under an attack through the SAE "
            f"less that {control})",
            CONTROL,
            (DEFENDED,),
            partial(estimate, column=column, least=LEAST_GAIN),
            Rule(">", LEAST_GAIN, SHARE),
        )
        for control, column in (
            ("of the network as it is", "over_none"),
            ("through PCA with the same FVU", "over_pca"),
        )
    ),
    # Is the attack an attack, or is a gradient masked?
    *(
        Claim(
            f"{stronger}-over-{weaker}",
            f"check: {stronger} is at least as strong as {weaker} (accuracy lost)",
            "masking check",
            (ATTACKED,),
            partial(accuracy_lost, stronger=stronger, weaker=weaker),
            Rule(">=", 0),
            reported=Reported(">= 0"),
        )
        for stronger, weaker in (
            ("pgd", "fgsm"),
            ("fgsm", "noise"),
            ("pgd", "noise"),
            ("pgd", "square"),
            ("apgd", "square"),
            ("square", "noise"),
        )
    ),
    Claim(
        "strongest-over-pgd",
        "check: strongest is at least as strong as pgd (accuracy lost)",
        "masking check",
        (ATTACKED,),
        lost_beyond_pgd,
        Rule(">=", 0),
        reported=Reported(">= 0"),
    ),
    Claim(
        "zero-gradients",
        "check: no gradient of an attack is exactly zero (gradients that are, of all steps)",
        "masking check",
        (ATTACKED,),
        zero_gradients,
        Rule("=", 0),
        reported=Reported("0"),
    ),
    *PERTURBATIONS,
    *EXCHANGED,
    *PREDICTIONS,
    *RIVALS,
    *OVERLAPPING,
)
