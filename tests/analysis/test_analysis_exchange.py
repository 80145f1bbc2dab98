"""Attacks between networks: the table beside a count by hand, planted sharing and nulls, the figure."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from interference.analysis.figures import exchange as figure
from interference.analysis.figures.style import save
from interference.analysis.partial import correlations, without
from interference.analysis.sharing import CONTROLS, shared
from interference.analysis.tables import claims, exchange
from tests.analysis.test_analysis_trainings import network
from tests.support.nulls import DEALS, hold
from tests.support.perturbed import exchanged

SPEC = {"confidence": 0.95, "noise": "noise", "attack": "pgd", "epsilon": 1.0}
NETWORKS = [network(seed, epsilon) for seed, epsilon in product(range(3), (0.0, 0.5, 1.0, 2.0))]


def pairs(effect, draw=0):
    """A table of one layer: success that hangs on the CKA of a pair, beyond what a target does anyway."""
    rng, rows = np.random.default_rng(draw), []
    names = [own["model"] for own in NETWORKS]
    likeness = {frozenset(pair): rng.random() for pair in product(names, names)}
    falls = {name: rng.random() for name in names}
    for one, other in product(NETWORKS, NETWORKS):
        if one is not other:
            cka = likeness[frozenset((one["model"], other["model"]))]
            weak = falls[other["model"]]
            success = 0.3 + 0.3 * weak + effect * cka + rng.normal(0, 0.05)
            rows.append({
                "source": one["model"], "target": other["model"], "layer": "layer1", "cka": cka,
                "alike": one["model_epsilon"] == other["model_epsilon"], "images": 50,
                "agreement": rng.random(), "noise": weak, "own": weak + rng.normal(0, 0.1),
                "success": success, "success_low": success - 0.1, "success_high": success + 0.1,
            })  # fmt: skip
    return pd.DataFrame(rows)


def verdicts(table):
    rows = claims.decide({"exchange": table}, SPEC)
    return rows.set_index("key")["verdict"].to_dict()


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Rows as the rooms write them, and the table of them."""
    folder, frames = (
        tmp_path_factory.mktemp("exchange"),
        exchanged(NETWORKS[:3], ("stem", "layer1")),
    )
    paths = {name: [folder / f"{name}.parquet"] for name in frames}
    for name, frame in frames.items():
        frame.to_parquet(paths[name][0])
    return frames, exchange.build(SPEC, **paths)


def test_a_pair_is_counted_on_the_images_that_both_have_right(built):
    frames, table = built
    clean = frames["clean"].set_index(["model", "image"])
    right = (clean["prediction"] == clean["label"]).to_dict()
    assert len(table) == 3 * 2 * 2
    for row in table.itertuples():
        part = frames["passes"].query("source == @row.source and target == @row.target")
        both = [
            r
            for r in part.itertuples()
            if right[row.source, r.image] and right[row.target, r.image]
        ]
        fell = sum(r.prediction != r.label for r in both)
        assert (row.images, row.success) == (len(both), pytest.approx(fell / len(both)))
        expected = stats.binomtest(fell, len(both)).proportion_ci(0.95, method="wilson")
        assert (row.success_low, row.success_high) == pytest.approx((expected.low, expected.high))
        answers = [clean.loc[name, "prediction"] for name in (row.source, row.target)]
        assert row.agreement == pytest.approx((answers[0] == answers[1]).mean())
        ckas = frames["similarity"].query("layer == @row.layer")
        mine = ckas[
            [{a, b} == {row.source, row.target} for a, b in zip(ckas["one"], ckas["other"])]
        ]
        assert row.cka == mine["cka"].item()


def test_how_easily_a_target_falls_is_of_its_own_right_images(built):
    frames, table = built
    for target in set(table["target"]):
        own = frames["clean"][frames["clean"]["model"] == target]
        right = own.loc[own["prediction"] == own["label"], "image"]
        passes, attacked = frames["passes"], frames["attacked"]
        itself = passes[(passes["source"] == target) & (passes["target"] == target)]
        noisy = attacked[(attacked["model"] == target) & (attacked["attack"] == "noise")]
        noisy = noisy[noisy["epsilon"] == 1]
        for column, part in (("own", itself), ("noise", noisy)):
            part = part[part["image"].isin(right)]
            found = table.loc[table["target"] == target, column]
            assert set(found) == {found.iloc[0]}
            assert found.iloc[0] == pytest.approx((part["prediction"] != part["label"]).mean())


def test_a_pair_that_has_no_image_right_has_no_share_and_decides_nothing(built, tmp_path):
    frames, _ = built
    lost = NETWORKS[0]["model"]
    clean = frames["clean"].assign(
        prediction=lambda rows: rows["prediction"].where(rows["model"] != lost, -1)
    )
    paths = {name: [tmp_path / f"{name}.parquet"] for name in frames}
    for name, frame in {**frames, "clean": clean}.items():
        frame.to_parquet(paths[name][0])
    table = exchange.build(SPEC, **paths)
    of_it = (table["source"] == lost) | (table["target"] == lost)
    shares = ["success", "success_low", "success_high"]
    assert table.loc[of_it, shares].isna().all(axis=None)
    assert table.loc[~of_it, shares].notna().all(axis=None)
    assert set(table.loc[of_it, "images"]) == {0}


@pytest.mark.parametrize("column", ["success", "own", "noise", "cka"])
def test_a_number_that_is_missing_has_no_rank(column):
    table = pairs(0.4)
    table.loc[3, column] = np.nan
    assert verdicts(table)["exchange-all"] == "undecided"


def test_a_partial_correlation_is_that_of_residuals_also_where_controls_say_the_same():
    rng = np.random.default_rng(0)
    x, y, control = rng.random((3, 30))
    columns = np.column_stack([np.ones(30), control, 2 * control + 1])
    residuals = [v - np.polyval(np.polyfit(control, v, 1), control) for v in (x, y)]
    expected = np.corrcoef(*residuals)[0, 1]
    found = correlations(without(columns, x), without(columns, y[None]))
    assert found[0] == pytest.approx(expected)
    # what the controls say by themselves is rounding, and correlates with nothing
    assert np.isnan(correlations(without(columns, x), without(columns, 1e6 * control[None]))[0])


@pytest.mark.parametrize(("effect", "said"), [(0.4, "reproduced"), (-0.4, "not reproduced")])
def test_a_planted_sharing_is_found_in_its_direction(effect, said):
    assert verdicts(pairs(effect)) == {"exchange-alike": said, "exchange-all": said}


def test_without_sharing_a_claim_is_hardly_ever_reproduced():
    tables = [pairs(0.0, draw) for draw in range(1, DEALS + 1)]
    hold("exchange", [claims.decide({"exchange": table}, SPEC) for table in tables])


def test_what_the_geometry_of_groups_explains_is_no_sharing_among_those_trained_alike():
    """Networks trained alike are more alike and pass attacks on more easily, all by the same amount."""
    table = pairs(0.0)
    table.loc[:, ["cka", "success"]] += 0.5 * table[["alike"]].to_numpy()
    assert verdicts(table)["exchange-alike"] != "reproduced"
    assert verdicts(table)["exchange-all"] == "reproduced"


def test_few_networks_decide_nothing():
    table = pairs(0.4)
    few = {own["model"] for own in NETWORKS[:4]}
    table = table[table["source"].isin(few) & table["target"].isin(few)]
    found = shared(table, SPEC, among="all")
    assert found.shortage == "networks that can be dealt 24 ways, need 40"
    assert set(verdicts(table).values()) == {"undecided"}
    assert shared(table.head(len(CONTROLS)), SPEC, among="all").shortage.startswith("pairs 3")


def test_the_figure_has_the_same_bytes_each_time_and_a_panel_per_layer(built, tmp_path):
    for run in ("a", "b"):
        drawn = figure.draw(built[1], {})
        save(drawn, tmp_path / f"{run}.svg", {})
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert [axis.get_title() for axis in drawn.axes[:3]] == [
        "images that fall (share)",
        "stem",
        "layer1",
    ]
