"""Tables of the preprint's rivals with effects that are planted, or with none."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from interference.analysis.tables import abundance as abundance_table
from interference.analysis.tables import bottlenecks as bottlenecks_table
from interference.analysis.tables import interpretability as interpretability_table
from interference.analysis.tables import overlap as overlap_table
from interference.analysis.tables import relearning as relearning_table
from interference.analysis.tables.claims import decide, untested

SEEDS, WIDTHS, EPSILONS = range(6), (2, 3, 5, 9), (0.0, 1.0)
GEOMETRIES = {"learned": "learned", "frame-0": "forced", "frame-1": "forced"}
CLASSES, HIDDEN = (2, 3, 5, 10), (8, 32, 128)
#: Quantities of the table bottlenecks and what stands beside each as its control.
CONTROLS = {"cosine": ("cosine_shuffled", "cosine_other"), "profile": ("swapped",), "transfer": ("transfer_null",)}  # fmt: skip

#: What adversarial training adds, of all networks, of those that still do their task, beyond the units'.
GAINS = ("gain", "gain_alive", "gain_beyond")


def bottlenecks(effect: float, rng: np.random.Generator, spread: float = 0.05) -> pd.DataFrame:
    """effect: what every quantity has over its control, at all widths; more of it where these are few."""
    rows = []
    for seed, epsilon, width, geometry in product(SEEDS, EPSILONS, WIDTHS, GEOMETRIES):
        narrow = (9 - width) / 7
        row = {"classes": 10, "width": width, "epsilon": epsilon, "geometry": geometry,
               "kind": GEOMETRIES[geometry], "seed": seed, "superposed": width < 9}  # fmt: skip
        row["fallen"] = 0.5 + effect * narrow + rng.normal(0, spread)
        for name, controls in CONTROLS.items():
            row |= {control: rng.normal(0, spread) for control in controls}
            row[name] = effect * (1 + narrow) + rng.normal(0, spread)
        rows.append(row)
    return pd.DataFrame(rows)


def abundance(effect: float, rng: np.random.Generator, spread: float = 0.05) -> pd.DataFrame:
    """effect: what a step towards fewer classes, and a quadrupling of hidden units, add to the gain;
    and the accuracy that is lost at the middle one of hidden units."""
    rows = []
    for seed, (i, classes), (j, width) in product(SEEDS, enumerate(CLASSES), enumerate(HIDDEN)):
        gain = effect * (2 * (j - 1) - 2 * (i - 1.5)) + rng.normal(0, spread)
        rows.append(
            {
                "classes": classes,
                "width": width,
                "epsilon": 0.0,
                "seed": seed,
                **dict.fromkeys(GAINS, gain),
                "accuracy_lost": effect * (1 - 0.5 * (j - 1)) + rng.normal(0, spread),
            }
        )
    return pd.DataFrame(rows)


def interpretability(effect: float, rng: np.random.Generator, spread: float = 0.05) -> pd.DataFrame:
    """effect: what adversarial training adds to both proxies of units and latents; half of it is sparsity's."""
    rows = []
    for seed, classes, width, features in product(SEEDS, CLASSES, HIDDEN, ("units", "latents")):
        row = {
            "classes": classes,
            "width": width,
            "seed": seed,
            "epsilon": 0.0,
            "features": features,
        }
        for proxy in interpretability_table.PROXIES:
            row[f"{proxy}_gain"] = effect + rng.normal(0, spread)
            row[f"{proxy}_gain_beyond"] = effect / 2 + rng.normal(0, spread)
        rows.append(row)
    return pd.DataFrame(rows)


def relearning(effect: float, rng: np.random.Generator, spread: float = 0.05) -> pd.DataFrame:
    """effect: accuracy, over chance and over noise, of who learns from attacks on a clean network; it falls
    by half of it over epsilon."""
    rows = [
        {"targets": targets, "seed": seed, "epsilon": epsilon, "classes": 10, "chance": 0.1,
         "accuracy": 0.1 + effect * (1 - epsilon / 0.6) + rng.normal(0, spread),
         "noise_accuracy": 0.1 + rng.normal(0, spread), "gain": -effect / 2 + rng.normal(0, spread)}
        for targets, seed, epsilon in product(("random", "next"), SEEDS, (0.0, 0.1, 0.3))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def relearned(seed: int) -> pd.DataFrame:
    """What `relearn` writes of one seed: attacks on a clean network teach much, on robust ones less, and
    noise nothing."""
    rng, rows = np.random.default_rng(200 + seed), []
    for epsilon, targets in product((0.0, 0.1, 0.3), ("random", "next")):
        rows.append({
            "seed": seed, "epsilon": epsilon, "targets": targets, "source_accuracy": 0.85 - epsilon,
            "success": 0.6 - epsilon, "distance": 2.3, "accuracy": 0.6 - epsilon + rng.normal(0, 0.01),
            "fitted": 0.9, "noise_accuracy": 0.1 if targets == "random" else 0.02, "noise_fitted": 0.3,
            "noise_distance": 2.4, "classes": 10, "hidden": 128,
        })  # fmt: skip
    return pd.DataFrame(rows)


def overlaps(
    seeds: Sequence[int] = SEEDS, draw: int = 0, sharing: float = 0.4, column: str = "matched"
) -> pd.DataFrame:
    """What `overlap` writes: success rises with one measure of likeness of a pair by ``sharing``, and hangs
    on how easily the target falls; the other measures are drawn."""
    rng, rows = np.random.default_rng(300 + draw), []
    networks = [*product((8, 32), (0.0, 0.3), seeds)]
    weak = {network: rng.random() for network in networks}
    measures = {
        frozenset(pair): {name: rng.random() for name in ("cka", "matched", "interference")}
        for pair in product(networks, networks)
    }
    for source, target in product(networks, networks):
        if source != target:
            likeness = measures[frozenset((source, target))]
            success = 0.2 + 0.3 * weak[target] + sharing * likeness[column] + rng.normal(0, 0.03)
            row = dict(zip(("source_width", "source_epsilon", "source_seed"), source))
            row |= dict(zip(("target_width", "target_epsilon", "target_seed"), target))
            rows.append({
                **row, "agreement": rng.random(), "noise": weak[target], "images": 50, "latents": 20,
                "own": weak[target] + rng.normal(0, 0.1), "success": success, **likeness,
            })  # fmt: skip
    return pd.DataFrame(rows)


def lowered(rng: np.random.Generator) -> pd.DataFrame:
    """Effective features that fall everywhere alike."""
    return abundance(0, rng).assign(**dict.fromkeys(GAINS, -0.3))


def aims(seeds: Sequence[int] = SEEDS, images: int = 40) -> dict[str, pd.DataFrame]:
    """What `aim` writes, of ten classes: attacks point and land where class vectors say, more often than
    not, and pass to classifiers of like ones."""
    rng = np.random.default_rng(0)
    found: dict[str, list[dict]] = {"aims": [], "landings": [], "passes": []}
    grams = {name: ring(rng) for name in GEOMETRIES}
    networks = [*product(EPSILONS, WIDTHS, GEOMETRIES, seeds)]
    for epsilon, width, geometry, seed in networks:
        name = {"width": width, "epsilon": epsilon, "geometry": geometry,
                "kind": GEOMETRIES[geometry], "seed": seed}  # fmt: skip
        gram = grams[geometry]
        labels = np.arange(images) % 10
        near = np.where(np.eye(10, dtype=bool), -2, gram).argmax(1)
        landed = np.where(rng.random(images) < 0.6, near[labels], rng.integers(0, 10, images))
        for label, place in zip(labels, landed):
            angles = {"cosine": 0.5, "cosine_shuffled": 0.1, "cosine_other": 0.3}
            noisy = {angle: value + rng.normal(0, 0.05) for angle, value in angles.items()}
            found["aims"].append({**name, "label": label, "landed": place, **noisy})
        for label, other in product(range(10), range(10)):
            if label != other:
                here = labels == label
                counts = {"attacked": here.sum(), "landed": (landed[here] == other).sum()}
                pair = {"label": label, "other": other, "cosine": gram[label, other]}
                found["landings"].append({**name, **pair, **counts})
        for target, other in product(GEOMETRIES, seeds):
            if other != seed:
                alike = float(target == geometry) + rng.normal(0, 0.05)
                success = 0.3 + 0.3 * alike + rng.normal(0, 0.05)
                found["passes"].append({
                    **name, "target_geometry": target, "target_seed": other, "success": success,
                    "noise": 0.05, "images": 100, "similarity": alike,
                    "agreement": 0.8 + rng.normal(0, 0.02),
                })  # fmt: skip
    return {name: pd.DataFrame(rows) for name, rows in found.items()}


def ring(rng: np.random.Generator) -> np.ndarray:
    """Cosines of ten class vectors on a circle, in an order of their own: (10, 10)."""
    place = rng.permutation(10)
    return np.cos(2 * np.pi * (place[:, None] - place) / 10)


def counts(seed: int) -> pd.DataFrame:
    """What `count` writes of one seed: effective features rise of easy tasks with capacity, and fall of hard
    ones without; the narrowest network gives ten classes up at the largest epsilon."""
    rng, rows = np.random.default_rng(seed), []
    for (i, classes), (j, width) in product(enumerate(CLASSES), enumerate(HIDDEN)):
        for epsilon, images in ((0.0, "clean"), (0.1, "clean"), (0.1, "attacked"), (0.3, "clean"),
                                (0.3, "attacked")):  # fmt: skip
            change = epsilon * (2 * (j - 1) - 2 * (i - 1.5)) / 3 + rng.normal(0, 0.01)
            given_up = classes == 10 and width == 8 and epsilon == 0.3
            rows.append({
                "classes": classes, "width": width, "epsilon": epsilon, "images": images, "seed": seed,
                "accuracy": 0.1 if given_up else 0.8, "features": width * 2 * (1 + change),
                "units": width * 0.8 * (1 + rng.normal(0, 0.01)), "fvu": 0.02, "l0": 3.0,
            })  # fmt: skip
    return pd.DataFrame(rows)


def meanings(seed: int) -> pd.DataFrame:
    """What `count` writes of one seed beside it: both proxies rise by 0.6 per unit of epsilon more than those
    of random directions, which rise by 1."""
    rng, rows = np.random.default_rng(100 + seed), []
    for classes, width, epsilon in product(CLASSES, HIDDEN, (0.0, 0.1, 0.3)):
        row = {"classes": classes, "width": width, "epsilon": epsilon, "seed": seed}
        for of in interpretability_table.FEATURES.values():
            row |= {f"{of}_living": 5.0, f"{of}_active": 0.3 - epsilon / 2}
            for proxy in interpretability_table.PROXIES:
                random = 0.2 + epsilon + rng.normal(0, 0.01)
                row |= {f"{of}_{proxy}_random": random, f"{of}_{proxy}": random + 0.6 * epsilon}
        rows.append(row)
    return pd.DataFrame(rows)


def written(folder: Path) -> dict[str, dict[str, list[Path]]]:
    """Write all of it; the inputs of the tables of rivals."""
    made = {name: [frame] for name, frame in aims().items()} | {
        "counts": [counts(s) for s in SEEDS],
        "meanings": [meanings(s) for s in SEEDS],
        "relearned": [relearned(s) for s in SEEDS],
        "overlaps": [overlaps()],
    }
    paths: dict[str, list[Path]] = {}
    for name, frames in made.items():
        paths[name] = [folder / f"{name}-{number}.parquet" for number in range(len(frames))]
        for path, frame in zip(paths[name], frames):
            frame.to_parquet(path)
    return {
        "bottlenecks": {name: paths[name] for name in ("aims", "landings", "passes")},
        "abundance": {"counts": paths["counts"]},
        "interpretability": {name: paths[name] for name in ("counts", "meanings")},
        "relearning": {"relearned": paths["relearned"]},
        "overlap": {name: paths[name] for name in ("overlaps", "counts")},
    }


def tables() -> dict[str, pd.DataFrame]:
    """The tables of rivals and claims of all of it, by name."""
    with TemporaryDirectory() as folder:
        inputs = written(Path(folder))
        found = {
            "bottlenecks": bottlenecks_table.build(
                {"resamples": 20, "seed": 0}, **inputs["bottlenecks"]
            ),
            "abundance": abundance_table.build({}, **inputs["abundance"]),
            "interpretability": interpretability_table.build({}, **inputs["interpretability"]),
            "relearning": relearning_table.build({}, **inputs["relearning"]),
            "overlap": overlap_table.build({}, **inputs["overlap"]),
        }
    claims = decide(found, {"confidence": 0.95})
    claims = pd.concat([claims, untested(set(claims["key"]))], ignore_index=True)
    return {**found, "claims": claims}
