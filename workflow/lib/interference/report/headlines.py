"""The answers of a run in a few sentences, made of the verdicts and of nothing else."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, zip_longest

import pandas as pd

from interference.analysis.rivals import VARIANTS
from interference.report.finished import judged

#: The most sentences that an experiment of several arms has.
MOST = 8
#: Verdicts that say yes to a claim, and no.
YES = {"reproduced", "holds here"}
NO = {"not reproduced", "fails here", "no effect", "no effect here"}
#: Those of them that are about one training.
HERE = ("holds here", "fails here", "no effect here")


@dataclass(frozen=True)
class Question:
    """A question that claims answer.

    arm: a key of `verdicts.ARMS`.
    text: the question, such that yes is what the claims say. Of a subject, such as a layer and SAE
        type, it is yes where all of its claims hold, against every control.
    keys: the claims.
    cases: what its subjects are, in words.
    but: parts of scopes that it is not about.
    """

    arm: str
    text: str
    keys: tuple[str, ...]
    cases: str
    but: tuple[str, ...] = ()


@dataclass(frozen=True)
class Headline:
    """An answered question.

    answer: yes, no or undecided, and of how many subjects.
    evidence: per claim what was measured, in words.
    verdict: the verdict that the answer is shown as.
    """

    question: Question
    answer: str
    evidence: tuple[str, ...]
    verdict: str


#: Of each arm the telling ones first.
QUESTIONS = (
    Question("toy", "Does the vulnerability of toy models rise with superposition?", ("toy-rise",), "attacks"),
    Question("toy", "Do shorter weights alone explain most of what adversarial training gains toy models?",
             ("toy-shrinkage",), "cases"),
    Question("toy", "Does adversarial training lower the superposition of toy models?",
             ("toy-packing", "toy-learned"), "cases"),
    Question("toy", "Does the vulnerability of toy models dip where antipodal pairs form?", ("toy-dip",), "attacks and bounds"),
    Question("canvas", "Does superposition make networks that see images fragile, mainly through interference?",
             ("canvas-robustness", "canvas-route"), "regimes"),
    Question("canvas", "Does superposition give attacks more through interference than it gives noise?", ("canvas-noise",), "regimes"),
    Question("canvas", "Can superposition be read off activations by a proxy?",
             ("canvas-proxy-orders", "canvas-proxy-follows"), "proxies and regimes", ("interference_to_signal", "squared_cosines")),
    Question("canvas", "Does adversarial training work at least by half through less interference?",
             ("canvas-hardened-route",), "regimes"),
    Question("canvas", "Do networks trained against attacks leave attacks less interference?",
             ("canvas-mounted-interference",), "regimes"),
    Question("rivals", "Do attacks on classifiers point where the geometry of class vectors says?",
             ("rivals-bottleneck-direction", "rivals-bottleneck-direction-class"), "kinds of classifiers"),
    Question("rivals", "Does adversarial training add features where there is room for them, and take some where there is not?",
             tuple(f"rivals-features-{key}{suffix}" for key in ("abundance", "scarcity") for suffix, _, _ in VARIANTS), "cases"),
    Question("rivals", "Do attacks transfer between classifiers of like geometry, beyond shared accuracy?",
             ("rivals-bottleneck-transfer",), "kinds of classifiers"),
    Question("rivals", "Does adversarial training leave features that are more about one thing than their sparsity explains?",
             ("rivals-interpretability-selectivity-sparsity", "rivals-interpretability-coherence-sparsity"), "cases"),
    Question("rivals", "Do attacks alone teach what classes look like, where noise as large does not?",
             ("rivals-relearning-random", "rivals-relearning-noise"), "attacked networks"),
    Question("rivals", "Do attacks pass between MLPs whose SAE dictionaries overlap, beyond shared accuracy?",
             ("rivals-overlap-matched-alike", "rivals-overlap-matched-all"), "kinds of pairs"),
    Question("networks", "Do layers of robust networks have sparser structure than covariance explains?",
             ("fvu-beyond-gaussian",), "layers"),
    Question("networks", "Do attacks wake more latents than every control as strong?", ("l0-over-control",), "layers and SAE types"),
    Question("networks", "Are woken latents what does the damage, more than every control?",
             ("woken-over-random", "woken-over-top", "woken-over-error"), "layers and SAE types"),
    Question("networks", "Does leaving small interference out defend a network?",
             ("defence-over-none", "defence-over-pca"), "layers"),
    Question("networks", "Do perturbations of clean networks look like noise?",
             ("structure-noise-centroid", "structure-noise-coherence"), "cases"),
    Question("networks", "Do attacks pass to networks of like geometry, among those that were trained alike?",
             ("exchange-alike",), "layers"),
)  # fmt: skip


def headlines(claims: pd.DataFrame, most: int = MOST) -> list[Headline]:
    """The answered questions, at most ``most``: the first of each arm, then the second of each, and so on;
    in the order of `QUESTIONS`. claims: the table."""
    claims = judged(claims)
    answered = [found for question in QUESTIONS for found in _answered(question, claims)]
    arms: dict[str, list[Headline]] = {}
    for found in answered:
        arms.setdefault(found.question.arm, []).append(found)
    chosen = [found for found in chain(*zip_longest(*arms.values())) if found][:most]
    return [found for found in answered if found in chosen]


def _answered(question: Question, claims: pd.DataFrame) -> Iterator[Headline]:
    """Yield the answer, if the run has claims on the question."""
    rows = claims[claims["key"].isin(question.keys)]
    rows = rows[[not any(part in scope for part in question.but) for scope in rows["scope"]]]
    if rows.empty:
        return
    said = [
        _together(set(part["verdict"])) for _, part in rows.groupby(_subjects(rows), sort=False)
    ]
    evidence = tuple(_measured(part) for _, part in rows.groupby("key", sort=False))
    here = bool(rows["verdict"].isin(HERE).any())
    yield Headline(question, _answer(said, question.cases, here), evidence, _shown(said, here))


def _subjects(rows: pd.DataFrame) -> pd.Series:
    """What each row is about: of networks architecture, layer and SAE type, else its scope."""
    places = rows["scope"].str.partition(",")[0] + ", " + rows["type"]
    return places.where(rows["type"] != "", rows["scope"])


def _together(verdicts: set[str]) -> str:
    """What several claims of a subject come to: all must hold."""
    if verdicts & NO:
        return "no"
    return "yes" if verdicts <= YES else "undecided"


def _answer(said: list[str], cases: str, here: bool) -> str:
    """The answer in words. said: of each subject yes, no or undecided."""
    where = ", in these networks" if here else ""
    if len(set(said)) == 1:
        all_of = "both" if len(said) == 2 else f"all {len(said)}"
        every = f" for {all_of} {cases}" if len(said) > 1 else ""
        return f"{said[0].capitalize()}{every}{where}"
    counts = [
        f"{word} in {said.count(word)}" for word in ("yes", "no", "undecided") if word in said
    ]
    return f"{', '.join(counts).capitalize()} of {len(said)} {cases}{where}"


def _shown(said: list[str], here: bool) -> str:
    """The verdict as which answers are shown: that of all subjects, else undecided."""
    if set(said) == {"yes"}:
        return "holds here" if here else "reproduced"
    if set(said) == {"no"}:
        return "fails here" if here else "not reproduced"
    return "undecided"


def _measured(part: pd.DataFrame) -> str:
    """What was measured for a claim: of one case with its interval, of several their range."""
    if part["measured"].isna().all():
        numbers = "not measured"
    elif len(part) == 1:
        row = part.iloc[0]
        interval = "" if pd.isna(row["low"]) else f" [{row['low']:.3g}, {row['high']:.3g}]"
        numbers = f"{row['measured']:.3g}{interval}"
    else:
        numbers = f"{part['measured'].min():.3g} to {part['measured'].max():.3g}"
    wording = part["claim"].iloc[0]
    return f"{wording[0].upper()}{wording[1:]}: {numbers.replace('-', '−')}"
