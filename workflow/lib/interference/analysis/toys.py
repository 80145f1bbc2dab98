"""Claims on toy models, as data. Intervals are the extremes over seeds."""

from functools import partial
from itertools import pairwise

from interference.analysis.claim import CONTROL, PREPRINT, Claim, Reported, Subjects
from interference.analysis.quantities import dip, loss_ratio, lowered, rise, shrinkage
from interference.analysis.verdicts import RANKED, RATIO, Rule

#: Each attack finds at least what the one before finds, on average.
TOY_ORDER = ("one-step", "pgd", "strongest", "bound")
_TAKES = "toy models (toy)"
_OVER = "clean over adversarially trained, geometric mean over densities"

# Vulnerability of toy models is claimed under the strongest attack and the preprint's; the true dip
# is between the strongest's and the bound's. Geometry is the same under every attack.
WEIGHTS = Subjects("toy", "toy models", "inputs == 'own' and attack == 'strongest'", _TAKES)
STRONGEST, ONE_STEP = (
    Subjects(
        "toy", "toy models, {attack} attack", f"inputs == 'own' and attack == '{attack}'", _TAKES
    )
    for attack in ("strongest", "one-step")
)
BOUND = Subjects(
    "toy", "toy models, certified bound", "inputs == 'own' and attack == 'bound'", _TAKES
)
COMMON = Subjects(
    "toy", "toy models, {attack} attack", "inputs == 'common' and attack == 'strongest'", _TAKES
)
TRAINED = Subjects(
    "toy", "toy models", "inputs == 'own' and training in ['clean', 'adversarial']", _TAKES
)
TOYS = (
    Claim(
        "toy-packing",
        f"adversarial training lowers features per dimension ({_OVER})",
        PREPRINT,
        (WEIGHTS,),
        partial(lowered, column="features_per_dimension"),
        Rule(">", 1, RATIO),
        reported=Reported("> 1"),
    ),
    Claim(
        "toy-learned",
        f"adversarial training lowers learned features per dimension ({_OVER})",
        PREPRINT,
        (WEIGHTS,),
        partial(lowered, column="learned_features_per_dimension"),
        Rule(">", 1, RATIO),
    ),
    Claim(
        "toy-interference",
        f"adversarial training lowers interference ({_OVER})",
        PREPRINT,
        (WEIGHTS,),
        partial(lowered, column="interference"),
        Rule(">", 1, RATIO),
        reported=Reported("about 2", 2),
    ),
    Claim(
        "toy-rise",
        "vulnerability rises with superposition (Spearman over densities)",
        PREPRINT,
        (STRONGEST, ONE_STEP),
        rise,
        Rule(">", 0, RANKED),
        reported=Reported("rises"),
    ),
    Claim(
        "toy-vulnerability",
        f"adversarial training lowers vulnerability ({_OVER})",
        PREPRINT,
        (STRONGEST, ONE_STEP),
        partial(lowered, column="vulnerability"),
        Rule(">", 1, RATIO),
        reported=Reported("> 1"),
    ),
    Claim(
        "toy-dip",
        "vulnerability dips on the antipodal plateau (least over it, over its start)",
        PREPRINT,
        (STRONGEST, ONE_STEP, BOUND),
        dip,
        Rule("<", 1, RATIO),
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
        Rule(">", 1, RATIO),
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
)
