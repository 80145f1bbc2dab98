"""Every claim that a run is held against, as data: a new one is an entry of `CLAIMS`.

Reported values are the papers'; they are compared with, never asserted. Associations over training
epsilon are not causes. Claims about networks are read from the rows of tables that are about all
trainings of a kind, or about the only one.
"""

from functools import partial
from itertools import pairwise

from interference.analysis.claim import Claim, Reported, Subjects
from interference.analysis.predictions import PREDICTIONS
from interference.analysis.quantities import (
    accuracy_lost,
    dip,
    estimate,
    loss_ratio,
    lost_beyond_pgd,
    lowered,
    rise,
    shrinkage,
    zero_gradients,
)
from interference.analysis.verdicts import Rule

PREPRINT, CONTROL = "Gorton & Lewis 2025", "control"
#: The least gain in accuracy that is called robustness, fixed before any data were looked at.
LEAST_GAIN = 0.05
#: Each attack finds at least what the one before finds, on average.
TOY_ORDER = ("one-step", "pgd", "strongest", "bound")

# Vulnerability of toy models is claimed under the strongest attack and the preprint's; the true dip
# is between the strongest's and the bound's. Geometry is the same under every attack.
WEIGHTS = Subjects("toy", "toy models", "inputs == 'own' and attack == 'strongest'")
STRONGEST, ONE_STEP = (
    Subjects("toy", "toy models, {attack} attack", f"inputs == 'own' and attack == '{attack}'")
    for attack in ("strongest", "one-step")
)
BOUND = Subjects("toy", "toy models, certified bound", "inputs == 'own' and attack == 'bound'")
COMMON = Subjects(
    "toy", "toy models, {attack} attack", "inputs == 'common' and attack == 'strongest'"
)
TRAINED = Subjects("toy", "toy models", "inputs == 'own' and training in ['clean', 'adversarial']")
FAMILIES = Subjects(
    "matched",
    "{model_architecture} {layer}, {type}, {family}",
    "about != 'one of several' and family != 'clean' and model_norm != 'clean'",
    per=("model_architecture", "layer", "type", "family"),
)
BESIDE_BASELINES = Subjects(
    "baselines",
    "{model_architecture} {layer}, {type} {sparsity:g}, {model_norm}",
    "about != 'one of several' and model_norm != 'clean'",
    per=("model_architecture", "layer", "type", "sparsity", "model_norm"),
)
CLEAN_NETWORKS, CLEAN_BESIDE_CONTROLS, INTERFERENCE = (
    Subjects(
        "l0",
        "{model_architecture} {layer}, {type} {sparsity:g}, {attack} {epsilon:g}" + against,
        f"about != 'one of several' and model_norm == 'clean' and quantity == '{quantity}' "
        f"and attack == @attack and epsilon == @epsilon and reference {is_clean} 'clean'",
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
        per=("model_architecture", "layer", "type", "family"),
    )
    for comparison in ("equal epsilon", "equal success")
)
FALLEN = Subjects(
    "fair",
    "{model_architecture} {layer}, {type} {sparsity:g}, {model_norm} {model_epsilon:g}",
    "about != 'one of several' and model_norm != 'clean' and reference == 'stood' "
    "and quantity == 'l0'",
    per=("model_architecture", "layer", "type", "model_norm"),
    at_middle_of="model_epsilon",
)
RESTORED = Subjects(
    "interventions",
    "{model_architecture} {layer}, {type} {sparsity:g}, clean network",
    "about != 'one of several' and model_norm == 'clean' and intervention == 'restore' "
    "and set == 'woken'",
    per=("model_architecture", "layer", "type"),
)
DEFENDED = Subjects(
    "defences",
    "{model_architecture} {layer}, {type} {sparsity:g}, clean network",
    "about != 'one of several' and model_norm == 'clean' and defence == 'sae'",
    per=("model_architecture", "layer", "type"),
    at_middle_of="sparsity",
)
ATTACKED = Subjects("accuracy", "", "type != 'clean'")

_OVER = "clean over adversarially trained, mean over densities"

CLAIMS = (
    Claim(
        "toy-packing",
        f"adversarial training lowers features per dimension ({_OVER})",
        PREPRINT,
        (WEIGHTS,),
        partial(lowered, column="features_per_dimension"),
        Rule(">", 1),
        reported=Reported("> 1"),
    ),
    Claim(
        "toy-learned",
        f"adversarial training lowers learned features per dimension ({_OVER})",
        PREPRINT,
        (WEIGHTS,),
        partial(lowered, column="learned_features_per_dimension"),
        Rule(">", 1),
    ),
    Claim(
        "toy-interference",
        f"adversarial training lowers interference ({_OVER})",
        PREPRINT,
        (WEIGHTS,),
        partial(lowered, column="interference"),
        Rule(">", 1),
        reported=Reported("about 2", 2),
    ),
    Claim(
        "toy-rise",
        "vulnerability rises with superposition (Spearman over densities)",
        PREPRINT,
        (STRONGEST, ONE_STEP),
        rise,
        Rule(">", 0),
        reported=Reported("rises"),
    ),
    Claim(
        "toy-vulnerability",
        f"adversarial training lowers vulnerability ({_OVER})",
        PREPRINT,
        (STRONGEST, ONE_STEP),
        partial(lowered, column="vulnerability"),
        Rule(">", 1),
        reported=Reported("> 1"),
    ),
    Claim(
        "toy-dip",
        "vulnerability dips on the antipodal plateau (least over it, over its start)",
        PREPRINT,
        (STRONGEST, ONE_STEP, BOUND),
        dip,
        Rule("<", 1),
        reported=Reported("striking dip"),
    ),
    Claim(
        "toy-shrinkage-sparse",
        "shrinkage alone explains most of the robustness gain (share, mean over densities)",
        CONTROL,
        (STRONGEST,),
        partial(shrinkage, up_to=0.15),
        Rule(">", 0.5),
    ),
    Claim(
        "toy-shrinkage",
        "shrinkage alone explains most of the robustness gain (share, mean over densities)",
        CONTROL,
        (STRONGEST,),
        shrinkage,
        Rule(">", 0.5),
    ),
    Claim(
        "toy-common",
        f"adversarial training lowers vulnerability at one common density ({_OVER})",
        CONTROL,
        (COMMON,),
        partial(lowered, column="vulnerability"),
        Rule(">", 1),
    ),
    *(
        Claim(
            f"toy-{stronger}-over-{weaker}",
            f"check: {stronger} is at least as strong as {weaker} (loss, mean over seeds)",
            "attack order",
            (TRAINED,),
            partial(loss_ratio, stronger=stronger, weaker=weaker),
            Rule(">=", 1),
            reported=Reported(">= 1"),
        )
        for weaker, stronger in pairwise(TOY_ORDER)
    ),
    Claim(
        "fvu-falls",
        "FVU at equal L0 falls with the training epsilon (Spearman)",
        PREPRINT,
        (FAMILIES,),
        partial(estimate, column="trend", ranked="epsilons"),
        Rule("<", 0),
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
        partial(estimate, column="mean_beyond"),
        Rule("<", 0.9),
    ),
    Claim(
        "l0-rises",
        "L0 rises under attack (attacked over clean)",
        PREPRINT,
        (CLEAN_NETWORKS,),
        partial(estimate, column="ratio"),
        Rule(">", 1),
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
        partial(estimate, column="ratio"),
        Rule(">", 1),
    ),
    Claim(
        "interference-share",
        "interference has a larger share in what wakes latents than under a control",
        PREPRINT,
        (INTERFERENCE,),
        partial(estimate, column="ratio"),
        Rule(">", 1),
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
            Rule("<", 0),
        )
        for which, subjects in (("epsilon", EQUAL_EPSILON), ("success", EQUAL_SUCCESS))
    ),
    Claim(
        "l0-fallen",
        "L0 rises more in images that fall than in those that stand (ratio of the two)",
        CONTROL,
        (FALLEN,),
        partial(estimate, column="ratio"),
        Rule(">", 1),
    ),
    *(
        Claim(
            f"woken-{column.replace('_', '-')}",
            f"woken latents put back return more predictions than {control} (share less share)",
            CONTROL,
            (RESTORED,),
            partial(estimate, column=column),
            Rule(">", 0),
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
            Rule(">", LEAST_GAIN),
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
    *PREDICTIONS,
)
