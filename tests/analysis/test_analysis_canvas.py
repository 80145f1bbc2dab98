"""Tables and claims of canvases: effects that are planted are found, and nulls are not."""

import numpy as np
import pandas as pd
import pytest

from interference.analysis.flips import means
from interference.analysis.predictions import PREDICTIONS
from interference.analysis.statistics import student
from interference.analysis.tables import adversarial, crossover, dose, mounted, proxies, transfer
from interference.analysis.tables.claims import decide
from tests.support import planted
from tests.support.nulls import DEALS, hold

SPEC = {"confidence": 0.95}


@pytest.fixture
def tables(tmp_path):
    """The tables of planted flips."""

    def of(**effects):
        made = {}
        for name, module, families in (
            ("dose", dose, ("dose", "width")),
            ("crossover", crossover, ("crossover",)),
            ("adversarial", adversarial, ("ladder",)),
        ):
            folder = tmp_path / name
            folder.mkdir()
            made[name] = module.build({}, **planted.of_families(folder, *families, **effects))
        return made

    return of


def verdicts(tables) -> dict[str, str]:
    claims = decide(tables, SPEC)
    claims = claims[~claims["key"].str.startswith("canvas-equal")]  # of each dose
    assert not claims["key"].duplicated().any()
    return dict(zip(claims["key"], claims["verdict"], strict=True))


def measured(tables) -> pd.Series:
    claims = decide(tables, SPEC)
    return claims.drop_duplicates("key").set_index("key")["measured"]


EFFECT = {
    "canvas-signal": "reproduced",
    "canvas-robustness": "reproduced",
    "canvas-interference": "reproduced",
    "canvas-route": "reproduced",
    "canvas-width": "reproduced",
    "canvas-noise": "reproduced",
    "canvas-slope": "reproduced",
    "canvas-crossover": "reproduced",
    "canvas-crossover-interference": "reproduced",
    "canvas-hardened": "reproduced",
    "canvas-hardened-route": "reproduced",
}


def test_a_feature_that_is_not_learned_does_not_decide_interference_to_signal():
    flips, features = planted.measured("dose", 0)
    known, lost = features.copy(), features["feature"] == 0
    features.loc[lost, "interference_to_signal"] = np.inf
    before, after = (means(flips, each, ["network"]) for each in (known, features))
    ratio = after["interference_to_signal"] / before["interference_to_signal"]
    np.testing.assert_allclose(ratio, 1, atol=0.1)


def test_pairs_that_noise_on_the_own_cell_does_not_move_are_left_out_of_noise_alone():
    flips, features = planted.measured("dose", 0)
    whole = means(flips, features, ["network"])
    own, off = flips["region"] == "own", flips["canvas"].isin([1, 2])
    flips["noise"] = flips["noise"].mask(own & off, 0.0)
    table = means(flips, features, ["network"])
    pd.testing.assert_frame_equal(table, whole)  # planted noise is that of the dose, in every pair
    flips["noise"] = flips["noise"].mask(own & (flips["canvas"] == 3), 0.5)
    changed = means(flips, features, ["network"])
    counted = planted.PAIRS - 3  # pair 0 is not right everywhere
    moved = changed["noise_interference"] - whole["noise_interference"]
    np.testing.assert_allclose(moved, np.log(0.5) / counted)


def test_planted_effects_are_found_with_their_sizes(tables):
    found = tables(slope=-0.5, own=-0.1, noise=-0.2, gain=(0.1, 0.3), spread=0.01)
    assert verdicts(found) == EFFECT
    sizes = measured(found)
    assert sizes["canvas-interference"] == pytest.approx(-0.5 * np.log(3), abs=0.02)
    assert sizes["canvas-robustness"] == pytest.approx(-0.6 * np.log(3), abs=0.03)
    assert sizes["canvas-route"] == pytest.approx(5 / 6, abs=0.02)
    # width changes log r_own alone, over as large a factor
    assert sizes["canvas-width"] == pytest.approx(1 / 6, abs=0.02)
    assert sizes["canvas-noise"] == pytest.approx(-0.3 * np.log(3), abs=0.02)
    assert sizes["canvas-slope"] == pytest.approx(2**-0.5, abs=0.01)
    assert sizes["canvas-crossover-interference"] == pytest.approx(-0.5, abs=0.03)
    assert sizes["canvas-hardened"] == pytest.approx(0.5 * 0.4)  # at the middle radius
    assert sizes["canvas-hardened-route"] == pytest.approx(0.75)


def test_where_interference_gives_nothing_no_claim_about_it_holds(tables):
    found = tables(slope=0.0, own=-0.5, noise=0.0, gain=(0.4, 0.0), spread=0.01)
    said = verdicts(found)
    assert said["canvas-robustness"] == said["canvas-crossover"] == "reproduced"
    assert said["canvas-hardened"] == "reproduced"
    about_interference = (
        "interference", "route", "noise", "slope", "crossover-interference", "hardened-route",
    )  # fmt: skip
    for key in about_interference:
        assert said[f"canvas-{key}"] != "reproduced", key
    assert said["canvas-route"] == said["canvas-hardened-route"] == "not reproduced"
    assert said["canvas-width"] == "not reproduced"


def test_interference_that_is_there_at_every_dose_is_no_effect_of_superposition(tables):
    """As in networks that have learned nothing: r_full is far below r_own without any overlap."""
    said = verdicts(tables(slope=0.0, level=-1.5, own=-0.5, noise=0.0, spread=0.01))
    for key in ("interference", "noise", "slope", "crossover-interference"):
        assert said[f"canvas-{key}"] != "reproduced", key


def test_a_share_of_what_may_be_nothing_is_undecided(tables):
    claims = decide(tables(slope=-0.001, own=0.0, spread=0.1), SPEC).set_index("key")
    assert claims.loc["canvas-route", "verdict"] == "undecided"
    assert claims.loc["canvas-route", "why"] == (
        "the interval of the change of log_r_full includes 0"
    )


def test_means_are_over_pairs_that_every_network_has_right_and_has_flipped(tmp_path):
    flips, features = planted.measured("dose", 0)
    # pair 0 is wrong at the largest dose; pair 1 was not flipped over its own cell at one dose
    unflipped = (flips["canvas"] == 1) & (flips["region"] == "own") & (flips["dose"] == 2)
    flips["radius"] = flips["radius"].mask(unflipped, np.inf)
    table = dose.build({}, **planted.written(tmp_path, flips=[flips], features=[features]))
    assert (table["pairs"] == planted.PAIRS - 2).all()
    kept = flips[flips["canvas"] > 1]
    for row in table.itertuples():
        own = kept[kept["network"] == row.network]
        radius = {region: part["radius"].to_numpy() for region, part in own.groupby("region")}
        full = np.minimum(np.minimum(radius["all"], radius["own"]), radius["others"])
        assert row.log_r_full == pytest.approx(np.log(full).mean())
        assert row.log_r_own == pytest.approx(np.log(radius["own"]).mean())
        assert row.interference == pytest.approx(row.log_r_full - row.log_r_own)
        assert row.others_found == np.isfinite(radius["others"]).mean()


def test_the_least_change_over_all_cells_is_at_most_that_over_some(tmp_path):
    flips, features = planted.measured("dose", 0)
    worse = flips["radius"].where(flips["region"] != "all", 10 * flips["radius"])
    weak = flips.assign(radius=worse)
    table = dose.build({}, **planted.written(tmp_path, flips=[weak], features=[features]))
    assert (table["log_r_full"] <= table["log_r_own"] + 1e-12).all()


def test_every_pair_of_a_crossover_is_at_every_dose(tables):
    table = tables()["crossover"]
    for _, seed in table.groupby("seed"):
        pairs = seed.set_index("dose")["pairs"]
        # two of the six blocks have a dose of 2
        assert pairs.to_dict() == {d: 35 * (2 if d == 2 else 1) for d in (1, 1.5, 2, 3, 6)}


def test_gains_are_over_the_clean_network_of_the_seed_and_add_up(tables):
    table = tables(gain=(0.1, 0.3))["adversarial"]
    parts = table["gain_own"] + table["gain_interference"]
    assert np.allclose(table["gain_full"], parts)
    assert (table.loc[table["attacked"] == "", "gain_full"] == 0).all()
    attacked = table[table["attacked"] == "all"]
    assert np.allclose(attacked["gain_interference"], 0.3 * attacked["epsilon"])


@pytest.mark.parametrize(("others", "expected"), [(0.4, "reproduced"), (0.1, "undecided")])
def test_transfer_is_held_against_noise_of_the_same_two_networks(tmp_path, others, expected):
    rows = planted.transfers(others=others)
    table = transfer.build({}, **planted.written(tmp_path, transfers=[rows]))
    own = table[table["region"] == "others"]
    assert np.allclose(own["over_noise"], others - 0.1)
    assert (table["targets"] == 2).all()
    claims = decide({"transfer": table}, SPEC)
    assert set(claims["verdict"]) == {expected}
    assert len(claims) == 2  # independent and correlated features


def test_a_proxy_is_valid_where_it_follows_the_dose_and_nothing_else(tmp_path):
    rows = [planted.proxies(seed) for seed in planted.CANVAS.seeds]
    table = proxies.build({}, **planted.written(tmp_path, proxies=rows))
    claims = decide({"proxies": table}, SPEC)
    said = {
        (row.scope.rpartition(", ")[2], row.key.removeprefix("canvas-proxy-")): row.verdict
        for row in claims.itertuples()
    }
    assert said == {
        ("true", "orders"): "reproduced",
        ("true", "follows"): "reproduced",
        ("norm", "orders"): "reproduced",
        ("norm", "follows"): "not reproduced",
        ("constant", "orders"): "undecided",
        ("constant", "follows"): "undecided",
    }


def test_students_interval_is_that_of_a_table_of_t():
    low, high = student(np.array([1.0, 2.0, 3.0]), 0.95)
    assert (high - low) / 2 == pytest.approx(4.303 / np.sqrt(3), rel=1e-3)
    assert low + high == pytest.approx(4)
    assert np.isnan(student(np.array([1.0]), 0.95)).all()


def test_rules_are_as_they_were_decided():
    rules = {claim.key.removeprefix("canvas-"): str(claim.rule) for claim in PREDICTIONS}
    assert rules == {
        "signal": ">= 0.94", "robustness": "< 0", "interference": "< 0", "route": "> 0.5",
        "width": "< 0.5", "noise": "< 0", "slope": "< 1", "crossover": "< 0",
        "crossover-interference": "< 0", "hardened": "> 0", "hardened-route": "> 0.5",
        "transfer": "> 0", "proxy-orders": ">= 0.9", "proxy-follows": "< 0.5",
        "equal-robustness": "< 0", "equal-interference": "< 0",
        "mounted": "< 0", "mounted-sensitivity": "> 0", "mounted-interference": "> 0",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["dose", "crossover", "adversarial"])
def test_figures_are_drawn_where_no_pair_counts(name, tables):
    from interference.analysis.figures import canvas_crossover, canvas_dose, canvas_ladder

    figure = {"dose": canvas_dose, "crossover": canvas_crossover, "adversarial": canvas_ladder}
    assert figure[name].draw(tables()[name].iloc[:0], {"confidence": 0.95}).axes


def test_gains_of_mounted_networks_are_over_the_clean_one_of_the_seed_at_the_dose(tmp_path):
    table = mounted.build({}, **planted.on_networks(tmp_path, spread=0.0))
    assert len(table) == 3 * 5 * 2
    assert np.allclose(table["gain_full"], table["gain_own"] + table["gain_interference"])
    assert (table.loc[table["model_norm"] == "clean", "gain_full"] == 0).all()
    assert np.allclose(table["gain_own"], 0.4 * table["model_epsilon"])
    assert np.allclose(
        table["gain_interference"], np.where(table["dose"] > 1, 0.1 * table["model_epsilon"], 0)
    )
    # the pair that robust networks have wrong is out
    assert (table["pairs"] == planted.PAIRS - 1).all()


def test_planted_effects_of_mounted_networks_are_found_at_the_middle_epsilon(tmp_path):
    table = mounted.build({}, **planted.on_networks(tmp_path))
    claims = decide({"mounted": table}, SPEC).set_index("key")
    assert dict(claims["verdict"]) == {
        "canvas-mounted": "reproduced",
        "canvas-mounted-sensitivity": "reproduced",
        "canvas-mounted-interference": "reproduced",
    }
    robust = claims.loc["canvas-mounted-sensitivity"]
    assert robust["scope"].startswith("bottlenecks on networks trained at L2 1,")
    assert robust["measured"] == pytest.approx(0.4, abs=0.06)
    gains = 0.1 * np.mean([0, 0.5, 1, 2, 0.03])
    assert claims.loc["canvas-mounted", "measured"] == pytest.approx(
        -0.5 * np.log(3) + gains, abs=0.03
    )


def test_of_networks_that_differ_by_chance_alone_no_gain_is_found(tmp_path):
    deals = []
    for number in range(DEALS):
        folder = tmp_path / str(number)
        folder.mkdir()
        inputs = planted.on_networks(
            folder, [seed + 3 * number for seed in (0, 1, 2)], gain=(0.0, 0.0), slope=0.0
        )
        deals.append(decide({"mounted": mounted.build({}, **inputs)}, SPEC))
    hold("mounted", deals)


def test_at_equal_accuracy_only_features_count_that_keep_it(tmp_path):
    """By a loop over features: one that loses three points has other radii, and is left out."""
    flips, features = planted.measured("dose", 0)
    first = features["dose"] == 1
    features["accuracy"] = np.where(first, 0.95, 0.94)
    lost = (features["feature"] == 5) & (features["dose"] == 3)
    features.loc[lost, "accuracy"] = 0.92
    of_lost = (flips["feature"] == 5) & (flips["dose"] == 3)
    flips["radius"] = flips["radius"].mask(of_lost, 0.01 * flips["radius"])
    table = dose.build({}, **planted.written(tmp_path, flips=[flips], features=[features]))
    by_dose = table.set_index("dose")
    assert by_dose["equal_features"].to_dict() == {1: 36, 1.5: 36, 2: 36, 3: 35, 4: 36, 6: 36}
    radius = flips[flips["right"]].pivot_table("radius", ["dose", "canvas"], "region")
    full, own = np.log(radius.min(axis=1)), np.log(radius["own"])
    for at in (1.5, 3.0):
        kept = [c for c in range(1, planted.PAIRS) if at != 3 or c != 5]
        change = np.mean([full[at, c] - full[1.0, c] for c in kept])
        change_own = np.mean([own[at, c] - own[1.0, c] for c in kept])
        row = by_dose.loc[at]
        assert row["equal_pairs"] == len(kept)
        assert row["equal_full"] == pytest.approx(change)
        assert row["equal_own"] == pytest.approx(change_own)
        assert row["equal_interference"] == pytest.approx(change - change_own)
    assert by_dose.loc[3.0, "log_r_full"] < by_dose.loc[1.0, "log_r_full"] + row["equal_full"] - 0.1


def test_claims_at_equal_accuracy_are_of_each_dose_and_undecided_where_none_keeps_it(tables):
    found = tables(slope=-0.5, own=-0.1, spread=0.01)
    table = found["dose"].query("family == 'dose' and dose > 1")
    kept = set(table.loc[table["equal_features"] > 0, "dose"])
    assert 0 < len(kept) < table["dose"].nunique()
    claims = decide({"dose": table}, SPEC)
    equal = claims[claims["key"] == "canvas-equal-interference"]
    said = dict(zip(equal["scope"].str.split().str[-1].astype(float), equal["verdict"]))
    assert said == {
        dose: "reproduced" if dose in kept else "undecided" for dose in table["dose"].unique()
    }
