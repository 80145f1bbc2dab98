"""Every claim beside what this run measured, as reproduced, not reproduced or undecided.

A verdict is about a direction and comes from an interval alone: the whole of it on the claimed
side of a bound, the whole of it on the other side, or neither. Where the interval's units (images,
seeds, networks) are too few to carry one, the verdict is undecided. Why it is stands beside it.
The size stands beside it. Reported values are the papers'; they are compared with,
never asserted. Associations over training epsilon are one network an epsilon, not causes.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from interference.analysis.frames import read_frames
from interference.analysis.shrinkage import shrinkage_share
from interference.analysis.statistics import FEWEST_RANKED, fewest, rank_correlation

PREPRINT = "Gorton & Lewis 2025"
#: L0 attacked over clean, as the preprint reports it a stage.
REPORTED_RATIO = {"stem": "1.1", "layer1": "2", "layer2": "1.5", "layer3": "2 to 4"}
#: What toy models' vulnerability is claimed under.
TOY_ATTACKS = ("strongest", "one-step")
#: Each finds at least what the one before finds, on average; of toy models that are trained.
TOY_ORDER, TRAINED = ("one-step", "pgd", "strongest", "bound"), ("clean", "adversarial")
#: Scopes of the shrinkage claim: densities up to this.
SPARSE = {"densities up to 0.15": 0.15, "all densities with a gain": 1.0}
#: Features per dimension of antipodal pairs, and how near to it counts as the plateau, relative.
ANTIPODAL, PLATEAU = 2, 0.1
#: A fall beyond a Gaussian's is one of a tenth: SAEs of two seeds on one Gaussian differ in FVU by up
#: to that (measured at stem and layer1), and intervals over images do not know it.
BEYOND = 0.9
COLUMNS = ["claim", "scope", "source", "reported", "measured", "low", "high", "interval", "bound",
           "verdict", "why"]  # fmt: skip


def verdict(
    low: float, high: float, bound: float, side: str, shortages: Iterable[str | None] = ()
) -> dict[str, str]:
    """Where the interval lies, as the columns verdict and why.

    side: "above" or "below" the bound. shortages: what the interval's units are too few for; the
    first that there is makes the claim undecided. why is empty but of what is undecided.
    """
    shortage = next(filter(None, shortages), None)
    if shortage is not None:
        return {"verdict": "undecided", "why": shortage}
    if not (np.isfinite(low) and np.isfinite(high)):
        return {"verdict": "undecided", "why": "a value that it needs could not be measured"}
    above, below = low > bound, high < bound
    if above or below:
        agrees = above == (side == "above")
        return {"verdict": "reproduced" if agrees else "not reproduced", "why": ""}
    return {"verdict": "undecided", "why": f"the interval includes {bound:g}"}


def few_images(images: int, confidence: float) -> str | None:
    """What to say where an interval over so many images is none."""
    need = fewest(confidence)
    return (
        None if images >= need else f"images {images}, an interval at {confidence:.0%} needs {need}"
    )


def few_ranked(count: int, what: str) -> str | None:
    """What to say of a rank correlation that is 1 or -1 whatever was measured."""
    if count >= FEWEST_RANKED:
        return None
    return f"{what} {count}, a rank correlation over fewer than {FEWEST_RANKED} is 1 or -1 by construction"


def build(
    spec: dict,
    accuracy: Sequence[Path] = (),
    matched: Sequence[Path] = (),
    baselines: Sequence[Path] = (),
    l0: Sequence[Path] = (),
    toy: Sequence[Path] = (),
) -> pd.DataFrame:
    """One row per claim about the arms that the experiment has.

    accuracy, matched, baselines, l0: the tables, of networks; toy: the measurements, of toy models,
    one row per model, inputs and attack. Those of an arm that the experiment lacks are not given.
    """
    rows = []
    if "toy" in spec["arms"]:
        rows += toy_claims(read_frames(toy))
    if "networks" in spec["arms"]:
        confidence = spec["confidence"]
        rows += reconstruction_claims(read_frames(matched), confidence)
        rows += baseline_claims(read_frames(baselines), confidence)
        rows += awakening_claims(read_frames(l0), spec["attack"], spec["epsilon"], confidence)
        rows += masking_checks(read_frames(accuracy), confidence)
    return pd.DataFrame(rows, columns=COLUMNS)


def toy_claims(toy: pd.DataFrame) -> list[dict]:
    """Claims about toy models; intervals are the extremes over seeds. Of geometry, from the weights
    alone; of vulnerability, under the strongest attack and the preprint's, on inputs of the model's
    own density but where the claim says otherwise."""
    over = "clean over adversarially trained, mean over densities"
    own, common = (toy[toy["inputs"] == inputs] for inputs in ("own", "common"))
    any_attack = own[own["attack"] == TOY_ATTACKS[0]]
    rows = [
        _toy_row(f"adversarial training lowers {name} ({over})", "toy models", reported,
                 _seeds(any_attack, partial(_lowered, quantity=name.replace(" ", "_"))), 1)
        for name, reported in (("features per dimension", "> 1"),
                               ("learned features per dimension", "not reported"),
                               ("interference", "about 2"))
    ]  # fmt: skip
    for attack in TOY_ATTACKS:
        scope, chosen = f"toy models, {attack} attack", own[own["attack"] == attack]
        rows += [
            _toy_row("vulnerability rises with superposition (Spearman over densities)", scope,
                     "rises", _seeds(chosen, _rise), 0,
                     shortage=few_ranked(chosen["density"].nunique(), "densities")),
            _toy_row(f"adversarial training lowers vulnerability ({over})", scope, "> 1",
                     _seeds(chosen, partial(_lowered, quantity="vulnerability")), 1),
        ]  # fmt: skip
    for attack in (
        *TOY_ATTACKS,
        "bound",
    ):  # the true dip is between the strongest's and the bound's
        dips = _seeds(own[own["attack"] == attack], _dip)
        scope = (
            f"toy models, {attack} attack"
            if attack in TOY_ATTACKS
            else "toy models, certified bound"
        )
        rows.append(
            _toy_row("vulnerability dips on the antipodal plateau (least over it, over its start)",
                     scope, "striking dip", dips, 1, "below")
        )  # fmt: skip
    return [*rows, *toy_controls(own, common, over), *attack_order(own)]


def toy_controls(own: pd.DataFrame, common: pd.DataFrame, over: str) -> list[dict]:
    """What shrinking clean models explains, and inputs of one density; under the strongest attack."""
    attack = TOY_ATTACKS[0]
    share = shrinkage_share(own[own["attack"] == attack])
    densities = share.index.get_level_values("density")
    rows = [
        _toy_row("shrinkage alone explains most of the robustness gain (share, mean over densities)",
                 f"toy models, {attack} attack, {scope}", "not reported",
                 share.where(densities <= most).groupby(level="seed").mean().to_list(), 0.5,
                 source="control")
        for scope, most in SPARSE.items()
    ]  # fmt: skip
    everywhere = _seeds(
        common[common["attack"] == attack], partial(_lowered, quantity="vulnerability")
    )
    rows.append(
        _toy_row(f"adversarial training lowers vulnerability at one common density ({over})",
                 f"toy models, {attack} attack", "not reported", everywhere, 1, source="control")
    )  # fmt: skip
    return rows


def attack_order(own: pd.DataFrame) -> list[dict]:
    """Is a strong attack one? Seed means, at every density of the models that are trained."""
    trained = own[own["training"].isin(TRAINED)]
    losses = trained.pivot_table(
        index=["training", "density"], columns="attack", values="loss_adversarial"
    )
    rows = []
    for weaker, stronger in pairwise(TOY_ORDER):
        ratio = losses[stronger] / losses[weaker]
        low, high = float(ratio.min()), float(ratio.max())
        rows.append({
            "claim": f"check: {stronger} is at least as strong as {weaker} (loss, mean over seeds)",
            "scope": f"toy models, {(ratio >= 1).sum()} of {len(ratio)} (training, density)",
            "source": "attack order", "reported": ">= 1", "measured": float(ratio.mean()),
            "low": low, "high": high, "interval": "extremes", "bound": ">= 1",
            "verdict": "reproduced" if low >= 1 else "not reproduced", "why": "",
        })  # fmt: skip
    return rows


def _seeds(toy: pd.DataFrame, measure: Callable[[pd.DataFrame, pd.DataFrame], float]) -> list:
    """``measure`` of the clean and the robust models of each seed, by density."""
    values = []
    for _, seed in toy.groupby("seed"):
        by_density = seed.set_index("density").sort_index()
        modes = (by_density[by_density["training"] == mode] for mode in TRAINED)
        values.append(measure(*modes))
    return values


def _rise(clean: pd.DataFrame, robust: pd.DataFrame) -> float:
    return rank_correlation(
        clean["features_per_dimension"].to_numpy(), clean["vulnerability"].to_numpy()
    )


def _lowered(clean: pd.DataFrame, robust: pd.DataFrame, quantity: str) -> float:
    return (clean[quantity] / robust[quantity]).mean()


def _dip(clean: pd.DataFrame, robust: pd.DataFrame) -> float:
    """Least vulnerability past the plateau's densest model, over that model's; NaN without one.

    On the plateau, features per dimension are within a tenth of antipodal pairs' two.
    """
    plateau = clean[(clean["features_per_dimension"] / ANTIPODAL - 1).abs() <= PLATEAU]
    *past, start = plateau["vulnerability"].to_list() or [np.nan]
    return min(past) / start if past else np.nan


def _toy_row(
    claim: str,
    scope: str,
    reported: str,
    values: list,
    bound: float,
    side: str = "above",
    source: str = PREPRINT,
    shortage: str | None = None,
) -> dict:
    low, high = float(np.min(values)), float(np.max(values))
    few = "seeds 1, extremes need two" if len(values) < 2 else None
    return {
        "claim": claim, "scope": scope, "source": source, "reported": reported,
        "measured": float(np.mean(values)), "low": low, "high": high,
        "interval": f"extremes of {len(values)} seeds", "bound": f"{'>' if side == 'above' else '<'} {bound:g}",
        **verdict(low, high, bound, side, [shortage, few]),
    }  # fmt: skip


def reconstruction_claims(matched: pd.DataFrame, confidence: float) -> list[dict]:
    """FVU at equal L0 falls as the training epsilon grows: Spearman's ρ below zero."""
    keys = ["model_architecture", "layer", "type", "sae_seed", "family", "model_seed"]
    rows = []
    trained = matched[(matched["family"] != "clean") & (matched["model_norm"] != "clean")]
    for (network, layer, sae_type, seed, family, model_seed), part in trained.groupby(keys):
        trend = part.iloc[0]
        rows.append({
            "claim": "FVU at equal L0 falls with the training epsilon (Spearman)",
            "scope": f"{network} {layer}, {sae_type}, {family}, model seed {model_seed}, SAE seed {seed}",
            "source": PREPRINT, "reported": "falls", "measured": trend["trend"],
            "low": trend["trend_low"], "high": trend["trend_high"], "interval": over_images(confidence),
            "bound": "< 0",
            **verdict(trend["trend_low"], trend["trend_high"], 0, "below",
                      [few_ranked(trend["networks"], "networks"), few_images(trend["images"], confidence)]),
        })  # fmt: skip
    return rows


def baseline_claims(baselines: pd.DataFrame, confidence: float) -> list[dict]:
    """FVU falls with the training epsilon by a tenth more than on a Gaussian of the same covariance."""
    keys = [
        "model_architecture",
        "layer",
        "type",
        "sparsity",
        "model_norm",
        "model_seed",
        "sae_seed",
    ]
    rows = []
    trained = baselines[baselines["model_norm"] != "clean"]
    for (network, layer, sae_type, k, norm, model_seed, sae_seed), part in trained.groupby(keys):
        low, high = part[["mean_beyond_low", "mean_beyond_high"]].iloc[0]
        rows.append({
            "claim": "FVU at equal k falls with the training epsilon by a tenth more than a Gaussian's "
                     "(ratio of the two, over the clean network's, mean over epsilons)",
            "scope": f"{network} {layer}, {sae_type} {k:g}, {norm}, model seed {model_seed}, "
                     f"SAE seed {sae_seed}",
            "source": "control", "reported": "not reported",
            "measured": part["mean_beyond"].iloc[0], "low": low, "high": high,
            "interval": over_images(confidence), "bound": f"< {BEYOND:g}",
            **verdict(low, high, BEYOND, "below", [few_images(part["images"].iloc[0], confidence)]),
        })  # fmt: skip
    return rows


def awakening_claims(
    l0: pd.DataFrame, attack: str, epsilon: float, confidence: float
) -> list[dict]:
    """Attacks wake latents up in the clean network: against clean images, and against noise."""
    chosen = l0[
        (l0["model_norm"] == "clean") & (l0["attack"] == attack) & (l0["epsilon"] == epsilon)
    ]
    rows = []
    keys = ["model_architecture", "layer", "type", "model_seed", "sae_seed"]
    for (network, layer, sae_type, model_seed, sae_seed), part in chosen.groupby(keys):
        sweep = sorted(part["sparsity"].unique())
        middle = part[part["sparsity"] == sweep[len(sweep) // 2]].iloc[0]
        scope = f"{network} {layer}, {sae_type} {middle['sparsity']:g}, {attack} {epsilon:g}, "
        scope += f"clean network, model seed {model_seed}, SAE seed {sae_seed}"
        for claim, name, source, reported in (
            ("L0 rises under attack (attacked over clean)", "ratio", PREPRINT,
             REPORTED_RATIO.get(layer, "not reported")),
            ("L0 rises more than under noise of the same norm", "over_noise", "control", "not reported"),
        ):  # fmt: skip
            low, high = middle[f"{name}_low"], middle[f"{name}_high"]
            rows.append({
                "claim": claim, "scope": scope, "source": source, "reported": reported,
                "measured": middle[name], "low": low, "high": high, "interval": over_images(confidence),
                "bound": "> 1",
                **verdict(low, high, 1, "above", [few_images(middle["images"], confidence)]),
            })  # fmt: skip
    return rows


def masking_checks(accuracy: pd.DataFrame, confidence: float) -> list[dict]:
    """Is the attack an attack, or is a gradient masked? PGD at least as strong as FGSM, both at
    least as strong as noise, at every network, norm and epsilon; no gradient exactly zero."""
    attacked = accuracy[accuracy["type"] != "clean"]
    shortage = few_images(attacked["images"].min(), confidence)
    wide = attacked.pivot_table(
        index=["model", "norm", "epsilon"], columns="type", values="accuracy"
    )
    rows = []
    for stronger, weaker in (("pgd", "fgsm"), ("fgsm", "noise"), ("pgd", "noise")):
        if {stronger, weaker} <= set(wide.columns):
            gap = (wide[weaker] - wide[stronger]).dropna()
            if len(gap):
                low, high = float(gap.min()), float(gap.max())
                rows.append({
                    "claim": f"check: {stronger} is at least as strong as {weaker} (accuracy lost)",
                    "scope": f"{len(gap)} (model, norm, epsilon)", "source": "masking check",
                    "reported": ">= 0", "measured": float(gap.mean()), "low": low, "high": high,
                    "interval": "extremes", "bound": ">= 0",
                    **_checked(low >= 0, shortage),
                })  # fmt: skip
    zero = attacked.loc[attacked["type"] != "noise", "zero_gradients"]
    if len(zero):
        rows.append({
            "claim": "check: no gradient of an attack is exactly zero (gradients that are, of all steps)",
            "scope": f"{len(zero)} (model, attack, epsilon)", "source": "masking check",
            "reported": "0", "measured": float(zero.mean()), "low": float(zero.min()),
            "high": float(zero.max()), "interval": "extremes", "bound": "= 0",
            **_checked(zero.max() == 0, None),
        })  # fmt: skip
    return rows


def over_images(confidence: float) -> str:
    return f"{confidence:.0%} bootstrap over images"


def _checked(holds: bool, shortage: str | None) -> dict[str, str]:
    """The columns verdict and why of a check."""
    if shortage is not None:
        return {"verdict": "undecided", "why": shortage}
    return {"verdict": "reproduced" if holds else "not reproduced", "why": ""}
