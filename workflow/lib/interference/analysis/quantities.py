"""What claims are about: quantities, each measured on the rows of one subject.

Each takes a subject's rows and the spec of the table claims, and settings of its own by name.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

from interference.analysis.shrinkage import shrinkage_share
from interference.analysis.significance import p_of_interval, p_of_mean
from interference.analysis.statistics import rank_correlation, student
from interference.analysis.verdicts import Measured, few_images, few_ranked, few_seeds, few_to_miss

#: Features per dimension of antipodal pairs, and how near to it counts as the plateau, relative.
ANTIPODAL, PLATEAU = 2, 0.1


def estimate(
    rows: pd.DataFrame,
    spec: dict,
    *,
    column: str,
    log: bool = False,
    ranked: str = "",
    least: float = 0.0,
) -> Measured:
    """A number that a table holds with its interval.

    rows: the first has the number in ``column``, its interval in column_low and column_high, and what
        that is over in about, networks, sae_seeds and images.
    log: whether the table averages it as a logarithm.
    ranked: of a rank correlation, the column of how many units it is over.
    least: of a difference of shares, the least that counts.
    """
    first = rows.iloc[0]
    shortage = few_ranked(first[ranked], ranked) if ranked else ""
    if least:
        shortage = few_to_miss(first["images"], least, spec["confidence"])
    units = {"networks": first["networks"], "SAE seeds": first["sae_seeds"]}
    over = [f"{count} {name}" for name, count in units.items() if count > 1]
    over.append(f"{first['images']} images")
    trainings = [count for count in units.values() if count > 1]
    value, low, high = (first[f"{column}{end}"] for end in ("", "_low", "_high"))
    return Measured(
        value,
        low,
        high,
        f"{spec['confidence']:.0%} over {', '.join(over)}",
        first["about"],
        shortage or few_images(first["images"], spec["confidence"]),
        p=partial(
            p_of_interval,
            value=value,
            low=low,
            high=high,
            confidence=spec["confidence"],
            freedom=trainings[0] - 1 if trainings else np.inf,
            log=log,
        ),
    )


def rise(rows: pd.DataFrame, spec: dict) -> Measured:
    """Spearman's ρ of features per dimension and vulnerability, over densities of clean toy models."""

    def correlation(clean: pd.DataFrame, robust: pd.DataFrame) -> float:
        return float(
            rank_correlation(
                clean["features_per_dimension"].to_numpy(), clean["vulnerability"].to_numpy()
            )
        )

    shortage = few_ranked(rows["density"].nunique(), "densities")
    return _over_seeds(_by_seed(rows, correlation), shortage)


def lowered(rows: pd.DataFrame, spec: dict, *, column: str) -> Measured:
    """``column`` of clean toy models over that of adversarially trained ones, geometric mean over
    densities.

    A mean of ratios is above 1 where training does nothing and densities differ by chance; this one,
    with clean and adversarial dealt anew, is its own reciprocal.
    """

    def ratio(clean: pd.DataFrame, robust: pd.DataFrame) -> float:
        return float(np.exp(np.log(clean[column] / robust[column]).mean()))

    return _over_seeds(_by_seed(rows, ratio))


def dip(rows: pd.DataFrame, spec: dict) -> Measured:
    """Least vulnerability of clean toy models on the antipodal plateau past its densest model, over
    that model's; NaN without one.

    On the plateau, features per dimension are within a tenth of antipodal pairs' two.
    """

    def depth(clean: pd.DataFrame, robust: pd.DataFrame) -> float:
        plateau = clean[(clean["features_per_dimension"] / ANTIPODAL - 1).abs() <= PLATEAU]
        *past, start = plateau["vulnerability"].to_list() or [np.nan]
        return min(past) / start if past else np.nan

    return _over_seeds(_by_seed(rows, depth))


def shrinkage(rows: pd.DataFrame, spec: dict, *, up_to: float | None = None) -> Measured:
    """Share of the robustness gain that shrinking clean toy models explains, mean over densities.

    up_to: the largest density that counts; None: all.
    """
    share = shrinkage_share(rows)
    cases = "all densities with a gain"
    if up_to is not None:
        share = share.where(share.index.get_level_values("density") <= up_to)
        cases = f"densities up to {up_to:g}"
    return _over_seeds(share.groupby(level="seed").mean().to_list(), cases=cases)


def loss_ratio(rows: pd.DataFrame, spec: dict, *, stronger: str, weaker: str) -> Measured:
    """Loss of toy models under one attack over that under another, seed means, at every training and
    density."""
    losses = rows.pivot_table(
        index=["training", "density"], columns="attack", values="loss_adversarial"
    )
    ratio = losses[stronger] / losses[weaker]
    return _extremes(ratio, f"{(ratio >= 1).sum()} of {len(ratio)} (training, density)")


def accuracy_lost(rows: pd.DataFrame, spec: dict, *, stronger: str, weaker: str) -> Measured | None:
    """Accuracy under the weaker type of attack less that under the stronger, at every network, norm
    and epsilon that both have; None where there is none.

    Both are of those types that are on all attacked images: any but ``strongest``.
    """
    both = rows[rows["type"].isin([stronger, weaker])]
    wide = both.pivot_table(index=["model", "norm", "epsilon"], columns="type", values="accuracy")
    gap = wide.reindex(columns=[stronger, weaker]).dropna()
    if gap.empty:
        return None
    shortage = few_images(both["images"].min(), spec["confidence"])
    return _extremes(gap[weaker] - gap[stronger], f"{len(gap)} (model, norm, epsilon)", shortage)


def lost_beyond_pgd(rows: pd.DataFrame, spec: dict) -> Measured | None:
    """Accuracy under PGD less that under the ensemble ``strongest``, on the images of the ensemble, at
    every network, ensemble and epsilon that PGD has too; None where there is none."""
    ensemble = rows[rows["type"] == "strongest"].dropna(subset="pgd_accuracy")
    if ensemble.empty:
        return None
    lost = ensemble["pgd_accuracy"] - ensemble["accuracy"]
    shortage = few_images(ensemble["images"].min(), spec["confidence"])
    return _extremes(lost, f"{len(lost)} (model, attack, epsilon)", shortage)


def zero_gradients(rows: pd.DataFrame, spec: dict) -> Measured | None:
    """How many gradients of an attack are exactly zero, of all images and steps, at every network,
    attack and epsilon; None where no method takes gradients."""
    zero = rows.loc[rows["type"] != "noise", "zero_gradients"]
    return None if zero.empty else _extremes(zero, f"{len(zero)} (model, attack, epsilon)")


def mean_over_seeds(values: pd.Series, spec: dict, about: str) -> Measured:
    """A mean of one value per seed, with Student's interval. about: whose number it is."""
    low, high = student(values.to_numpy(), spec["confidence"])
    interval = f"{spec['confidence']:.0%} over {len(values)} seeds"
    p = partial(p_of_mean, values=values.to_numpy())
    return Measured(float(values.mean()), low, high, interval, about, few_seeds(len(values)), p=p)


def _by_seed(
    rows: pd.DataFrame, measure: Callable[[pd.DataFrame, pd.DataFrame], float]
) -> list[float]:
    """``measure`` of the clean and of the adversarially trained models of each seed.

    rows: one per toy model; ``measure`` takes those of one training, by ascending density.
    """
    values = []
    for _, seed in rows.groupby("seed"):
        by_density = seed.set_index("density").sort_index()
        modes = (by_density[by_density["training"] == mode] for mode in ("clean", "adversarial"))
        values.append(measure(*modes))
    return values


def _over_seeds(values: list[float], shortage: str = "", cases: str = "") -> Measured:
    return Measured(
        float(np.mean(values)),
        float(np.min(values)),
        float(np.max(values)),
        f"extremes of {len(values)} seeds",
        "toy models",
        shortage or few_seeds(len(values)),
        cases,
        partial(p_of_mean, values=values),
    )


def _extremes(values: pd.Series, cases: str, shortage: str = "") -> Measured:
    ends = float(values.min()), float(values.max())
    return Measured(float(values.mean()), *ends, "extremes", "all cases", shortage, cases)
