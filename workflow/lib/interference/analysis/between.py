"""Claims on attacks that pass between networks, as data: do they pass where geometry is shared?

Rules were fixed before the data.
"""

from functools import partial

from interference.analysis.claim import CONTROL, PREPRINT, Claim, Reported, Subjects
from interference.analysis.sharing import shared
from interference.analysis.verdicts import RANKED, Rule

#: Whose attacks are shown to whom: where, in words.
PAIRS = {"alike": ("alike", "of networks trained alike"), "all": ("images > 0", "of all networks")}
#: Of MLPs, how alike two are: column, in words, what is taken out beside what all claims take out, in words.
LIKENESS = (
    ("cka", "CKA of hidden units", "", ""),
    ("matched", "correlation of matched SAE latents", "", ""),
    ("matched", "correlation of matched SAE latents", "cka", "CKA"),
    ("interference", "likeness of interference between matched SAE latents", "", ""),
    ("interference", "likeness of interference between matched SAE latents", "cka", "CKA"),
)


def _claim(key: str, likeness: str, who: str, beyond: str, source: str, subjects: Subjects, among: str,
           column: str, out: tuple[str, ...]) -> Claim:  # fmt: skip
    """One claim on pairs of networks. likeness, who, beyond: in words; column, out: of the table."""
    return Claim(
        key,
        f"attacks pass between networks where their geometry is shared (partial rank correlation of success "
        f"and {likeness} over pairs {who}, given {beyond}clean agreement and how easily the target falls, "
        "less that of permuted geometry)",
        source,
        (subjects,),
        partial(shared, among=among, likeness=column, beyond=out),
        Rule(">", 0, RANKED),
        reported=Reported("attacks transfer where interference is shared"),
    )


EXCHANGED = tuple(
    _claim(
        f"exchange-{among}",
        "CKA",
        who,
        "",
        PREPRINT,
        Subjects(
            "exchange",
            f"{{layer}}, pairs {who}",
            where,
            "several networks, and attacks shown to all others (attacks.exchange)",
            per=("layer",),
        ),
        among,
        "cka",
        (),
    )
    for among, (where, who) in PAIRS.items()
)
OVERLAPPING = tuple(
    _claim(
        f"rivals-overlap-{column}{f'-beyond-{out}' if out else ''}-{among}",
        likeness,
        who,
        f"{beyond}, " if beyond else "",
        CONTROL if out else PREPRINT,
        Subjects(
            "overlap",
            f"MLPs, pairs {who}",
            f"alive and {where}",
            "MLPs of several seeds, and an SAE of each (rivals)",
        ),
        among,
        column,
        (out,) if out else (),
    )
    for among, (where, who) in PAIRS.items()
    for column, likeness, out, beyond in LIKENESS
)
