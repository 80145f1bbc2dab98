"""Least changes: the table beside brute force, planted trends and nulls, the figure."""

import numpy as np
import pandas as pd
import pytest

from interference.analysis.figures import least as figure
from interference.analysis.figures.style import save
from interference.analysis.statistics import Bootstrap
from interference.analysis.tables import claims, least
from tests.analysis.test_analysis_trainings import SEEDS, network
from tests.support.nulls import DEALS, hold

EPSILONS, IMAGES = (0.0, 0.5, 1.0, 2.0), 40
SPEC = {"confidence": 0.95, "resamples": 200, "seed": 0}


def radii(grows, seeds=SEEDS, draw=0):
    """Rows of `attacks.least`: radii that grow by a factor per epsilon, in a fifth of the way to others."""
    rng, parts = np.random.default_rng(draw), []
    nearest = rng.uniform(4, 6, IMAGES)
    for seed in seeds:
        for epsilon in EPSILONS:
            radius = 0.2 * nearest * grows**epsilon * rng.uniform(0.7, 1.3, IMAGES)
            columns = {"image": np.arange(IMAGES), "radius": radius, "nearest": nearest}
            parts.append(pd.DataFrame({**network(seed, epsilon), **columns}))
    return pd.concat(parts, ignore_index=True)


def tabled(rows, folder):
    path = folder / "rows.parquet"
    rows.to_parquet(path)
    return least.build(SPEC, [path])


def verdicts(table):
    rows = claims.decide({"least": table}, SPEC)
    return rows.groupby("key")["verdict"].agg(set).to_dict()


def test_a_weighted_median_is_that_of_the_values_as_often_as_they_were_drawn():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"image": range(21)})
    values, weights = rng.random(21), Bootstrap.over(frame, SPEC).weights
    found = least.medians(values, weights)
    for weight, median in zip(weights, found):
        assert median == np.median(np.repeat(values, np.round(21 * weight).astype(int)))
    assert least.medians(np.array([1.0, 2.0, np.inf]), np.full((1, 3), 1 / 3)) == 2


def test_rows_have_the_medians_of_each_network_and_of_several_their_geometric_mean(tmp_path):
    rows = radii(1.5)
    table = tabled(rows.sample(frac=1, random_state=0), tmp_path)
    rows["of_nearest"] = rows["radius"] / rows["nearest"]
    single = table[table["about"] == "one of several"].set_index("model")
    assert len(single) == len(SEEDS) * len(EPSILONS)
    lower = rows.groupby("model")[["radius", "nearest", "of_nearest"]].quantile(
        0.5, interpolation="lower"
    )
    for name in lower:
        np.testing.assert_allclose(single[name].sort_index(), lower[name])
    several = table[table["about"] == "networks"]
    assert several["epsilons"].unique() == [4]
    logs = np.log(single.groupby("model_epsilon")["radius"].agg(list).tolist())
    np.testing.assert_allclose(several.sort_values("model_epsilon")["radius"], np.exp(logs.mean(1)))


@pytest.mark.parametrize(("grows", "said"), [(1.5, "reproduced"), (1 / 1.5, "not reproduced")])
def test_a_planted_growth_is_found_in_its_direction(grows, said, tmp_path):
    found = verdicts(tabled(radii(grows), tmp_path))
    assert found == {"least-exists": {"reproduced"}, "least-rises": {said}}


def test_planted_nulls_are_hardly_ever_reproduced(tmp_path):
    """Which network is which is dealt anew, and which of an image's two lengths is the attack's."""
    rng, rows, deals = np.random.default_rng(0), radii(1.5), []
    for _ in range(DEALS):
        names = {
            network(seed, epsilon)["model"]: network(seed, other)
            for seed in SEEDS
            for epsilon, other in zip(EPSILONS, rng.permutation(EPSILONS))
        }
        dealt = rows.assign(**pd.DataFrame(rows["model"].map(names).tolist()))
        dealt[["radius", "nearest"]] = rng.permuted(dealt[["radius", "nearest"]], axis=1)
        deals.append(claims.decide({"least": tabled(dealt, tmp_path)}, SPEC))
    hold("least", deals)


def test_images_as_far_as_others_are_no_adversarial_examples(tmp_path):
    rows = radii(1.0)
    rows["radius"] *= 4
    assert verdicts(tabled(rows, tmp_path))["least-exists"] == {"not reproduced"}


def test_where_half_of_the_images_do_not_flip_nothing_is_decided(tmp_path):
    rows = radii(1.5)
    rows.loc[rows["image"] < 0.6 * IMAGES, "radius"] = np.inf
    assert verdicts(tabled(rows, tmp_path))["least-exists"] == {"undecided"}


@pytest.mark.parametrize("seeds", [SEEDS[:1], SEEDS])
def test_the_figure_has_the_same_bytes_each_time_and_shows_what_does_not_flip(seeds, tmp_path):
    rows = radii(1.5, seeds)
    rows.loc[(rows["model_epsilon"] == 2) & (rows["image"] < 10), "radius"] = np.inf
    table = tabled(rows, tmp_path)
    for run in ("a", "b"):
        drawn = figure.draw(table, rows, {"architecture": "resnet18"})
        save(drawn, tmp_path / f"{run}.svg", {})
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    spread = drawn.axes[0]
    ends = [line.get_ydata()[-1] for line in spread.lines]
    assert sorted(set(ends)) == pytest.approx([0, 0.25])
