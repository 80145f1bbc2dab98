"""Tables against brute force on the rows that they are made of."""

import importlib
import inspect
import itertools
from functools import partial

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from interference.analysis.claim import PREPRINT, Claim, Reported, Subjects
from interference.analysis.claims import CLAIMS
from interference.analysis.frames import MEMBER, read_frames, write_frame
from interference.analysis.quantities import estimate
from interference.analysis.shrinkage import shrinkage_share
from interference.analysis.statistics import resample
from interference.analysis.tables import (
    accuracy,
    baselines,
    claims,
    defences,
    exchange,
    fair,
    interventions,
    l0,
    least,
    matched,
    saes,
    structure,
    toy,
)
from interference.analysis.toys import TOY_ORDER
from interference.analysis.verdicts import Measured, Rule, verdict
from interference.plan.catalogue import TABLES
from interference.store.files import StoreError
from tests.support.tables import CLAIMED

pytestmark = pytest.mark.xdist_group("analysis")

BOOTSTRAP = {"confidence": 0.9, "resamples": 150, "seed": 3}
HEADLINE = {"attack": "pgd", "epsilon": 1.0}
CONTROLS = {
    name: {"norm": norm, "noise": noise}
    for name, norm, noise in [
        ("fgsm", "l2", "noise"),
        ("pgd", "l2", "noise"),
        ("noise", "l2", "noise"),
        ("noise-max", "linf", "noise-max"),
        ("pgd-max", "linf", "noise-max"),
    ]
}


@pytest.fixture(scope="module")
def tables(results):
    toy_table = toy.build({}, **results["toy"])
    return {
        "accuracy": accuracy.build(BOOTSTRAP, **results["accuracy"]),
        "saes": saes.build(BOOTSTRAP, **results["saes"]),
        "matched": matched.build(BOOTSTRAP, **results["matched"]),
        "baselines": baselines.build(BOOTSTRAP, **results["baselines"]),
        "l0": l0.build({**BOOTSTRAP, "controls": CONTROLS}, **results["l0"]),
        "fair": fair.build({**BOOTSTRAP, **HEADLINE, "noise": "noise"}, **results["fair"]),
        "interventions": interventions.build(BOOTSTRAP, **results["interventions"]),
        "defences": defences.build(BOOTSTRAP, **results["defences"]),
        "least": least.build(BOOTSTRAP, **results["least"]),
        "structure": structure.build(BOOTSTRAP, **results["structure"]),
        "exchange": exchange.build(
            {**BOOTSTRAP, **HEADLINE, "noise": "noise"}, **results["exchange"]
        ),
        "toy": toy_table,
    }


def all_of(inputs):
    """The paths of all of a table's inputs."""
    return [path for paths in inputs.values() for path in paths]


def redraw(images):
    """The bootstrap's draws as lists of image numbers."""
    counts = np.rint(resample(images, BOOTSTRAP["resamples"], BOOTSTRAP["seed"]) * images)
    return [np.repeat(np.arange(images), c.astype(int)) for c in counts]


def percentiles(draws):
    return pytest.approx(np.quantile(draws, [0.05, 0.95]).tolist())


def test_accuracy_is_the_share_of_correct_predictions(results, tables):
    table = tables["accuracy"]
    assert len(table) == 4 * (1 + 1 + 2 + 2 + 1 + 1)
    raw = read_frames(all_of(results["accuracy"])).fillna(
        {"attack": "clean", "epsilon": 0.0, "perturbation_norm": 0.0}
    )
    under_pgd = table[table["type"] == "pgd"].set_index(["model", "norm", "epsilon"])["accuracy"]
    for row in table.itertuples():
        mine = raw[
            (raw["model"] == row.model)
            & (raw["attack"] == row.attack)
            & (raw["epsilon"] == row.epsilon)
        ]
        hits = sum(p == label for p, label in zip(mine["prediction"], mine["label"]))
        assert (row.images, row.accuracy) == (20, pytest.approx(hits / 20))
        expected = stats.binomtest(hits, 20).proportion_ci(0.9, method="wilson")
        assert (row.low, row.high) == (pytest.approx(expected.low), pytest.approx(expected.high))
        pgd = under_pgd.get((row.model, row.norm, row.epsilon), np.nan)
        assert row.pgd_accuracy == pytest.approx(pgd, nan_ok=True)
        assert row.loss == pytest.approx(mine["loss"].mean())
        assert row.perturbation_norm == pytest.approx(mine["perturbation_norm"].mean())
    clean = table[table["attack"] == "clean"]
    assert (clean[["type", "norm"]].to_numpy() == ["clean", "none"]).all()
    assert clean["pgd_accuracy"].isna().all()


def test_every_sae_has_its_metrics_and_an_interval_around_its_fvu(results, tables):
    table = tables["saes"]
    assert len(table) == 4 * 2 * 2 * 3
    assert not table.duplicated(MEMBER).any()
    raw = read_frames(results["saes"]["saes"])
    for row in table.iloc[::7].itertuples():
        mine = raw[(raw[MEMBER] == [getattr(row, name) for name in MEMBER]).all(axis=1)]
        error, deviation = (
            mine.sort_values("image")[n].to_numpy() for n in ("squared_error", "deviation")
        )
        assert row.fvu == pytest.approx(error.sum() / deviation.sum())
        draws = [error[i].sum() / deviation[i].sum() for i in redraw(20)]
        assert [row.fvu_low, row.fvu_high] == percentiles(draws)
        assert (row.unique_rows, row.epochs) == (100, 2.5)


def at_l0(sizes, errors, target):
    order = np.argsort(sizes)
    return np.interp(np.log(target), np.log(np.array(sizes)[order]), np.array(errors)[order])


def test_fvu_is_compared_at_one_l0_of_all_networks(results, tables):
    table = tables["matched"]
    raw = read_frames(results["saes"]["saes"])
    assert len(table) == 2 * 2 * (3 + 2)  # the clean network stands in both families
    for (layer, sae_type), part in table.groupby(["layer", "type"]):
        mine = raw[(raw["layer"] == layer) & (raw["type"] == sae_type)]
        curves = {}
        for (model, _), member in mine.groupby(["model", "sparsity"]):
            fvu = member["squared_error"].sum() / member["deviation"].sum()
            curves.setdefault(model, []).append((member["l0"].mean(), fvu))
        low = max(min(size for size, _ in curve) for curve in curves.values())
        high = min(max(size for size, _ in curve) for curve in curves.values())
        target = np.sqrt(low * high)
        np.testing.assert_allclose(part["l0"], target)
        for row in part.itertuples():
            expected = at_l0(*zip(*curves[row.model]), target)
            assert row.fvu == pytest.approx(expected)
            assert row.fvu_low < row.fvu < row.fvu_high
        for family, group in part.groupby("family"):
            assert set(group["model_norm"]) == {"clean", family}
            rho = stats.spearmanr(group["model_epsilon"], group["fvu"]).statistic
            np.testing.assert_allclose(group["trend"], rho)


def test_curves_that_share_no_l0_are_left_out_and_the_table_keeps_its_columns(
    results, tmp_path, tables
):
    paths = []
    for path in results["saes"]["saes"][:8]:
        frame = pd.read_parquet(path)
        frame["l0"] *= 1000 ** (frame["model"] == "l2-1-s0")
        paths.append(tmp_path / path.name)
        frame.to_parquet(paths[-1])
    table = matched.build(BOOTSTRAP, saes=paths)
    assert len(table) == 0
    assert list(table.columns) == list(tables["matched"].columns)


@pytest.fixture(scope="module")
def baseline_rows(results):
    """One row a (member, baseline, image): that of an SAE on the layer's own rows is called fvu."""
    inputs = results["baselines"]
    frame = read_frames([*inputs["baselines"], *inputs["saes"]])
    frame["baseline"] = "fvu_" + frame["baseline"].astype(object)
    return frame.fillna({"baseline": "fvu"})


def of_images(rows, member):
    """Squared errors and deviations (2, images) of a member by baseline."""
    mine = rows[(rows[list(member)] == list(member.values())).all(axis=1)]
    return {
        name: part.set_index("image").loc[range(20), ["squared_error", "deviation"]].to_numpy().T
        for name, part in mine.groupby("baseline")
    }


def ratios(measured, images):
    """FVU by baseline, of a list of images."""
    sums = {name: parts[:, images].sum(1) for name, parts in measured.items()}
    return {name: error / deviation for name, (error, deviation) in sums.items()}


def test_saes_stand_beside_their_baselines_at_the_sparsities_that_these_have(tables, baseline_rows):
    table = tables["baselines"]
    assert len(table) == 4 * 2 * 2  # networks × layers × two of three k
    assert set(table["sparsity"]) == {8, 16}
    assert not table.duplicated(MEMBER).any()
    names = ["fvu", "fvu_whitened", "fvu_gaussian", "fvu_pca"]
    for row in table.iloc[::5].to_dict("records"):
        measured = of_images(baseline_rows, {name: row[name] for name in MEMBER})
        whole = ratios(measured, range(20))
        draws = [ratios(measured, images) for images in redraw(20)]
        assert {name: row[name] for name in names} == pytest.approx(whole)
        for name in names:
            limits = [row[f"{name}_low"], row[f"{name}_high"]]
            assert limits == percentiles([draw[name] for draw in draws])
        assert (row["width"], row["dimensions"], row["raw_l0"]) == (64, 60, 20.5)
        assert row["participation_ratio"] == 9 - row["model_epsilon"]


def test_what_is_beyond_the_gaussian_is_compared_with_the_clean_network_draw_by_draw(
    tables, baseline_rows
):
    table = tables["baselines"]
    where = {"layer": "stem", "type": "topk", "sparsity": 8.0, "sae_seed": 0}
    measured = {
        model: of_images(baseline_rows, {"model": model, **where})
        for model in ("clean-s0", "l2-1-s0", "l2-2-s0")
    }

    def over(model, images):
        fvu = ratios(measured[model], images)
        return fvu["fvu"] / fvu["fvu_gaussian"]

    def beyond(model, images):
        return over(model, images) / over("clean-s0", images)

    def mean(images):
        return np.sqrt(beyond("l2-1-s0", images) * beyond("l2-2-s0", images))

    chosen = table[(table["layer"] == "stem") & (table["sparsity"] == 8)].set_index("model")
    row = chosen.loc["l2-2-s0"]
    expected = {
        "over_gaussian": lambda images: over("l2-2-s0", images),
        "beyond": lambda images: beyond("l2-2-s0", images),
        "mean_beyond": mean,
    }
    for name, measure in expected.items():
        assert row[name] == pytest.approx(measure(range(20)))
        limits = [row[f"{name}_low"], row[f"{name}_high"]]
        assert limits == percentiles([measure(images) for images in redraw(20)])
    assert chosen.loc["l2-1-s0", "mean_beyond"] == row["mean_beyond"]
    linf, clean = chosen.loc["linf-0.1-s0"], chosen.loc["clean-s0"]
    assert linf["mean_beyond"] == pytest.approx(linf["beyond"])  # one epsilon
    for name in ("beyond", "mean_beyond"):
        assert clean[[name, f"{name}_low", f"{name}_high"]].tolist() == pytest.approx([1, 1, 1])


def test_l0_is_compared_with_clean_images_and_with_noise_draw_by_draw(results, tables):
    table = tables["l0"]
    # conditions against clean, those that are no noise against noise too; l0 and woken of three
    # sparsities, and against noise two shares of the drive of the middle one
    assert len(table) == 4 * 2 * 2 * (3 * (7 + 4) * 2 + 4 * 2)
    table = table[table["quantity"].isin(["l0", "woken"])]
    raw = read_frames(results["l0"]["l0"])
    for row in table.iloc[::73].itertuples():
        mine = raw[(raw[MEMBER] == [getattr(row, name) for name in MEMBER]).all(axis=1)]

        def values(attack, epsilon, column, mine=mine):
            chosen = mine[(mine["attack"] == attack) & (mine["epsilon"] == epsilon)]
            return chosen.sort_values("image")[column].to_numpy()

        assert row.norm == CONTROLS[row.attack]["norm"]
        above = values(row.attack, row.epsilon, row.quantity)
        if row.reference == "clean":  # no latent wakes there
            below = values("clean", 0.0, "l0")
        else:
            assert row.reference == CONTROLS[row.attack]["noise"] != row.attack
            below = values(row.reference, row.epsilon, row.quantity)
        assert (row.value, row.reference_value) == pytest.approx((above.mean(), below.mean()))
        assert row.ratio == pytest.approx(above.mean() / below.mean())
        draws = [above[i].mean() / below[i].mean() for i in redraw(20)]
        assert [row.ratio_low, row.ratio_high] == percentiles(draws)


def test_another_quantity_and_another_control_are_compared_as_l0_and_noise_are(results, tmp_path):
    path = tmp_path / "l0.parquet"
    raw = pd.read_parquet(results["l0"]["l0"][0])
    shuffled = raw[raw["attack"] == "noise"].assign(attack="shuffled")
    pd.concat([raw, shuffled]).assign(doubled=lambda rows: 2 * rows["l0"]).to_parquet(path)
    controls = {name: {**control, "shuffled": "shuffled"} if control["norm"] == "l2" else control
                for name, control in CONTROLS.items()}  # fmt: skip
    controls["shuffled"] = {"norm": "l2", "noise": "noise"}
    table = l0.build({**BOOTSTRAP, "controls": controls}, l0=[path])
    assert set(table.loc[table["sparsity"] != 8, "quantity"]) == {"l0", "woken"}
    assert set(table.loc[table["sparsity"] != 8, "reference"]) == {"clean", "noise", "noise-max"}
    table = table[table["sparsity"] == 8]
    of_pgd = table[(table["attack"] == "pgd") & (table["quantity"] == "l0")]
    assert set(of_pgd["reference"]) == {"clean", "noise", "shuffled"}
    noise, again = (of_pgd[of_pgd["reference"] == name] for name in ("noise", "shuffled"))
    np.testing.assert_array_equal(noise["ratio_low"], again["ratio_low"])
    assert set(table.loc[table["attack"] == "shuffled", "reference"]) == {"clean", "noise"}
    shares = {"own_share", "interference_share"}
    assert set(table["quantity"]) == {"l0", "woken", "doubled", *shares}
    l0_rows, doubled = (table[table["quantity"] == name] for name in ("l0", "doubled"))
    np.testing.assert_allclose(doubled["value"], 2 * l0_rows["value"])
    for name in ("ratio", "ratio_low", "ratio_high"):
        np.testing.assert_allclose(doubled[name], l0_rows[name])


def test_the_interference_share_is_of_what_drives_woken_latents(results, tables):
    table = tables["l0"]
    raw = read_frames(results["l0"]["l0"])
    shares = table[table["quantity"] == "interference_share"]
    assert set(shares["reference"]) == {"noise", "noise-max"}
    for row in shares.iloc[::17].itertuples():
        mine = raw[(raw[MEMBER] == [getattr(row, name) for name in MEMBER]).all(axis=1)]
        mine = mine[mine["epsilon"] == row.epsilon].sort_values("image")
        here, there = (
            mine[mine["attack"] == name]["drive_interference"].to_numpy() / 2
            for name in (row.attack, row.reference)
        )
        assert (row.value, row.reference_value) == pytest.approx((here.mean(), there.mean()))
        draws = [here[i].mean() / there[i].mean() for i in redraw(20)]
        assert [row.ratio_low, row.ratio_high] == percentiles(draws)


def test_toy_measures_are_means_and_extremes_over_seeds(results, tables):
    raw, table = pd.read_parquet(results["toy"]["toy"][0]), tables["toy"]
    measured = table[table["quantity"] != "shrinkage_share"]
    assert len(measured) == 3 * 3 * 2 * 6 * 8  # modes × densities × inputs × attacks × quantities
    for row in measured.iloc[::5].itertuples():
        chosen = raw[(raw["training"] == row.training) & (raw["density"] == row.density)]
        chosen = chosen[(chosen["inputs"] == row.inputs) & (chosen["attack"] == row.attack)]
        values = chosen[row.quantity]
        assert row.seeds == len(values) == 3
        assert (row.low, row.high) == (values.min(), values.max())
        assert row.mean == pytest.approx(values.mean())


def test_the_share_that_shrinkage_explains_is_taken_seed_by_seed(results, tables):
    raw, table = pd.read_parquet(results["toy"]["toy"][0]), tables["toy"]
    shares = table[table["quantity"] == "shrinkage_share"]
    assert set(shares["training"]) == {"shrunk"}
    assert len(shares) == 3 * 2 * 6  # densities × inputs × attacks
    for row in shares.itertuples():
        values = []
        for seed in range(3):
            here = raw[(raw["density"] == row.density) & (raw["seed"] == seed)]
            here = here[(here["inputs"] == row.inputs) & (here["attack"] == row.attack)]
            v = dict(zip(here["training"], here["vulnerability"]))
            values.append((v["clean"] - v["shrunk"]) / (v["clean"] - v["adversarial"]))
        assert row.mean == pytest.approx(np.mean(values))
        assert (row.low, row.high) == (pytest.approx(min(values)), pytest.approx(max(values)))


def vulnerable(clean, adversarial, shrunk, **where):
    """Measurements of one attack: the vulnerability of each seed's models."""
    where = {"inputs": "own", "attack": "strongest", "density": 0.1} | where
    models = {"clean": clean, "adversarial": adversarial, "shrunk": shrunk}
    return pd.DataFrame([
        {**where, "training": training, "seed": seed, "vulnerability": v}
        for training, values in models.items() for seed, v in enumerate(values)
    ])  # fmt: skip


def test_a_share_of_hardly_any_gain_is_missing_for_every_seed_of_its_density():
    measured = pd.concat([
        vulnerable([10, 8], [5, 4], [6, 4]),
        vulnerable([10, 8], [9.6, 4], [9, 4], density=0.2),  # a gain of 4 %
        vulnerable([10, 8], [12, 4], [9, 4], density=0.3),  # no gain but a loss
        vulnerable([10, 8], [9.4, 4], [10.6, 4], density=0.4),
    ])  # fmt: skip
    parts = shrinkage_share(measured).groupby(level="density")
    shares = {density: part.tolist() for density, part in parts}
    assert shares[0.1] == pytest.approx([0.8, 1.0])
    assert shares[0.4] == pytest.approx([-1.0, 1.0])
    assert np.isnan([shares[0.2], shares[0.3]]).all()


@pytest.mark.parametrize(
    ("low", "high", "side", "expected"),
    [
        (1.1, 1.3, ">", "reproduced"),
        (0.7, 0.9, ">", "not reproduced"),
        (0.9, 1.1, ">", "undecided"),
        (1.1, 1.3, "<", "not reproduced"),
        (0.7, 0.9, "<", "reproduced"),
        (0.9, 1.1, "<", "undecided"),
        (1.0, 1.2, ">", "undecided"),
        (0.8, 1.0, "<", "undecided"),
        (np.nan, 1.2, ">", "undecided"),
        (1.1, np.nan, ">", "undecided"),
        (1.1, np.inf, ">", "undecided"),
    ],
)
def test_a_verdict_needs_the_whole_interval_on_one_side(low, high, side, expected):
    said = verdict(Measured(1.0, low, high, "extremes", "networks"), Rule(side, 1.0))
    assert said["verdict"] == expected
    assert (said["why"] != "") == (expected == "undecided")


@pytest.mark.parametrize(
    ("low", "high", "side", "expected"),
    [
        (1.0, 1.2, ">=", "reproduced"),
        (0.9, 1.2, ">=", "not reproduced"),
        (1.0, 1.0, "=", "reproduced"),
        (1.0, 1.1, "=", "not reproduced"),
        (0.9, 1.0, "=", "not reproduced"),
        (np.nan, np.nan, ">=", "undecided"),
    ],
)
def test_a_check_fails_where_one_case_does(low, high, side, expected):
    measured = Measured(1.0, low, high, "extremes", "all cases")
    assert verdict(measured, Rule(side, 1.0))["verdict"] == expected


def decided(spec=None, **tables):
    """The rows of the table claims, of some of its inputs."""
    return claims.decide(tables, spec or {"confidence": 0.95}).to_dict("records")


def wordings(rows, start):
    return [row for row in rows if row["claim"].startswith(start)]


def of_l2(table):
    """Of the matched table: the family of three networks."""
    return table[table["family"] == "l2"]


def test_an_interval_over_too_few_images_is_none_and_its_verdict_undecided_and_says_why(
    results, tmp_path
):
    spec = {"confidence": 0.9, "resamples": 100, "seed": 0}

    def few(name, images):
        for path in all_of(results[name]):
            target = tmp_path / path.name
            if path.suffix == ".json":
                target.write_bytes(path.read_bytes())
            else:
                table = pd.read_parquet(path)
                table[table["image"] < images].to_parquet(target)
        return {k: [tmp_path / path.name for path in paths] for k, paths in results[name].items()}

    for images in (1, 4, 5):
        l0_table = l0.build({**spec, "controls": CONTROLS}, **few("l0", images))
        found = [
            *decided(
                NETWORKS,
                matched=of_l2(matched.build(spec, **few("matched", images))),
                baselines=baselines.build(spec, **few("baselines", images)),
                l0=l0_table,
            )
        ]
        assert len(found) >= 3
        for row in found:
            if images < 5:
                assert row["verdict"] == "undecided"
                assert row["why"] == f"images {images}, an interval at 90% needs 5"
                assert np.isnan([row["low"], row["high"]]).all()
            else:
                assert not row["why"].startswith("images")
        assert (l0_table["images"] == images).all()


def test_a_rank_correlation_over_two_networks_is_undecided(results, tables):
    spec = {"confidence": 0.9, "resamples": 100, "seed": 0}
    three = results["matched"]["saes"]
    two = [path for path in three if "l2-1" not in path.name]
    for kept, networks in ((three, 3), (two, 2)):
        table = of_l2(matched.build(spec, saes=kept))
        (row, *_) = decided(NETWORKS, matched=table)
        assert set(table["epsilons"]) == {networks}
        assert ("rank correlation" in row["why"]) == (networks == 2)
        if networks == 2:
            assert abs(row["measured"]) == 1
            assert row["verdict"] == "undecided"
            assert np.isnan(row["low"])


def test_toy_models_of_two_densities_or_one_seed_decide_no_trend(results):
    toys = pd.read_parquet(results["toy"]["toy"][0])
    rises = "vulnerability rises"
    for part, why in (
        (toys[toys["density"] != 0.5], "densities 2, a rank correlation"),
        (toys[toys["seed"] == 0], "seeds 1, extremes need two"),
    ):
        rows = wordings(decided(toy=part), rises)
        assert {row["verdict"] for row in rows} == {"undecided"}
        assert all(row["why"].startswith(why) for row in rows)


def test_a_gradient_that_is_zero_fails_its_check(tables):
    name = "check: no gradient of an attack is exactly zero (gradients that are, of all steps)"
    for zeros, said in ((0, "reproduced"), (3, "not reproduced")):
        table = tables["accuracy"].copy()
        table.loc[table.index[table["type"] == "pgd"][0], "zero_gradients"] = zeros
        (row,) = wordings(decided(NETWORKS, accuracy=table), name)
        assert (row["high"], row["verdict"]) == (zeros, said)


#: What claims about networks are read at.
NETWORKS = {"confidence": 0.9, "attack": "pgd", "epsilon": 2.0}


@pytest.fixture(scope="module")
def of_networks(tables, tmp_path_factory):
    """What claims about networks are read from, by name."""
    folder = tmp_path_factory.mktemp("tables")
    paths = {name: folder / f"{name}.parquet" for name in CLAIMED}
    for name, path in paths.items():
        write_frame(tables[name], path, {})
    return {name: [path] for name, path in paths.items()}


@pytest.fixture(scope="module")
def concluded(results, of_networks):
    return claims.build(NETWORKS, **of_networks, **results["toy"])


def test_claims_about_one_arm_are_those_of_both_that_are_about_it(results, of_networks, concluded):
    alone = {
        "toy": claims.build(NETWORKS, **results["toy"]),
        "networks": claims.build(NETWORKS, **of_networks),
    }
    of_toy = concluded["scope"].str.startswith("toy models")
    assert 0 < of_toy.sum() < len(concluded)
    over_the_whole_table = ["false_discovery_rate", "survives"]
    for arm, mine in (("toy", of_toy), ("networks", ~of_toy)):
        found, expected = (
            frame[frame["verdict"] != "not tested"].drop(columns=over_the_whole_table)
            for frame in (alone[arm], concluded[mine])
        )
        pd.testing.assert_frame_equal(found, expected.reset_index(drop=True))


def test_the_modules_of_tables_take_the_inputs_that_the_catalogue_names(results):
    there = {table.name: set(table.inputs) for table in TABLES}
    assert {name: set(inputs) for name, inputs in results.items()} == {
        name: there[name] for name in results
    }
    for table in TABLES:
        module = importlib.import_module(f"interference.analysis.tables.{table.name}")
        assert list(inspect.signature(module.build).parameters) == ["spec", *table.inputs]


def test_claims_about_toy_models_are_read_seed_by_seed(results, concluded):
    raw = pd.read_parquet(results["toy"]["toy"][0])
    rows = concluded[concluded["scope"].str.startswith("toy")]
    assert rows["scope"].value_counts().to_dict() == {
        "toy models": 3, "toy models, strongest attack": 4, "toy models, one-step attack": 3,
        "toy models, certified bound": 1,
        "toy models, strongest attack, densities up to 0.15": 1,
        "toy models, strongest attack, all densities with a gain": 1,
        "toy models, 6 of 6 (training, density)": 3,
    }  # fmt: skip
    rise = rows[rows["claim"].str.startswith("vulnerability rises")].iloc[0]
    assert (rise["measured"], rise["verdict"]) == (pytest.approx(1), "reproduced")
    lowers = "adversarial training lowers features per dimension"
    halved = rows[rows["claim"].str.startswith(lowers)].iloc[0]
    ratios = []
    for seed in range(3):
        mine = raw[(raw["seed"] == seed) & (raw["attack"] == "strongest")]
        mine = mine[mine["inputs"] == "own"].pivot_table(
            index="density", columns="training", values="features_per_dimension"
        )
        ratios.append(stats.gmean(mine["clean"] / mine["adversarial"]))
    assert halved["measured"] == pytest.approx(np.mean(ratios))
    assert (halved["low"], halved["high"]) == (
        pytest.approx(min(ratios)),
        pytest.approx(max(ratios)),
    )


@pytest.mark.parametrize(
    ("vulnerabilities", "expected", "said"),
    [((9, 4, 3, 2, 8), 0.5, "reproduced"), ((1, 4, 5, 5, 2), 1.25, "not reproduced")],
)
def test_a_dip_is_below_where_the_plateau_starts(vulnerabilities, expected, said):
    raw = pd.DataFrame({
        "density": [1.0, 0.5, 0.4, 0.3, 0.1], "training": "clean",
        "features_per_dimension": [1.0, 1.9, 2.0, 2.1, 5.0],
        "learned_features_per_dimension": 1.0, "interference": 1.0, "loss_adversarial": 1.0,
        "vulnerability": vulnerabilities,
    })  # fmt: skip
    grid = itertools.product(
        ("clean", "adversarial", "shrunk"), (0, 1), ("own", "common"), TOY_ORDER
    )
    keys = ("training", "seed", "inputs", "attack")
    raw = pd.concat([raw.assign(**dict(zip(keys, key))) for key in grid])
    dips = wordings(decided(toy=raw), "vulnerability dips")
    assert [(row["measured"], row["verdict"]) for row in dips] == [(expected, said)] * 3


def test_one_seed_decides_nothing(results):
    raw = pd.read_parquet(results["toy"]["toy"][0])
    rows = decided(toy=raw[raw["seed"] == 0])
    claimed = [row for row in rows if not row["claim"].startswith("check")]
    assert {row["verdict"] for row in claimed} == {"undecided"}


def test_the_shrinkage_claim_is_over_the_densities_that_it_names(results):
    raw = pd.read_parquet(results["toy"]["toy"][0])
    own = raw[(raw["inputs"] == "own") & (raw["attack"] == "strongest")]
    share = shrinkage_share(own).reset_index(name="share")
    rows = wordings(decided(toy=raw), "shrinkage alone")
    assert len(rows) == 2
    for row in rows:
        most = 0.15 if row["scope"].endswith("0.15") else 1
        seeds = share[share["density"] <= most].groupby("seed")["share"].mean()
        assert (row["low"], row["high"]) == (seeds.min(), seeds.max())
        assert row["verdict"] == "reproduced"  # the data were made so


def test_without_sparse_densities_their_claim_is_undecided(results):
    raw = pd.read_parquet(results["toy"]["toy"][0])
    rows = decided(toy=raw[raw["density"] > 0.15])
    verdicts = {row["scope"]: row["verdict"] for row in rows if row["source"] == "control"}
    assert verdicts["toy models, strongest attack, densities up to 0.15"] == "undecided"
    assert verdicts["toy models, strongest attack, all densities with a gain"] == "reproduced"


def test_the_claim_at_one_density_reads_the_common_inputs_and_no_other_does(results):
    raw = pd.read_parquet(results["toy"]["toy"][0])
    before = decided(toy=raw)
    common = raw["inputs"] == "common"
    raw.loc[common & (raw["training"] == "adversarial"), "vulnerability"] *= 100
    pairs = zip(decided(toy=raw), before)
    changed = [a for a, b in pairs if str(a["measured"]) != str(b["measured"])]
    assert [row["claim"] for row in changed] == [
        "adversarial training lowers vulnerability at one common density"
        " (clean over adversarially trained, geometric mean over densities)"
    ]
    assert changed[0]["verdict"] == "not reproduced"


def test_one_density_at_which_an_attack_is_weaker_fails_the_check_of_the_order(results):
    raw = pd.read_parquet(results["toy"]["toy"][0])
    raw = raw[raw["inputs"] == "own"]
    shrunk = raw["training"] == "shrunk"  # not trained, so not counted
    raw.loc[shrunk & (raw["attack"] == "pgd"), "loss_adversarial"] = 0
    checks = wordings(decided(toy=raw), "check: ")
    assert {row["verdict"] for row in checks} == {"reproduced"}
    here = (raw["training"] == "clean") & (raw["density"] == 0.5) & (raw["attack"] == "pgd")
    raw.loc[here, "loss_adversarial"] *= 0.5 / 0.8 - 1e-6
    weak, *others = wordings(decided(toy=raw), "check: ")
    assert (weak["scope"], weak["verdict"]) == (
        "toy models, 5 of 6 (training, density)",
        "not reproduced",
    )
    assert {row["verdict"] for row in others} == {"reproduced"}


def test_there_is_a_claim_for_each_trend_and_it_repeats_the_tables_numbers(tables, concluded):
    rows = concluded[concluded["claim"].str.startswith("FVU at equal L0")]
    assert len(rows) == 2 * 2 * 2  # layers × types × norms
    chosen = rows[rows["scope"].str.startswith("resnet18 stem, topk, l2")].iloc[0]
    table = tables["matched"]
    trend = table[
        (table["layer"] == "stem") & (table["type"] == "topk") & (table["family"] == "l2")
    ]
    assert chosen["measured"] == pytest.approx(trend["trend"].iloc[0])
    assert chosen["verdict"] == "holds here"  # the data were made so


def test_what_falls_with_the_gaussians_own_fvu_is_no_fall_beyond_it(tables, concluded):
    rows = concluded[concluded["claim"].str.contains("by a tenth more than a Gaussian's")]
    assert len(rows) == 2 * 2 * 2  # layers × k × norms
    table = tables["baselines"]
    l2 = table[
        (table["model"] == "l2-1-s0") & (table["layer"] == "stem") & (table["sparsity"] == 8)
    ]
    chosen = rows[rows["scope"].str.startswith("resnet18 stem, topk 8, l2")].iloc[0]
    assert chosen["measured"] == l2["mean_beyond"].iloc[0]

    def verdicts(table):
        return {row["verdict"] for row in decided(NETWORKS, baselines=table)}

    names = ["mean_beyond", "mean_beyond_low", "mean_beyond_high"]
    for values, said in (
        ([0.8, 0.7, 0.89], "holds here"),
        ([1.2, 1.1, 1.3], "fails here"),
        ([0.95, 0.91, 0.99], "no effect here"),  # as much as another SAE seed
        ([0.9, 0.8, 1.1], "undecided"),
    ):
        assert verdicts(table.assign(**dict(zip(names, values)))) == {said}


def test_awakening_is_read_at_the_middle_sparsity_of_the_clean_network(tables, concluded):
    rows = concluded[concluded["claim"].str.match("L0 rises (under|more than)")]
    assert len(rows) == 2 * 2 * 2
    table = tables["l0"]
    chosen = table[
        (table["model"] == "clean-s0") & (table["layer"] == "layer1") & (table["type"] == "topk")
        & (table["sparsity"] == 8) & (table["attack"] == "pgd") & (table["epsilon"] == 2)
        & (table["quantity"] == "l0")
    ].set_index("reference")["ratio"]  # fmt: skip
    mine = rows[rows["scope"].str.startswith("resnet18 layer1, topk 8")]
    assert mine["measured"].tolist() == pytest.approx([chosen["clean"], chosen["noise"]])
    assert mine["verdict"].tolist() == ["holds here"] * 2
    assert mine["reported"].tolist() == ["2", "not reported"]
    assert mine["of_reported"].iloc[0] == pytest.approx(np.log(chosen["clean"]) / np.log(2))
    assert np.isnan(mine["of_reported"].iloc[1])


def test_claims_are_about_the_inputs_of_their_table_and_about_each():
    (table,) = (table for table in TABLES if table.name == "claims")
    assert {kind.table for claim in CLAIMS for kind in claim.subjects} == set(table.inputs)


def test_a_claim_is_an_entry(tables, monkeypatch):
    """Neighbours about the same subjects stand together, subject by subject."""
    members = Subjects(
        "l0", "{layer}, k = {sparsity:g}", "type == 'topk' and model_norm == 'l2'"
        " and model_epsilon == 1 and attack == @attack and epsilon == @epsilon"
        " and quantity == 'l0' and reference == 'clean'", "SAEs",
        per=("layer",), at_middle_of="sparsity",
    )  # fmt: skip
    claim = Claim(
        "wake", "latents wake up", PREPRINT, (members,), partial(estimate, column="ratio"), Rule(">", 0),
        reported=Reported("some"), reported_at={"stem": Reported("few")},
    )  # fmt: skip
    other = Claim(
        "sleep",
        "none sleep",
        "control",
        (members,),
        partial(estimate, column="ratio"),
        Rule("<", 1),
    )
    monkeypatch.setattr(claims, "CLAIMS", (claim, other))
    rows = decided(NETWORKS, **tables)
    names = ("claim", "scope", "source", "reported", "bound", "verdict")
    assert [tuple(row[name] for name in names) for row in rows] == [
        ("latents wake up", "layer1, k = 8", PREPRINT, "some", "> 0", "holds here"),
        ("none sleep", "layer1, k = 8", "control", "not reported", "< 1", "fails here"),
        ("latents wake up", "stem, k = 8", PREPRINT, "few", "> 0", "holds here"),
        ("none sleep", "stem, k = 8", "control", "not reported", "< 1", "fails here"),
    ]


def test_an_attack_weaker_than_noise_fails_the_masking_check(tables, concluded):
    assert (concluded["source"] == "masking check").sum() == 4
    weak = tables["accuracy"].copy()
    weak.loc[weak["type"] == "pgd", "accuracy"] = 1.0
    weak.loc[weak["type"] == "noise", "accuracy"] = 0.5
    found = {row["claim"]: row for row in decided(NETWORKS, accuracy=weak)}
    check = found["check: pgd is at least as strong as noise (accuracy lost)"]
    assert (check["measured"], check["verdict"]) == (-0.5, "not reproduced")


def test_a_frame_is_written_for_machines_and_for_people(tmp_path, tables):
    write_frame(tables["saes"], tmp_path / "t.parquet", {})
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "t.parquet"), tables["saes"])
    people = pd.read_csv(tmp_path / "t.csv")
    assert list(people.columns) == list(tables["saes"].columns)
    np.testing.assert_allclose(people["fvu"], tables["saes"]["fvu"], rtol=1e-5)


@pytest.mark.parametrize("damage", ["missing", "truncated"])
def test_a_damaged_table_is_told(tmp_path, results, damage):
    path = tmp_path / "t.parquet"
    if damage == "truncated":
        path.write_bytes(results["l0"]["l0"][0].read_bytes()[:-50])
    with pytest.raises(StoreError, match=r"t\.parquet is"):
        read_frames([path])
