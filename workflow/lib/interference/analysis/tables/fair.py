"""L0 under attack, compared fairly: at equal epsilon, at equal success, on images that fall or stand.

At a fixed epsilon an attack fools fewer images of a robust network, so what it does to L0 there is
compared with a lesser attack's. Beside equal epsilon stands equal success: every network at the epsilon
at which the attack fools half of the images that it had right.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from interference.analysis.families import Point, family_rows, with_trends
from interference.analysis.frames import MODEL, middle, read_frames
from interference.analysis.statistics import Bootstrap, fewest

#: Share of the images that were right which an attack fools where networks are compared.
SUCCESS = 0.5
#: What is compared: latents that are active, and those that only the attack woke.
QUANTITIES = ["l0", "woken"]
#: What names an SAE but for its network.
ALIKE = ["layer", "type", "sparsity", "sae_seed", "model_architecture"]
#: What names a comparison.
COMPARISON = ["comparison", "among", "reference", "quantity"]
COLUMNS = [*ALIKE[:-1], *COMPARISON, *MODEL, "family", "ratio", "trend", "epsilons", "epsilon",
           "success", "counted"]  # fmt: skip


def build(
    spec: dict, l0: Sequence[Path], clean: Sequence[Path], attacked: Sequence[Path]
) -> pd.DataFrame:
    """One row per (SAE at its sweep's middle sparsity, comparison, among, reference, quantity, family),
    and per kind of several trainings. All are about the attack of claims, ``spec``'s attack.

    comparison: equal epsilon, ``spec``'s; or equal success, at `SUCCESS`.
    among: the images that count: right, those that the network has right when clean; fell and stood, of
        these the ones that the attack fooled and did not.
    reference: clean, the same images without an attack; noise, under noise of the same epsilon; of those
        that fell stood, whose ratio over clean theirs is over.
    quantity: l0; or woken, which over clean images is over their l0.
    epsilon: of the attack; success: share of images that were right which it fools; both with intervals.
    counted: images that count.
    ratio: with its interval.
    family, trend, epsilons: of `family_rows`, the trend of the ratio with its interval (`with_trends`).

    Left out are networks that the attack does not fool as often at any epsilon, and sets of fewer images
    than an interval rests on.

    spec: ``attack``, ``epsilon``, ``noise``, the control's name, and the bootstrap's settings.
    l0: tables, one row per (member, attack, epsilon, image); clean, attacked: tables of predictions.
    """
    frame = read_frames(l0)
    frame = frame[frame["attack"].isin(["clean", spec["attack"], spec["noise"]])]
    bootstrap = Bootstrap.over(frame, spec)
    fallen = _fallen(read_frames(clean), read_frames(attacked), spec["attack"])
    rows: list[dict] = []
    for key, kind in _at_middle(frame).groupby(ALIKE):
        points: dict[tuple, list[tuple[Point, dict]]] = {}
        for network, member in kind.groupby(MODEL):
            model: dict = dict(zip(MODEL, network, strict=True))
            of_network = Responses(
                bootstrap, member, fallen[model["model"]], spec["attack"], spec["noise"]
            )
            for names, ratio, facts in of_network.comparisons(spec["epsilon"]):
                points.setdefault(names, []).append((Point(model, ratio), facts))
        for names, found in points.items():
            facts = {str(point.network["model"]): own for point, own in found}
            for row in family_rows([point for point, _ in found], "ratio"):
                where = dict(zip(ALIKE, key, strict=True))
                named = dict(zip(COMPARISON, names, strict=True))
                rows.append({**where, **named, **row, **facts[str(row["model"])]})
    table = bootstrap.table(
        pd.DataFrame(rows, columns=COLUMNS),
        log=["ratio"],
        natural=["trend", "epsilon", "success"],
        means=["counted"],
    )
    return with_trends(bootstrap, table)


def _at_middle(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of the SAEs at the middle sparsity of each type."""
    sparsities = frame.groupby("type")["sparsity"].agg(middle)
    return frame[frame["sparsity"] == frame["type"].map(sparsities)]


def _fallen(clean: pd.DataFrame, attacked: pd.DataFrame, attack: str) -> dict[str, pd.DataFrame]:
    """Model → a row per image that was attacked: right, whether it is when clean, and of each epsilon
    whether it fell, which only those can that were right."""
    attacked = attacked[attacked["attack"] == attack]
    found = {}
    for model, rows in attacked.groupby("model"):
        wrong = rows.assign(wrong=rows["prediction"] != rows["label"])
        wide = wrong.pivot_table(index="image", columns="epsilon", values="wrong", aggfunc="first")
        own = clean[clean["model"] == model].set_index("image").loc[wide.index]
        right = own["prediction"] == own["label"]
        found[str(model)] = wide.astype(bool).mul(right, axis=0).assign(right=right)
    return found


class Responses:
    """What one SAE of one network measures under an attack, as draws (1 + resamples,).

    fallen: of `_fallen`, of that network.
    """

    def __init__(
        self,
        bootstrap: Bootstrap,
        member: pd.DataFrame,
        fallen: pd.DataFrame,
        attack: str,
        noise: str,
    ):
        self._bootstrap, self._fallen = bootstrap, fallen
        self._attack, self._noise = attack, noise
        self._of = {
            condition: part.sort_values("image")[QUANTITIES].to_numpy(np.float64)
            for condition, part in member.groupby(["attack", "epsilon"])
        }
        self._epsilons = [name for name in fallen.columns if name != "right"]

    def comparisons(self, epsilon: float) -> Iterator[tuple[tuple, np.ndarray, dict]]:
        """Yield (comparison, among, reference, quantity), the ratio, and epsilon, success and counted.

        epsilon: where networks are compared at an equal one.
        """
        fell, right = self._fallen[epsilon].to_numpy(), self._fallen["right"].to_numpy()
        success = self._means(fell[:, None], right)[:, 0]
        facts = {"epsilon": np.full(len(success), epsilon), "success": success}
        over_clean: dict[tuple, np.ndarray] = {}
        for among, images in (("right", right), ("fell", fell), ("stood", right & ~fell)):
            if images.sum() < fewest(self._bootstrap.confidence):
                continue
            counted = {**facts, "counted": float(images.sum())}
            means = {c: self._means(values, images) for c, values in self._of.items()}
            at = means[self._attack, epsilon], means["clean", 0.0], means[self._noise, epsilon]
            for (reference, quantity), ratio in _ratios(*at):
                if reference == "clean":
                    over_clean[among, quantity] = ratio
                yield ("equal epsilon", among, reference, quantity), ratio, counted
        for quantity in QUANTITIES:
            if {("fell", quantity), ("stood", quantity)} <= over_clean.keys():
                ratio = over_clean["fell", quantity] / over_clean["stood", quantity]
                counted = {**facts, "counted": float(fell.sum())}
                yield ("equal epsilon", "fell", "stood", quantity), ratio, counted
        yield from self._at_equal_success(right)

    def _at_equal_success(self, right: np.ndarray) -> Iterator[tuple[tuple, np.ndarray, dict]]:
        """Yield the comparisons at the epsilon of `SUCCESS`, linear between those of the grid."""
        grid = np.array([0.0, *self._epsilons])
        if right.sum() < fewest(self._bootstrap.confidence):
            return
        fooled = self._means(self._fallen[self._epsilons].to_numpy(), right)
        successes = np.maximum.accumulate(np.insert(fooled, 0, 0.0, axis=1), axis=1)
        epsilon = crossing(grid, successes, SUCCESS)
        if np.isnan(epsilon[0]):
            return
        clean = self._means(self._of["clean", 0.0], right)
        at = [
            along(grid, np.stack([clean, *(self._means(self._of[name, e], right) for e in self._epsilons)]), epsilon)
            for name in (self._attack, self._noise)
        ]  # fmt: skip
        facts = {"epsilon": epsilon, "success": np.where(np.isnan(epsilon), np.nan, SUCCESS)}
        for (reference, quantity), ratio in _ratios(at[0], clean, at[1]):
            counted = {**facts, "counted": float(right.sum())}
            yield ("equal success", "right", reference, quantity), ratio, counted

    def _means(self, values: np.ndarray, images: np.ndarray) -> np.ndarray:
        """Means over some images in every draw: (1 + resamples, columns). values: (images, columns)."""
        weights = self._bootstrap.weights * images
        with np.errstate(invalid="ignore"):
            return (weights @ values) / weights.sum(1, keepdims=True)


def _ratios(
    attacked: np.ndarray, clean: np.ndarray, noise: np.ndarray
) -> Iterator[tuple[tuple[str, str], np.ndarray]]:
    """Yield (reference, quantity) and the ratio. attacked, clean, noise: (draws, quantities)."""
    for place, quantity in enumerate(QUANTITIES):
        with np.errstate(divide="ignore", invalid="ignore"):
            yield ("clean", quantity), attacked[:, place] / clean[:, QUANTITIES.index("l0")]
            yield ("noise", quantity), attacked[:, place] / noise[:, place]


def crossing(grid: np.ndarray, rising: np.ndarray, target: float) -> np.ndarray:
    """Where rising lines first reach a target, linear between the points of a grid: (draws,).

    grid: (points,), ascending. rising: (draws, points), which never fall. NaN where it is not reached.
    """
    reached = rising >= target
    right = np.maximum(reached.argmax(1), 1)
    rows = np.arange(len(rising))
    low, high = rising[rows, right - 1], rising[rows, right]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (target - low) / (high - low)
    found = grid[right - 1] + share * (grid[right] - grid[right - 1])
    return np.where(reached.any(1), found, np.nan)


def along(grid: np.ndarray, values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Values at places between the points of a grid, linear, each draw at its own: (draws, columns).

    grid: (points,), ascending. values: (points, draws, columns). places: (draws,); NaN gives NaN.
    """
    right = np.clip(np.searchsorted(grid, places), 1, len(grid) - 1)
    rows = np.arange(len(places))
    share = ((places - grid[right - 1]) / (grid[right] - grid[right - 1]))[:, None]
    return values[right - 1, rows] * (1 - share) + values[right, rows] * share
