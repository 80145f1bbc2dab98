"""Claims of Stevinson et al. (arXiv 2510.11709) and Bereska et al. (arXiv 2512.13568), and the preprint's on
how hard adversarial training is by width, on how interpretable it leaves features, and on what attacks teach,
decided before there were data, and unchanged since.

What each is read from is in docs/rivals.md. Intervals are Student's over seeds. A bound is the smallest
effect that counts: an interval wholly below it says *not reproduced*, and *no effect* where it lies between
the bound and its opposite.
"""

from functools import partial

from interference.analysis.claim import CONTROL, PREPRINT, Claim, Reported, Subjects
from interference.analysis.rivalry import corner, narrowed, trend, typical
from interference.analysis.verdicts import RANKED, SHARE, Rule

STEVINSON, BERESKA = "Stevinson et al. 2025", "Bereska et al. 2025"
ELHAGE = "Elhage et al. 2022"
#: Smallest effects that count, by conventions and not by data: a cosine of a twentieth, and a tenth of the
#: effective features; of rank correlations and shares of images those of all claims.
COSINE, TENTH = (-0.05, 0.05), (-0.1, 0.1)
_CLASSIFIERS = "classifiers through bottlenecks (rivals)"
#: What is claimed of all networks is asked again of those that still tell classes apart, and of the hidden
#: units' own count, which knows nothing of superposition: beyond it.
VARIANTS = (
    ("", "", "gain"),
    ("-alive", ", of networks that still tell classes apart", "gain_alive"),
    ("-beyond-units", ", beyond what the hidden units' own count does", "gain_beyond"),
)


def _above(region: tuple[float, float]) -> Rule:
    return Rule(">", region[1], region)


LEARNED, FORCED = (
    Subjects(
        "bottlenecks",
        "{classes} classes in {width} dimensions, class vectors {kind}, trained at {epsilon:g}",
        f"kind == '{kind}' and superposed",
        _CLASSIFIERS,
        per=("width", "epsilon"),
    )
    for kind in ("learned", "forced")
)
ACROSS = Subjects(
    "bottlenecks",
    "{classes} classes over dimensions, class vectors {kind}, trained at {epsilon:g}",
    "width > 0",
    _CLASSIFIERS,
    per=("kind", "epsilon"),
)
SUPERPOSED = Subjects(
    "bottlenecks",
    "{classes} classes over dimensions in superposition, trained at {epsilon:g}",
    "kind == 'learned' and superposed",
    _CLASSIFIERS,
    per=("epsilon",),
)
COUNTED = Subjects(
    "abundance",
    "MLPs over classes and hidden units",
    "epsilon == 0",
    "MLPs over classes and hidden units (rivals)",
)
MEANT = Subjects(
    "interpretability",
    "{features} of MLPs",
    "epsilon == 0",
    "MLPs over classes and hidden units, and an SAE of each (rivals)",
    per=("features",),
)
TAUGHT = {
    targets: Subjects(
        "relearning",
        "MLPs that learn from attacks on one trained at {epsilon:g}",
        f"targets == '{targets}'",
        "MLPs that learn from attacks (rivals)",
        per=("epsilon",),
    )
    for targets in ("random", "next")
}
OVER_SOURCES = Subjects(
    "relearning",
    "MLPs that learn from attacks, targets {targets}",
    "epsilon == 0",
    "MLPs that learn from attacks (rivals)",
    per=("targets",),
)
#: proxy → quantity in words, smallest effects that count: a twentieth of its range, by convention
PROXIES = {
    "selectivity": ("1 less the normalised entropy over classes", SHARE),
    "coherence": ("mean cosine of pixels between images that a feature answers", COSINE),
}

RIVALS = (
    Claim(
        "rivals-bottleneck-vulnerability",
        "fewer dimensions make a classifier fragile (share that falls, fewest less most dimensions)",
        STEVINSON,
        subjects=(ACROSS,),
        quantity=partial(narrowed, column="fallen"),
        rule=_above(SHARE),
        reported=Reported("superposition suffices"),
    ),
    Claim(
        "rivals-bottleneck-profile-narrowed",
        "the fewer the dimensions, the more attacks land where class vectors are near (rank correlation, "
        "fewest less most dimensions in superposition)",
        STEVINSON,
        subjects=(SUPERPOSED,),
        quantity=partial(narrowed, column="profile"),
        rule=_above(RANKED),
        reported=Reported("rises"),
    ),
    *(
        Claim(
            f"rivals-bottleneck-{key}",
            wording,
            source,
            subjects=(LEARNED, FORCED),
            quantity=quantity,
            rule=rule,
            reported=reported,
        )
        for key, wording, source, quantity, rule, reported in (
            (
                "direction",
                "attacks point where class vectors say (cosine less that of shuffled class vectors)",
                STEVINSON,
                partial(typical, column="cosine", less="cosine_shuffled"),
                _above(COSINE),
                Reported("PGD aligns with the optimum"),
            ),
            (
                "direction-class",
                "and at the class that they say, not away from the own one alone (cosine less the mean "
                "towards all other classes)",
                CONTROL,
                partial(typical, column="cosine", less="cosine_other"),
                _above(COSINE),
                Reported(),
            ),
            (
                "transfer",
                "attacks transfer to classifiers of like class vectors, beyond shared accuracy (partial "
                "rank correlation over classifiers, less that of permuted ones)",
                STEVINSON,
                partial(typical, column="transfer", less="transfer_null"),
                _above(RANKED),
                Reported("shared geometry explains transfer"),
            ),
            (
                "profile",
                "attacks land in the classes whose vectors are near (rank correlation over other classes)",
                STEVINSON,
                partial(typical, column="profile"),
                _above(RANKED),
                Reported("profiles follow interference"),
            ),
            (
                "profile-own",
                "and not where other class vectors are (rank correlation less that with a frame which the "
                "classifier has not)",
                CONTROL,
                partial(typical, column="profile", less="swapped"),
                _above(RANKED),
                Reported(),
            ),
        )
    ),
    *(
        Claim(
            f"rivals-features-{key}{suffix}",
            wording + more,
            source if column == "gain" else CONTROL,
            subjects=(COUNTED,),
            quantity=partial(quantity, column=column),
            rule=rule,
            reported=reported,
        )
        for key, wording, source, quantity, rule, reported in (
            (
                "universal",
                "adversarial training lowers effective features (change over training epsilon, all "
                "networks)",
                ELHAGE,
                typical,
                Rule("<", TENTH[0], TENTH),
                Reported("falls"),
            ),
            (
                "abundance",
                "adversarial training raises effective features of an easy task with capacity (fewest "
                "classes, widest network)",
                BERESKA,
                partial(corner, classes="min", width="max"),
                _above(TENTH),
                Reported("up to twice"),
            ),
            (
                "scarcity",
                "adversarial training lowers effective features of a hard task without capacity (most "
                "classes, narrowest network)",
                BERESKA,
                partial(corner, classes="max", width="min"),
                Rule("<", TENTH[0], TENTH),
                Reported("down by up to 60 %"),
            ),
            (
                "complexity",
                "what adversarial training adds falls with the number of classes (from fewest to most)",
                BERESKA,
                partial(trend, over="classes"),
                Rule("<", TENTH[0], TENTH),
                Reported("-0.67 (-0.745 per step and unit of epsilon)"),
            ),
            (
                "capacity",
                "what adversarial training adds rises with hidden units (from fewest to most)",
                BERESKA,
                partial(trend, over="width"),
                _above(TENTH),
                Reported("rises"),
            ),
        )
        for suffix, more, column in VARIANTS
    ),
    Claim(
        "rivals-training-cost",
        "adversarial training costs accuracy on clean images (clean less trained at the largest epsilon)",
        PREPRINT,
        subjects=(COUNTED,),
        quantity=partial(typical, column="accuracy_lost"),
        rule=_above(SHARE),
        reported=Reported("costs accuracy"),
    ),
    Claim(
        "rivals-training-difficulty",
        "the more hidden units, the less it costs (from fewest to most)",
        PREPRINT,
        subjects=(COUNTED,),
        quantity=partial(trend, column="accuracy_lost", over="width"),
        rule=Rule("<", SHARE[0], SHARE),
        reported=Reported("needs capacity"),
    ),
    *(
        Claim(
            f"rivals-interpretability-{proxy}{suffix}",
            f"{wording} ({quantity}{less}; change over training epsilon, networks that still tell classes "
            "apart)",
            source,
            subjects=(MEANT,),
            quantity=partial(typical, column=f"{proxy}_gain{column}"),
            rule=_above(region),
            reported=reported,
        )
        for proxy, (quantity, region) in PROXIES.items()
        for suffix, wording, less, source, column, reported in (
            (
                "",
                "adversarial training leaves features that are more about one thing",
                "",
                PREPRINT,
                "",
                Reported("robust features are more interpretable"),
            ),
            (
                "-sparsity",
                "and beyond what their sparsity explains",
                ", less that of random directions as sparse",
                CONTROL,
                "_beyond",
                Reported(),
            ),
        )
    ),
    *(
        Claim(
            f"rivals-relearning-{key}",
            wording,
            source,
            subjects=(TAUGHT[targets],),
            quantity=partial(typical, column="accuracy", less=less),
            rule=_above(SHARE),
            reported=reported,
        )
        for key, wording, source, targets, less, reported in (
            (
                "random",
                "attacks alone teach: who learns images turned towards drawn classes, labelled with these, "
                "knows clean images (accuracy less chance)",
                PREPRINT,
                "random",
                "chance",
                Reported("0.63 on CIFAR-10 (Ilyas et al. 2019)"),
            ),
            (
                "noise",
                "and noise as large under the same labels does not (accuracy less that of who learns from "
                "noise)",
                CONTROL,
                "random",
                "noise_accuracy",
                Reported(),
            ),
            (
                "next",
                "even where images themselves teach the wrong class: turned towards the class after their "
                "own (accuracy less chance)",
                PREPRINT,
                "next",
                "chance",
                Reported("0.44 on CIFAR-10 (Ilyas et al. 2019)"),
            ),
        )
    ),
    Claim(
        "rivals-relearning-robust",
        "the more robust the network that is attacked, the less its attacks teach (change over its training "
        "epsilon)",
        PREPRINT,
        subjects=(OVER_SOURCES,),
        quantity=partial(typical, column="gain"),
        rule=Rule("<", SHARE[0], SHARE),
        reported=Reported("less superposition, less to exploit"),
    ),
)
