"""What perturbations look like: the table beside brute force, planted structure and nulls, the figure."""

import numpy as np
import pandas as pd
import pytest

from interference.analysis.figures import structure as figure
from interference.analysis.figures.style import save
from interference.analysis.tables import claims, structure
from tests.analysis.test_analysis_trainings import SEEDS, network
from tests.support.nulls import DEALS, hold
from tests.support.perturbed import looks

EPSILONS, IMAGES = (0.0, 0.5, 1.0, 2.0), 40
SPEC = {"confidence": 0.95, "resamples": 200, "seed": 0}


def perturbed(seeds=SEEDS, **planted):
    parts = [
        looks(network(seed, epsilon), IMAGES, **planted) for seed in seeds for epsilon in EPSILONS
    ]
    return pd.concat(parts, ignore_index=True)


def tabled(rows, folder):
    path = folder / "rows.parquet"
    rows.to_parquet(path)
    return structure.build(SPEC, [path])


def verdicts(table):
    """Key, or key and control where there are several → verdicts."""
    rows = claims.decide({"structure": table}, SPEC)
    names = rows["key"].where(rows["against"] != "step", rows["key"] + " over step")
    return rows.groupby(names)["verdict"].agg(set).to_dict()


def test_rows_are_means_over_images_and_differences_of_them(tmp_path):
    rows = perturbed()
    table = tabled(rows.sample(frac=1, random_state=0), tmp_path)
    means = rows.groupby(["model", "kind"]).mean(numeric_only=True)
    single = table[table["about"] == "one of several"]
    assert len(single) == len(structure.REFERENCES) * 7 * len(SEEDS) * len(EPSILONS)
    for row in single.iloc[::17].itertuples():
        own, other = (
            means.loc[(row.model, k), row.measure] for k in ("perturbation", row.reference)
        )
        assert (row.perturbation, row.other) == (pytest.approx(own), pytest.approx(other))
        assert row.excess == pytest.approx(own - other)
        assert row.excess_low < row.excess < row.excess_high
    several = table[table["about"] == "networks"]
    by_kind = single.groupby(["reference", "measure", "model_epsilon"])["excess"].mean()
    for row in several.itertuples():
        expected = by_kind[row.reference, row.measure, row.model_epsilon]
        assert row.excess == pytest.approx(expected)
    assert (table["counted"] == IMAGES).all()


def test_change_is_over_the_clean_network_of_the_seed_and_the_mean_over_epsilons(tmp_path):
    rows = perturbed()
    table = tabled(rows, tmp_path)
    means = rows.pivot_table(
        index=["model_seed", "model_epsilon"], columns="kind", values="centroid"
    )
    for seed in SEEDS:
        of_seed = means.loc[seed]
        excess = of_seed["perturbation"] - of_seed["step"]
        chosen = table[(table["model_seed"] == seed) & (table["measure"] == "centroid")]
        found = chosen.loc[(chosen["reference"] == "step"), "change"]
        assert found.tolist() == pytest.approx([(excess[1:] - excess[0.0]).mean()] * len(EPSILONS))


def test_images_that_an_attack_left_as_they_were_do_not_count(tmp_path):
    rows = perturbed(SEEDS[:1])
    clean = (rows["model_epsilon"] == 0) & (rows["kind"] == "perturbation")
    rows.loc[clean & (rows["image"] < 10), rows.columns[rows.columns.get_loc("centroid") :]] = (
        np.nan
    )
    table = tabled(rows, tmp_path)
    mine = table[(table["model_epsilon"] == 0) & (table["measure"] == "centroid")]
    kept = rows[(rows["model_epsilon"] == 0) & (rows["image"] >= 10)]
    assert set(mine["counted"]) == {IMAGES - 10}
    assert set(table.loc[table["model_epsilon"] > 0, "counted"]) == {IMAGES}
    noise = mine[mine["reference"] == "noise"].iloc[0]
    for kind, column in (("perturbation", "perturbation"), ("noise", "other")):
        expected = kept.loc[kept["kind"] == kind, "centroid"].mean()
        assert noise[column] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("planted", "said"),
    [
        ({"coarse": 0.0, "robust": 0.3, "inherited": 0.0}, ("reproduced",) * 4),
        ({"coarse": 0.0, "robust": 0.3, "inherited": 0.3}, ("reproduced",) * 3 + ("no effect",)),
        ({"coarse": 0.3, "robust": -0.2, "inherited": 0.0}, ("not reproduced",) * 4),
    ],
    ids=["as noise, and robust ones their own", "all of it the gradient's", "the reverse"],
)
def test_a_planted_structure_is_found_and_where_it_comes_from(planted, said, tmp_path):
    found = verdicts(tabled(perturbed(**planted), tmp_path))
    for measure in ("centroid", "coherence"):
        keys = (
            f"structure-noise-{measure}",
            f"structure-trend-{measure}",
            f"structure-change-{measure}",
            f"structure-change-{measure} over step",
        )
        assert tuple(found[key] for key in keys) == tuple({one} for one in said)
    assert len(found) == 8


def test_planted_nulls_are_hardly_ever_reproduced(tmp_path):
    """Which network is which is dealt anew; perturbations are as noise but for what radii do."""
    rng, rows, deals = np.random.default_rng(0), perturbed(coarse=0.0, robust=0.3), []
    measures = ["centroid", "coherence"]
    rows = rows[[*network(0, 0.0), "kind", "image", *measures]]
    for _ in range(DEALS):
        names = {
            network(seed, epsilon)["model"]: network(seed, other)
            for seed in SEEDS
            for epsilon, other in zip(EPSILONS, rng.permutation(EPSILONS))
        }
        dealt = rows.assign(**pd.DataFrame(rows["model"].map(names).tolist()))
        deals.append(claims.decide({"structure": tabled(dealt, tmp_path)}, SPEC))
    hold("structure", deals)


@pytest.mark.parametrize("seeds", [SEEDS[:1], SEEDS])
def test_the_figure_has_the_same_bytes_each_time_and_shows_every_training(seeds, tmp_path):
    table = tabled(perturbed(seeds), tmp_path)
    for run in ("a", "b"):
        drawn = figure.draw(table, {"architecture": "resnet18"})
        save(drawn, tmp_path / f"{run}.svg", {})
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    labels = drawn.axes[0].get_legend_handles_labels()[1]
    assert labels == ["clean", "$L_2$ 0.5", "$L_2$ 1", "$L_2$ 2"]
    assert len(drawn.axes[0].get_xticks()) == len(figure.BANDS)
