"""Measurements on canvases with an effect that is planted, as the room canvas writes them."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd

from interference.config.canvas import Canvas, members, regime_of

CONFIG = {
    "cells": 36,
    "halved": True,
    "regimes": {
        "dense": {"classes": 10, "density": 0.1, "detectors": 0, "hidden": 0},
        "sparse": {"classes": 6, "density": 0.03, "detectors": 4, "hidden": 128},
    },
    "doses": [1.0, 1.5, 2.0, 3.0, 4.0, 6.0],
    "seeds": [0, 1, 2],
    "families": ["dose", "frozen", "orthonormal", "width", "crossover", "ladder", "factorial"],
    "trunk": {"features": 24, "steps": 10, "batch_size": 16, "learning_rate": 0.003},
    "training": {"steps": 10, "batch_size": 16, "learning_rate": 0.003},
    "flips": {"pairs": 36, "steps": 4, "starts": 1},
    "adversarial": {"epsilons": [0.25, 0.5, 1.0], "steps": 2},
    "transfer": {"doses": [3.0], "pairs": 12},
}
CANVAS = Canvas.model_validate(CONFIG)
PAIRS = 36


def measured(
    family: str,
    seed: int,
    *,
    regime: str = "dense",
    slope: float = -0.5,
    level: float = 0.0,
    own: float = -0.1,
    noise: float = -0.2,
    gain: tuple[float, float] = (0.1, 0.3),
    spread: float = 0.02,
    canvas: Canvas = CANVAS,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of flips and of features of one family and seed.

    slope, own: of the interference term and of log r_own on log dose; level: of the interference term at
    any dose; noise: slope of the interference term of noise. gain: what a training radius of 1 on all
    cells adds to log r_own and to interference. spread: standard deviation between seeds.
    """
    rng = np.random.default_rng([seed, len(family)])
    hidden = regime_of(canvas, family, regime)["hidden"]
    names = {"family": family, "regime": regime, "decoder": "hidden" if hidden else "linear"}
    flips, features = [], []
    of_pair, of_seed = rng.normal(0, 0.3, PAIRS), rng.normal(0, spread, 2)
    last = members(canvas, family)[-1]["name"]
    for member in members(canvas, family):
        identity = names | {"seed": seed, "network": member["name"], "dose": member["dose"]}
        sizes = {"cells": member["cells"], "dimensions": member["dimensions"]}
        doses = np.full(member["read"], member["dose"])
        if member["blocks"]:
            of, dimensions = (np.array(member["blocks"][key]) for key in ("of", "dimensions"))
            doses = (np.bincount(of) / dimensions)[of]
        feature = np.arange(PAIRS) % min(member["read"], 12 if family == "factorial" else 36)
        dose = doses[feature]
        hardened = member["epsilon"] * (member["attacked"] == "all")
        log_own = 0.5 + of_pair + (own + of_seed[0]) * np.log(dose) + gain[0] * hardened
        term = level + (slope + of_seed[1]) * np.log(np.maximum(dose, 1)) + gain[1] * hardened
        radius = {"own": np.exp(log_own), "all": np.exp(log_own + term)}
        rest = radius["all"] ** -2.0 - radius["own"] ** -2.0
        radius["others"] = np.where(rest > 1e-9, np.maximum(rest, 1e-9) ** -0.5, np.inf)
        sd = {"own": 1.0, "others": 1.0, "all": np.maximum(dose, 1) ** -noise}
        pairs = {"canvas": np.arange(PAIRS), "feature": feature, "block_dose": dose}
        for region in ("all", "own", "others"):
            flips.append(pd.DataFrame({
                **identity, **sizes, **pairs, "on": np.arange(PAIRS) % 2 == 0,
                # one pair is wrong in one network alone
                "right": (np.arange(PAIRS) > 0) | (member["name"] != last),
                "region": region, "radius": radius[region], "noise": sd[region],
                "certified": np.nan if hidden else 0.5 * radius[region],
            }))  # fmt: skip
        features.append(pd.DataFrame({
            **identity, "feature": np.arange(member["read"]), "block_dose": doses,
            "epsilon": member["epsilon"], "attacked": member["attacked"] or "",
            "accuracy": 0.98 - 0.02 * doses, "threshold": 0.0,
            "interference_to_signal": 0.1 * doses * (1 + 0.01 * seed), "squared_cosines": doses - 1,
            "dimensionality": 1 / np.maximum(doses, 1), "norm": 1.0,
            "noise_all": 1.0, "noise_own": 0.5, "noise_others": 0.8,
        }))  # fmt: skip
    return pd.concat(flips), pd.concat(features)


def mounted(
    seed: int,
    norm: str,
    epsilon: float,
    *,
    slope: float = -0.5,
    gain: tuple[float, float] = (0.4, 0.1),
    spread: float = 0.02,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of flips and of features of bottlenecks on one frozen network, at doses of 1 and 3.

    gain: what a training epsilon of 1 adds to log r_own and, at a dose of 3, to interference.
    """
    name = f"{norm}-{epsilon:g}-s{seed}"
    model = {
        "model": name, "model_architecture": "resnet18", "model_norm": norm,
        "model_epsilon": epsilon, "model_seed": seed,
    }  # fmt: skip
    of_network = np.random.default_rng([seed, len(norm), int(100 * epsilon)]).normal(0, spread, 3)
    flips, features = measured("dose", seed, slope=slope, own=0.0, spread=0.0)
    own_gain = gain[0] * epsilon + of_network[0]
    parts = []
    for rows in (flips, features):
        rows = rows[rows["dose"].isin([1.0, 3.0])].assign(family="mounted")
        parts.append(pd.DataFrame({**model, **{name: rows[name] for name in rows}}))
    flips, features = parts
    # Something at every dose, or that all cells never need more than one would bias what is planted.
    term = -0.3 + np.where(flips["dose"] > 1, gain[1] * epsilon + of_network[1], of_network[2])
    moved = own_gain + np.where(flips["region"] == "own", 0.0, term)
    flips["radius"] = flips["radius"] * np.exp(moved)
    flips["right"] = (flips["canvas"] > 0) | (norm != "l2")  # one pair is wrong on robust networks
    flips["certified"] = np.nan
    return flips, features


def on_networks(folder: Path, seeds=(0, 1, 2), **planted) -> dict[str, list[Path]]:
    """The inputs flips and features of bottlenecks on five networks of each seed."""
    kinds = (("clean", 0.0), ("l2", 0.5), ("l2", 1.0), ("l2", 2.0), ("linf", 0.03))
    found = [
        mounted(seed, norm, epsilon, **planted)
        for seed, (norm, epsilon) in itertools.product(seeds, kinds)
    ]
    flips, features = zip(*found)
    return written(folder, flips=list(flips), features=list(features))


def transfers(regime: str = "dense", others: float = 0.4, noise: float = 0.1) -> pd.DataFrame:
    """Rows of attacks that pass between the seeds."""
    success = {"own": 0.6, "others": others, "all": 0.7, "noise": noise}
    rows = [
        {
            "regime": regime, "decoder": "linear", "dose": 3.0, "source_seed": source,
            "target_seed": target, "region": region, "features": features,
            "success": rate + 0.01 * source - 0.01 * target, "pairs": 12,
        }
        # a source shown to itself, as the step does: all but noise flip, which is no transfer
        for source, target in itertools.product(CANVAS.seeds, repeat=2)
        for region, rate in (
            success if source != target else dict.fromkeys(success, 1.0) | {"noise": noise}
        ).items()
        for features in ("independent", "correlated")
    ]  # fmt: skip
    return pd.DataFrame(rows)


def proxies(seed: int, regime: str = "dense") -> pd.DataFrame:
    """A proxy that follows the dose, one that follows the scale of activations, and one that is constant."""
    varied = {
        "dose_n": [(dose, dose) for dose in (1.0, 2.0, 3.0, 6.0)],
        "dose_m": [(dose, 36 / dose) for dose in (1.0, 1.5, 3.0)],
        "density": [(3.0, p) for p in (0.05, 0.1, 0.2)],
        "width": [(3.0, m) for m in (12.0, 24.0)],
        "scale": [(3.0, s) for s in (0.25, 1.0, 4.0)],
    }
    values = {
        "true": lambda vary, dose, value: dose + 0.1 * seed,
        "norm": lambda vary, dose, value: dose * (value if vary == "scale" else 1),
        "constant": lambda vary, dose, value: 1.0,
    }
    return pd.DataFrame([
        {
            "regime": regime, "decoder": "linear", "seed": seed, "vary": vary, "dose": dose,
            "value_of_what_varies": value, "proxy": proxy, "value": float(of(vary, dose, value)),
        }
        for vary, points in varied.items() for dose, value in points for proxy, of in values.items()
    ])  # fmt: skip


def cosines(seed: int, regime: str = "dense", canvas: Canvas = CANVAS) -> pd.DataFrame:
    """Cosines between random directions, of the family dose."""
    rng, parts = np.random.default_rng(seed), []
    for member in members(canvas, "dose"):
        directions = rng.normal(size=(member["cells"], member["dimensions"]))
        if member["dose"] == 1:
            directions = np.eye(member["cells"])
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        i, j = np.triu_indices(member["cells"], 1)
        parts.append(pd.DataFrame({
            "family": "dose", "regime": regime, "decoder": "linear", "seed": seed,
            "network": member["name"], "dose": member["dose"], "i": i, "j": j,
            "cosine": (directions @ directions.T)[i, j],
        }))  # fmt: skip
    return pd.concat(parts)


def written(folder: Path, **frames: list[pd.DataFrame]) -> dict[str, list[Path]]:
    """Write frames as the inputs of a table, and return their paths by name."""
    paths: dict[str, list[Path]] = {}
    for name, parts in frames.items():
        paths[name] = [folder / f"{name}-{number}.parquet" for number in range(len(parts))]
        for part, path in zip(parts, paths[name], strict=True):
            part.to_parquet(path)
    return paths


def of_families(
    folder: Path, *families: str, regimes=("dense",), **planted
) -> dict[str, list[Path]]:
    """The inputs flips and features of some families, in every seed."""
    found = [
        measured(family, seed, regime=regime, **planted)
        for family in families
        for regime in regimes
        for seed in CANVAS.seeds
    ]
    flips, features = zip(*found)
    return written(folder, flips=list(flips), features=list(features))
