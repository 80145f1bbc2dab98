"""Claims of the preprint's rivals: effects that are planted are found, and nulls are not."""

import numpy as np
import pandas as pd
import pytest

from interference.analysis.mlps import NETWORK
from interference.analysis.rivalry import corner, narrowed, trend, typical
from interference.analysis.rivals import RIVALS
from interference.analysis.statistics import student
from interference.analysis.tables import (
    abundance,
    bottlenecks,
    claims,
    interpretability,
    relearning,
)
from interference.analysis.tables.claims import decide
from tests.support import rivalry
from tests.support.nulls import DEALS, hold

SPEC = {"confidence": 0.95}


@pytest.fixture(autouse=True)
def _these_alone(monkeypatch):
    monkeypatch.setattr(claims, "CLAIMS", RIVALS)


def decided(aimed: pd.DataFrame, counted: pd.DataFrame, **others: pd.DataFrame) -> pd.DataFrame:
    return decide({"bottlenecks": aimed, "abundance": counted, **others}, SPEC)


def dealt(rows: pd.DataFrame, names: list[str], rng: np.random.Generator) -> pd.DataFrame:
    """The rows, with what names a network dealt anew within each seed."""
    rows = rows.copy()
    for _, places in rows.groupby("seed").groups.items():
        rows.loc[places, names] = rows.loc[rng.permutation(places), names].to_numpy()
    return rows


def test_planted_effects_are_found():
    rng = np.random.default_rng(0)
    found = decided(
        rivalry.bottlenecks(0.6, rng),
        rivalry.abundance(0.3, rng),
        interpretability=rivalry.interpretability(0.2, rng),
        relearning=rivalry.relearning(0.4, rng),
    )
    assert set(found["key"]) == {claim.key for claim in RIVALS}
    flat = found["key"].str.startswith("rivals-features-universal")  # gains and losses cancel out
    assert set(found.loc[~flat, "verdict"]) == {"reproduced"}
    assert set(found.loc[flat, "verdict"]) == {"no effect"}


def test_effective_features_that_fall_everywhere_are_the_other_side_s():
    rng = np.random.default_rng(1)
    found = decided(rivalry.bottlenecks(0, rng), rivalry.lowered(rng))
    verdicts = found.set_index("key")["verdict"].to_dict()
    said = {
        name: verdicts[f"rivals-features-{name}"]
        for name in ("universal", "scarcity", "abundance", "complexity")
    }
    assert said == {"universal": "reproduced", "scarcity": "reproduced",
                    "abundance": "not reproduced", "complexity": "no effect"}  # fmt: skip


def test_planted_nulls_are_hardly_ever_reproduced():
    """Which network is which is dealt anew: what a network says of itself stays, and no trend does."""
    rng, deals = np.random.default_rng(2), []
    for _ in range(DEALS):
        aimed = rivalry.bottlenecks(0.3, rng, spread=0.1)
        controls = [c for own in rivalry.CONTROLS.values() for c in own]
        flat = aimed.assign(**dict.fromkeys(rivalry.CONTROLS, 0.0), **dict.fromkeys(controls, 0.0))
        noise = [*rivalry.CONTROLS, *controls]
        flat[noise] += rng.normal(0, 0.1, (len(flat), len(noise)))
        counted = dealt(rivalry.abundance(0.3, rng), ["classes", "width"], rng)
        counted["accuracy_lost"] -= counted["accuracy_lost"].mean()
        meant = rivalry.interpretability(0.3, rng, spread=0.1)
        gains = [name for name in meant if "_gain" in name]
        # whose epsilon was the largest is dealt anew: what grew shrinks as often
        meant[gains] = meant[gains].mul(rng.choice([-1, 1], len(meant)), axis=0)
        # attacks that teach what noise does: chance, whatever the network that was attacked
        taught = rivalry.relearning(0, rng, spread=0.1)
        deals.append(
            decided(dealt(flat, ["width"], rng), counted, interpretability=meant, relearning=taught)
        )
    hold("rivals", deals)


def test_a_seed_counts_once_however_many_networks_it_has():
    rows = rivalry.bottlenecks(0.3, np.random.default_rng(3))
    forced = rows[(rows["kind"] == "forced") & (rows["width"] == 3) & (rows["epsilon"] == 0)]
    found = typical(forced, SPEC, column="cosine", less="cosine_other")
    by_seed = (forced["cosine"] - forced["cosine_other"]).groupby(forced["seed"]).mean().to_numpy()
    assert len(forced) == 2 * len(by_seed) == 12
    np.testing.assert_allclose(
        [found.value, found.low, found.high], [by_seed.mean(), *student(by_seed, 0.95)]
    )


def test_trends_are_over_the_whole_range_and_steps_of_classes_are_equal():
    rows = rivalry.abundance(0.3, np.random.default_rng(4), spread=0.0)
    assert np.isclose(trend(rows, SPEC, column="gain", over="classes").value, -0.3 * 2 * 3)
    assert np.isclose(trend(rows, SPEC, column="gain", over="width").value, 0.3 * 2 * 2)
    easy = corner(rows, SPEC, column="gain", classes="min", width="max")
    assert np.isclose(easy.value, 0.3 * (2 + 3))


def test_one_width_or_one_seed_decides_nothing():
    rng = np.random.default_rng(5)
    rows = rivalry.bottlenecks(0.3, rng)
    assert narrowed(rows[rows["width"] == 3], SPEC, column="fallen") is None
    one = decided(rows[rows["seed"] == 0], rivalry.abundance(0.3, rng).query("seed == 0"))
    assert set(one["verdict"]) == {"undecided"}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return rivalry.written(tmp_path_factory.mktemp("rivals"))


TABLE = {"resamples": 20, "seed": 0}


def test_effects_that_are_planted_in_measurements_are_found_in_tables(inputs):
    found = decided(
        bottlenecks.build(TABLE, **inputs["bottlenecks"]),
        abundance.build({}, **inputs["abundance"]),
        interpretability=interpretability.build({}, **inputs["interpretability"]),
        relearning=relearning.build({}, **inputs["relearning"]),
    )
    flat = (
        "rivals-bottleneck-vulnerability",
        "rivals-bottleneck-profile-narrowed",
        "rivals-features-universal",
    )
    planted = ~found["key"].str.startswith(flat)
    assert set(found.loc[planted, "verdict"]) == {"reproduced"}
    assert "reproduced" not in set(found.loc[~planted, "verdict"])


def test_transfer_between_classifiers_whose_geometries_are_dealt_anew_is_not_found(
    inputs, tmp_path
):
    """Class vectors are dealt among targets: what passes on stays, and geometry says nothing of it."""
    given, rng, found = inputs["bottlenecks"], np.random.default_rng(6), []
    passes = pd.read_parquet(given["passes"][0])
    for _ in range(3):
        dealt = passes.assign(
            similarity=passes.groupby(bottlenecks.NETWORK)["similarity"].transform(rng.permutation)
        )
        dealt.to_parquet(tmp_path / "dealt.parquet")
        table = bottlenecks.build(TABLE, **{**given, "passes": [tmp_path / "dealt.parquet"]})
        found.append(
            decide({"bottlenecks": table}, SPEC).query("key == 'rivals-bottleneck-transfer'")
        )
    verdicts = pd.concat(found)["verdict"]
    assert len(verdicts) == 3 * 12  # widths, epsilons and kinds of class vectors
    assert (verdicts == "reproduced").mean() <= 0.05


def test_transfer_is_the_partial_rank_correlation_of_the_inverse_correlation_matrix(inputs):
    passes = pd.read_parquet(inputs["bottlenecks"]["passes"][0])
    table = bottlenecks.build(TABLE, **inputs["bottlenecks"]).set_index(bottlenecks.NETWORK)
    by_target = passes.groupby(["width", "epsilon", "target_geometry", "target_seed"])["success"]
    total, count = by_target.transform("sum"), by_target.transform("size")
    passes["weakness"] = (total - passes["success"]) / (count - 1)
    names = ["success", "similarity", "agreement", "weakness"]
    for key, own in [*passes.groupby(bottlenecks.NETWORK)][::17]:
        inverse = np.linalg.inv(own[names].rank().corr().to_numpy())
        partial = -inverse[0, 1] / np.sqrt(inverse[0, 0] * inverse[1, 1])
        assert table.loc[key, "transfer"] == pytest.approx(partial)
        assert abs(table.loc[key, "transfer_null"]) < 0.3


def test_profiles_are_spearman_s_of_each_class_and_another_frame_s_beside_them(inputs):
    pairs = pd.read_parquet(inputs["bottlenecks"]["landings"][0])
    table = bottlenecks.build(TABLE, **inputs["bottlenecks"]).set_index(bottlenecks.NETWORK)
    own = pairs.query("width == 3 and epsilon == 0 and seed == 2")
    frames = {name: rows.set_index(["label", "other"]) for name, rows in own.groupby("geometry")}

    def of(landed: str, near: str, column: str = "cosine") -> float:
        both = frames[landed][["landed"]].join(
            frames[near][[column]].rename(columns={column: "near"})
        )
        ranked = both.round(5).groupby("label").rank()
        each = [rows["landed"].corr(rows["near"]) for _, rows in ranked.groupby("label")]
        return float(np.nanmean(each))

    row = table.loc[(3, 0.0, "frame-0", "forced", 2)]
    assert row["profile"] == pytest.approx(of("frame-0", "frame-0"))
    assert row["swapped"] == pytest.approx(of("frame-0", "frame-1"))
    assert row["likeness"] == pytest.approx(of("frame-0", "learned", "landed"))
    learned = table.loc[(3, 0.0, "learned", "learned", 2)]
    both = [of("learned", frame) for frame in ("frame-0", "frame-1")]
    assert learned["swapped"] == pytest.approx(np.mean(both))
    assert np.isnan(learned["likeness"])


def test_a_gain_is_a_line_over_epsilons_and_a_network_that_gave_up_is_left_out_of_one(inputs):
    rows = pd.concat([pd.read_parquet(path) for path in inputs["abundance"]["counts"]])
    table = abundance.build({}, **inputs["abundance"]).set_index([*NETWORK, "epsilon"])
    for which in ((10, 8, 0), (2, 128, 3)):
        classes, width, seed = which
        own = rows[(rows["classes"] == classes) & (rows["width"] == width) & (rows["seed"] == seed)]
        before = own.loc[own["epsilon"] == 0, "features"].item()
        y = own["features"] / before - 1
        centred = own["epsilon"] - own["epsilon"].mean()
        assert table.loc[(*which, 0.0), "gain"] == pytest.approx(
            (centred * y).sum() / (centred**2).sum() * 0.3
        )
    assert not table.loc[(10, 8, 0, 0.3), "alive"]
    assert table.loc[(10, 8, 0, 0.1), "alive"]
    near = rows[
        (rows["classes"] == 10)
        & (rows["width"] == 8)
        & (rows["seed"] == 0)
        & (rows["epsilon"] < 0.3)
    ]
    change = near.groupby("epsilon")["features"].mean()
    alive = (change[0.1] / change[0.0] - 1) / 0.1 * 0.3
    assert table.loc[(10, 8, 0, 0.0), "gain_alive"] == pytest.approx(alive)
    assert table.loc[(2, 128, 3, 0.0), "gain_alive"] == table.loc[(2, 128, 3, 0.0), "gain"]


def test_proxies_gain_a_line_over_epsilons_and_random_directions_are_taken_off(inputs):
    table = interpretability.build({}, **inputs["interpretability"])
    assert set(table["features"]) == {"units", "latents"}
    once = table[(table["epsilon"] == 0) & (table["classes"] == 2)]
    # planted: 0.6 per unit of epsilon more than random directions, whose noise is in both
    np.testing.assert_allclose(once["selectivity_gain_beyond"], 0.6 * 0.3)
    np.testing.assert_allclose(once["coherence_gain"], 1.6 * 0.3, atol=0.04)
    gave_up = table[(table["classes"] == 10) & (table["width"] == 8) & (table["epsilon"] == 0.3)]
    assert len(gave_up) == 2 * len(rivalry.SEEDS)
    assert not gave_up["alive"].any()


def test_what_attacks_teach_is_held_against_chance_and_gains_a_line_over_epsilons(inputs):
    table = relearning.build({}, **inputs["relearning"])
    assert len(table) == 2 * 3 * len(rivalry.SEEDS)
    assert (table["chance"] == 0.1).all()
    # planted: accuracy falls as fast as epsilon grows, to 0.3
    np.testing.assert_allclose(table["gain"], -0.3, atol=0.04)
    assert table.groupby(["targets", "seed"])["gain"].nunique().eq(1).all()
