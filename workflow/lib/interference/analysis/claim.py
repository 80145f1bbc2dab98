"""What a claim is: a wording, a source, what it is about, a quantity and a rule."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import pandas as pd

from interference.analysis.frames import middle
from interference.analysis.verdicts import Measured, Rule

#: Sources of claims.
PREPRINT, CONTROL = "Gorton & Lewis 2025", "control"


@dataclass(frozen=True)
class Reported:
    """What a source reports.

    text: as it has it.
    size: the ratio; of a range the end nearer to the bound; None where it gives no number.
    """

    text: str = "not reported"
    size: float | None = None


@dataclass(frozen=True)
class Subjects:
    """What claims are about: rows of one table, and how they fall into subjects.

    table: the name under which the table claims has it as an input.
    scope: names a subject in words; a column in braces stands for the subject's value.
    where: which rows count, as pandas has a query; @NAME is a field of the spec.
    takes: what an experiment needs for such rows, in words.
    per: columns; rows of equal values are one subject. Without any, all rows are.
    at_middle_of: a column; of a subject, only rows at the middle one of its values count.
    """

    table: str
    scope: str
    where: str
    takes: str
    per: tuple[str, ...] = ()
    at_middle_of: str | None = None

    def split(self, table: pd.DataFrame, spec: dict) -> Iterator[tuple[str, pd.DataFrame]]:
        """Scope and rows of each subject that has rows."""
        rows = table.query(self.where, local_dict=spec, engine="python")
        parts = [part for _, part in rows.groupby(list(self.per))] if self.per else [rows]
        for part in parts:
            if self.at_middle_of is not None:
                values = part[self.at_middle_of]
                part = part[values == middle(values)]
            if len(part):
                yield self.scope.format_map(part.iloc[0]), part


@dataclass(frozen=True)
class Claim:
    """One claim, held against every subject that it is about.

    key: its name, of no other claim.
    wording: what is claimed and of which quantity, in our words.
    source: the paper; ``control`` of what else may explain a paper's finding; or the kind of check.
    subjects: what it is about. Neighbours in `CLAIMS` that are about the same stand together in the
        table claims, subject by subject.
    quantity: measures a subject's rows; None where there is nothing to measure.
    rule: where the quantity lies if the claim is true.
    reported: the source's value.
    reported_at: the source's value at single layers, before `reported`.
    """

    key: str
    wording: str
    source: str
    subjects: tuple[Subjects, ...]
    quantity: Callable[[pd.DataFrame, dict], Measured | None]
    rule: Rule
    reported: Reported = Reported()
    reported_at: Mapping[str, Reported] = field(default_factory=dict)

    def reported_of(self, rows: pd.DataFrame) -> Reported:
        """The source's value of one subject."""
        if not self.reported_at:
            return self.reported
        return self.reported_at.get(rows["layer"].iloc[0], self.reported)
