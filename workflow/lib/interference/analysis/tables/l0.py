"""What SAEs see under attack, against clean images and against controls such as noise of the same norm.

Any input off the data raises L0, so the headline is not the ratio to clean images but the ratio
to noise: the same images, the same norm, a random direction. Intervals are paired: one draw of
images serves numerator and denominator.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from interference.analysis.frames import MEMBER, middle, read_frames
from interference.analysis.statistics import TRAINING, Bootstrap

#: Quantities whose rows of every sparsity and training are kept, and those of which at the middle sparsity
#: every training's are, over every reference.
SENSITIVE = ("l0", "woken")
SHOWN = (*SENSITIVE, "interference_share")
#: Conditions, and what names an image under one.
CONDITION = ["attack", "epsilon"]
#: What is zero on clean images is held against another quantity of them.
OVER_CLEAN = {"woken": "l0", "silenced": "l0"}
#: Quantities that are shares of another, the drive of woken latents, which clean images lack.
SHARES = {"own_share": "drive_own", "interference_share": "drive_interference"}


def build(spec: dict, l0: Sequence[Path]) -> pd.DataFrame:
    """One row per (member, attack, epsilon, reference, quantity), and per kind of several trainings.

    Every quantity is of the middle sparsity of a sweep; of others there is what says how much hangs on them:
    `SENSITIVE`, over clean images and noise. Of each of several trainings there is that, and `SHOWN` at the
    middle sparsity.

    norm: of the attack.
    reference: the condition that the attack is held against: clean, or a control at its epsilon.
    quantity: a column of the inputs, every one that does not name a row; of drives their shares: of what
        drives the woken latents, what comes along their own directions, and through interference.
    value, reference_value: its mean under the attack, and what that is over: its mean under the
        reference, or, of woken over clean, that of l0.
    ratio: the one over the other, with its interval.

    spec: ``controls``, each attack's norm, and its controls by their kind, such as noise; beside the
        bootstrap's settings.
    l0: tables, one row per (member, attack, epsilon, image).
    """
    frame = read_frames(l0)
    middles = frame.groupby("type")["sparsity"].agg(middle)
    noises = {own["noise"] for own in spec["controls"].values()}
    bootstrap, tables = Bootstrap.over(frame, spec), []
    for _, kind in frame.groupby([name for name in MEMBER if name not in TRAINING]):
        at_middle = kind["sparsity"].iloc[0] == middles[kind["type"].iloc[0]]
        rows = [
            {**dict(zip(MEMBER, key, strict=True)), **row}
            for key, member in kind.groupby(MEMBER)
            for row in _comparisons(_draws(bootstrap, member), spec["controls"])
            if at_middle or _sensitive(row, noises)
        ]
        means = ["value", "reference_value"]
        table = bootstrap.table(pd.DataFrame(rows), log=["ratio"], means=means)
        each = [
            (at_middle and row["quantity"] in SHOWN) or _sensitive(row, noises)
            for row in table.to_dict("records")
        ]
        tables.append(table[(table["about"] != "one of several") | np.array(each)])
    return pd.concat(tables, ignore_index=True)


def _sensitive(row: Mapping, noises: set[str]) -> bool:
    """Whether a comparison is one that all sparsities have, and each of several trainings."""
    return row["quantity"] in SENSITIVE and row["reference"] in {"clean", *noises}


def _draws(bootstrap: Bootstrap, member: pd.DataFrame) -> dict[tuple, dict[str, np.ndarray]]:
    """Draws (1 + resamples,) of each quantity's mean over images, per (attack, epsilon)."""
    quantities = member.columns.drop([*MEMBER, *CONDITION, "image"])
    draws = {}
    for condition, part in member.groupby(CONDITION):
        values = part.sort_values("image")[quantities].to_numpy(np.float64)
        own = dict(zip(quantities, (bootstrap.weights @ values).T, strict=True))
        drive = own.pop("drive")
        shares = {share: own.pop(name) for share, name in SHARES.items()}
        if drive[0] > 0:  # it woke some
            with np.errstate(divide="ignore", invalid="ignore"):
                own |= {share: part / drive for share, part in shares.items()}
        draws[condition] = own
    return draws


def _comparisons(
    draws: Mapping[tuple, Mapping[str, np.ndarray]], controls: Mapping[str, Mapping[str, str]]
) -> Iterator[dict]:
    """Every condition against each of its references, in each quantity."""
    for (attack, epsilon), here in draws.items():
        if attack == "clean":
            continue
        own = {kind: name for kind, name in controls[attack].items() if kind != "norm"}
        for reference, at in {"clean": 0.0, **dict.fromkeys(own.values(), epsilon)}.items():
            if reference == attack:
                continue
            for quantity, above in here.items():
                over = OVER_CLEAN.get(quantity, quantity) if reference == "clean" else quantity
                if over not in draws.get(
                    (reference, at), {}
                ):  # clean images lack it, or the control
                    continue
                below = draws[reference, at][over]
                with np.errstate(divide="ignore", invalid="ignore"):
                    ratio = above / below
                yield {
                    "attack": attack, "epsilon": epsilon, "norm": controls[attack]["norm"], "reference": reference,
                    "quantity": quantity, "value": above[0], "reference_value": below[0],
                    "ratio": ratio,
                }  # fmt: skip
