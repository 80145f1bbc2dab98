"""Intervals over trainings: their coverage, what they say of one training, planted nulls and effects."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from interference.analysis import families
from interference.analysis.claims import CLAIMS
from interference.analysis.figures import matched as matched_figure
from interference.analysis.frames import MEMBER, write_frame
from interference.analysis.statistics import TRAINING, Bootstrap
from interference.analysis.tables import baselines, claims, l0, matched
from interference.analysis.verdicts import Measured, Rule, verdict
from interference.report.conclude import conclude
from interference.store.files import write_json
from tests.support.nulls import DEALS, hold

pytestmark = pytest.mark.xdist_group("trainings")

SPEC = {"confidence": 0.95, "resamples": 300, "seed": 0}


def bootstrap(images, resamples=300):
    return Bootstrap.over(pd.DataFrame({"image": range(images)}), SPEC | {"resamples": resamples})


def test_a_crossed_design_without_interaction_has_its_closed_form():
    """x of network i and image k is a_i + b_k: the mean's variances are s_a²/n and s_b²/N."""
    rng, n, images = np.random.default_rng(0), 4, 400
    a, b = rng.standard_normal((n, 1)), 10 * rng.standard_normal(images)
    over_images = bootstrap(images, 4000)
    low, high = over_images.over_trainings((a + b) @ over_images.weights.T)
    t, z = stats.t.ppf(0.975, n - 1), stats.norm.ppf(0.975)
    half = np.sqrt(t**2 * a.var(ddof=1) / n + z**2 * b.var(ddof=1) / images)
    mean = (a + b).mean()
    np.testing.assert_allclose([mean - low, high - mean], half, rtol=0.02)
    exact = stats.ttest_1samp(a[:, 0], 0).confidence_interval(0.95)
    alone = over_images.over_trainings(np.tile(a, 1 + 4000))  # images do nothing
    assert alone == pytest.approx((exact.low, exact.high))


#: Standard deviations of networks, of SAE seeds, of images (of one), and of images differing between
#: networks.
CHANCE = {
    "networks": (1, 0.3, 0, 0),
    "images": (0.1, 0.1, 10, 3),
    "between networks": (0.2, 0.2, 3, 8),
    "all": (0.7, 0.7, 7, 7),
}


def made_up(rng, n, chance, images, seeds=2):
    """Values (n, seeds, images) of which the mean is zero."""
    network, sae, image, both = chance
    shapes = (n, 1, 1), (n, seeds, 1), (1, 1, images), (n, 1, images)
    sizes = (network, sae, image, both)
    return sum(size * rng.standard_normal(shape) for size, shape in zip(sizes, shapes))


@pytest.mark.parametrize("networks", [2, 3, 5, 10])
@pytest.mark.parametrize("chance", CHANCE)
def test_intervals_over_trainings_cover_at_least_as_often_as_they_say(networks, chance):
    rng, over_images = np.random.default_rng(1), bootstrap(80, 1000)
    covered, runs = 0, 1000
    for _ in range(runs):
        values = made_up(rng, networks, CHANCE[chance], 80).mean(1)
        low, high = over_images.over_trainings(values @ over_images.weights.T)
        covered += low <= 0 <= high
    assert covered / runs >= 0.93  # 0.95 less three standard errors


@pytest.mark.parametrize(("networks", "most"), [(2, 0.7), (3, 0.8), (5, 0.9)])
def test_a_percentile_bootstrap_over_a_few_trainings_covers_too_seldom(networks, most):
    """Why the interval is none: networks, and the SAE seeds of each, drawn with replacement."""
    rng, over_images = np.random.default_rng(1), bootstrap(80)
    covered, runs, resamples = 0, 300, 300
    for _ in range(runs):
        values = made_up(rng, networks, CHANCE["networks"], 80) @ over_images.weights[1:].T
        drawn = rng.integers(0, networks, (resamples, networks))
        seeds = rng.integers(0, 2, (resamples, networks, 2))
        draws = values[drawn[..., None], seeds, np.arange(resamples)[:, None, None]].mean((1, 2))
        low, high = np.quantile(draws, [0.025, 0.975])
        covered += low <= 0 <= high
    assert covered / runs < most


def member(model_seed, sae_seed, draws, **other):
    kind = dict.fromkeys(MEMBER, "same") | {"model": f"s{model_seed}", "model_seed": model_seed}
    return {**kind, "sae_seed": sae_seed, "fvu": draws, "l0": 10.0 * (1 + model_seed), **other}


def test_networks_are_averaged_and_before_them_their_sae_seeds():
    rng, over_images = np.random.default_rng(0), bootstrap(50)
    draws = {key: np.exp(rng.standard_normal(301)) for key in itertools.product(range(3), range(2))}
    members = pd.DataFrame([member(*key, values) for key, values in draws.items()])
    table = over_images.table(members, log=["fvu"], means=["l0"])
    assert table["about"].tolist() == ["one of several"] * 6 + ["networks"]
    *single, mean = table.to_dict("records")
    for row, values in zip(single, draws.values()):
        assert (row["fvu"], row["networks"], row["sae_seeds"]) == (values[0], 1, 1)
        limits = np.quantile(values[1:], [0.025, 0.975])
        assert [row["fvu_low"], row["fvu_high"]] == pytest.approx(limits.tolist())
    assert (mean["networks"], mean["sae_seeds"], mean["images"], mean["l0"]) == (3, 2, 50, 20)
    assert pd.isna([mean[name] for name in TRAINING]).all()
    networks = np.log([[draws[i, j] for j in range(2)] for i in range(3)]).mean(1)
    assert mean["fvu"] == pytest.approx(stats.gmean([values[0] for values in draws.values()]))
    limits = np.exp(over_images.over_trainings(networks)).tolist()
    assert [mean["fvu_low"], mean["fvu_high"]] == pytest.approx(limits)


def test_one_training_is_about_this_network_and_its_sae_seeds_are_too():
    over_images, draws = bootstrap(50), np.exp(np.random.default_rng(0).standard_normal((2, 301)))
    alone = over_images.table(pd.DataFrame([member(0, 0, draws[0])]), log=["fvu"], means=["l0"])
    assert alone["about"].tolist() == ["this network"]
    seeds = pd.DataFrame([member(0, i, draws[i]) for i in range(2)])
    table = over_images.table(seeds, log=["fvu"], means=["l0"])
    assert table["about"].tolist() == ["one of several"] * 2 + ["this network"]
    row = table.iloc[-1]
    assert (row["networks"], row["sae_seeds"]) == (1, 2)
    assert [row["fvu_low"], row["fvu_high"]] == pytest.approx(
        np.exp(over_images.over_trainings(np.log(draws))).tolist()
    )


@pytest.mark.parametrize(
    ("low", "high", "reported", "said", "why"),
    [
        (1.6, 2.2, 2, "reproduced", ""),
        (1.3, 1.5, 2, "reproduced", ""),  # reaches 2 ** 0.5, half of it as a logarithm
        (1.02, 1.04, 2, "not reproduced", "the direction holds, the size is 0.04 of what is"),
        (0.99, 1.07, 2, "not reproduced", "the size is 0.04 of what is reported"),
        (0.7, 0.9, 2, "not reproduced", ""),
        (0.9, 1.9, 2, "undecided", "the interval includes 1"),
        (1.02, 1.04, None, "reproduced", ""),
        (0.0, 1.04, 2, "not reproduced", "the size is"),
    ],
)
def test_a_size_below_half_of_the_reported_is_not_reproduced(low, high, reported, said, why):
    measured = Measured(1.03, low, high, "95%", "networks")
    found = verdict(measured, Rule(">", 1), reported)
    assert found["verdict"] == said
    assert found["why"].startswith(why)
    assert (found["why"] == "") == (why == "")
    mirrored = Measured(1 / 1.03, 1 / high, 1 / low if low else 1e9, "95%", "networks")
    down = verdict(mirrored, Rule("<", 1), None if reported is None else 1 / reported)
    assert down == found


@pytest.mark.parametrize(
    ("low", "high", "said", "why"),
    [
        (1.6, 2.2, "holds here", "one training"),
        (0.7, 0.9, "fails here", "one training"),
        (
            1.02,
            1.04,
            "fails here",
            "the direction holds, the size is 0.04 of what is reported; one",
        ),
        (0.9, 1.9, "undecided", "the interval includes 1"),
    ],
)
def test_one_training_reproduces_nothing(low, high, said, why):
    found = verdict(Measured(1.03, low, high, "95%", "this network"), Rule(">", 1), 2)
    assert found["verdict"] == said
    assert found["why"].startswith(why)


def test_every_reported_size_is_on_the_claimed_side_of_its_bound():
    sizes = [
        (reported.size, claim.rule)
        for claim in CLAIMS
        for reported in (claim.reported, *claim.reported_at.values())
        if reported.size is not None
    ]
    assert len(sizes) == 6
    assert all(rule.holds(size, size) for size, rule in sizes)
    assert all(rule.of_reported(size, size) == 1 for size, rule in sizes)


#: The size of an experiment that can decide, and what is planted in it: L0 over clean and over noise,
#: and the FVU of epsilon 0 to 2, over that of a Gaussian, too.
SEEDS, IMAGES, TYPES = range(3), 200, ("topk", "relu_l1", "batch_topk")
RATIOS = {"stem": 1.1, "layer1": 2.0, "layer2": 1.5, "layer3": 3.0, "layer4": 1.3}
FALLS = {0.0: 1.0, 0.5: 0.85, 1.0: 0.7, 2.0: 0.6}
ATTACK = {"attack": "pgd", "epsilon": 1.0}
CONTROLS = {name: {"norm": "l2", "noise": "noise"} for name in ("pgd", "noise")}


def network(seed, epsilon):
    norm = "l2" if epsilon else "clean"
    return {"model": f"{norm}-{epsilon:g}-s{seed}", "model_architecture": "resnet18",
            "model_norm": norm, "model_epsilon": epsilon, "model_seed": seed}  # fmt: skip


def scored(rng, identity, layer, fvu, sparsity, images):
    """Rows of a raw table of SAEs: images have a difficulty that all networks share."""
    deviation = images * rng.uniform(0.9, 1.1, IMAGES)
    return pd.DataFrame({
        **identity, "layer": layer, "sparsity": sparsity, "sae_seed": 0, "image": range(IMAGES),
        "squared_error": fvu * np.exp(0.02 * rng.standard_normal()) * deviation
        * rng.uniform(0.8, 1.2, IMAGES),
        "deviation": deviation, "l0": sparsity * rng.uniform(0.9, 1.1, IMAGES),
    })  # fmt: skip


@pytest.fixture(scope="module")
def planted():
    """Raw tables with an effect: of SAEs, of baselines, of L0 of clean networks; and networks."""
    rng, tables = np.random.default_rng(0), {"saes": [], "baselines": [], "l0": []}
    difficulty = rng.gamma(4, 1, IMAGES)
    networks = [network(seed, epsilon) for seed in SEEDS for epsilon in FALLS]
    for identity, layer in itertools.product(networks, RATIOS):
        fall = FALLS[identity["model_epsilon"]]
        for kind in TYPES:
            for k in (8.0, 16.0):
                part = scored(rng, identity, layer, fall * 2 / k, k, difficulty)
                tables["saes"].append(part.assign(type=kind))
        for kind in ("whitened", "gaussian", "pca"):
            part = scored(rng, identity, layer, 0.3, 16.0, difficulty)
            tables["baselines"].append(part.assign(type="topk", baseline=kind))
        for kind in TYPES if identity["model_norm"] == "clean" else ():
            size = difficulty * np.exp(0.01 * rng.standard_normal())
            for attack, rise in (("clean", 1), ("noise", 1.02), ("pgd", RATIOS[layer])):
                values = size * rise * rng.uniform(0.9, 1.1, IMAGES)
                share = 0.4 * rise * rng.uniform(0.95, 1.05, IMAGES)
                tables["l0"].append(pd.DataFrame({
                    **identity, "layer": layer, "type": kind, "sparsity": 16.0, "sae_seed": 0,
                    "attack": attack, "epsilon": 0.0 if attack == "clean" else 1.0,
                    "image": range(IMAGES), "l0": values * np.exp(0.01 * rng.standard_normal()),
                    "drive": 1.0, "drive_own": 1 - share, "drive_interference": share,
                }))  # fmt: skip
    return {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()}


def concluded(planted, folder):
    """The table claims of raw tables."""
    paths = {name: folder / f"{name}.parquet" for name in planted}
    for name, path in paths.items():
        planted[name].to_parquet(path)
    peers = planted["saes"].query("type == 'topk' and sparsity == 16")
    peers.to_parquet(folder / "peers.parquet")
    manifests = []
    for model, layer in itertools.product(peers["model"].unique(), RATIOS):
        manifests.append(folder / f"{model}-{layer}.json")
        spectral = dict.fromkeys(baselines.SPECTRAL, 1.0)
        identity = peers.loc[peers["model"] == model, [n for n in MEMBER if n.startswith("model")]]
        spec = {"model": identity.iloc[0].to_dict(), "layer": layer, "type": "topk"}
        write_json(manifests[-1], {"spec": spec, **spectral})
    tables = {
        "matched": matched.build(SPEC, saes=[paths["saes"]]),
        "baselines": baselines.build(
            SPEC, manifests, baselines=[paths["baselines"]], saes=[folder / "peers.parquet"]
        ),
        "l0": l0.build(SPEC | {"controls": CONTROLS}, l0=[paths["l0"]]),
    }
    return claims.decide(tables, {"confidence": 0.95, **ATTACK})


def permuted(planted, rng):
    """The same measurements, where training epsilons are dealt anew among the networks of a seed, in each
    layer by itself, and attacks among what each image has."""
    dealt = {
        (layer, network(seed, epsilon)["model"]): network(seed, other)
        for layer, seed in itertools.product(RATIOS, SEEDS)
        for epsilon, other in zip(FALLS, rng.permutation(list(FALLS)))
    }
    tables = {}
    for name in ("saes", "baselines"):
        models = zip(planted[name]["layer"], planted[name]["model"])
        columns = pd.DataFrame([dealt[model] for model in models])
        tables[name] = planted[name].assign(**columns)
    table = planted["l0"].copy()
    orders = {
        (seed, image): rng.permutation(3) for seed, image in itertools.product(SEEDS, range(IMAGES))
    }
    names = ["clean", "noise", "pgd"]
    attacks = [
        names[orders[seed, image][names.index(attack)]]
        for seed, image, attack in zip(table["model_seed"], table["image"], table["attack"])
    ]
    table["attack"], table["epsilon"] = attacks, np.where(np.array(attacks) == "clean", 0.0, 1.0)
    return tables | {"l0": table}


def test_a_planted_effect_is_found(planted, tmp_path):
    found = concluded(planted, tmp_path)
    assert len(found) == 15 + 5 + 15 + 15 + 15
    assert set(found["verdict"]) == {"reproduced"}
    assert set(found["about"]) == {"networks"}
    assert set(found["interval"]) == {"95% over 3 networks, 200 images"}
    rises = found[found["claim"].str.startswith("L0 rises under attack")]
    for layer, ratio in RATIOS.items():
        mine = rises[rises["scope"].str.contains(layer)]
        np.testing.assert_allclose(mine["measured"], ratio, rtol=0.05)
    with_sizes = rises["of_reported"].dropna()
    assert len(with_sizes) == 4 * 3
    assert with_sizes.between(0.8, 1.7).all()


def test_a_planted_null_is_hardly_ever_reproduced(planted, tmp_path):
    """Of one type of SAE."""
    rng = np.random.default_rng(0)
    topk = {n: t[t["type"] == "topk"].reset_index(drop=True) for n, t in planted.items()}
    hold("trainings", [concluded(permuted(topk, rng), tmp_path) for _ in range(DEALS)])


def test_the_same_numbers_of_one_training_are_about_this_network(planted, tmp_path, capsys):
    found = {}
    for name, seeds in (("one", 1), ("three", 3)):
        raw = {name: table[table["model_seed"] < seeds] for name, table in planted.items()}
        tables = tmp_path / name / "analysis" / "tables"
        tables.mkdir(parents=True)
        found[name] = concluded(raw, tmp_path)
        write_frame(found[name], tables / "claims.parquet", {})
    assert set(found["one"]["about"]) == {"this network"}
    assert set(found["one"]["verdict"]) == {"holds here"}
    assert set(found["one"]["why"]) == {"one training"}
    assert set(found["one"]["interval"]) == {"95% over 200 images"}
    conclude(tmp_path / "one")
    said = capsys.readouterr().out
    assert "Yes for all 5 layers, in these networks." in said
    assert "One training of each network" in said
    conclude(tmp_path / "three")
    said = capsys.readouterr().out
    assert "Yes for all 5 layers." in said
    assert "One training" not in said


def test_a_figure_shows_each_network_thin_and_their_mean_with_its_interval(planted, tmp_path):
    planted["saes"].query("layer == 'stem'").to_parquet(tmp_path / "saes.parquet")
    table = matched.build(SPEC, saes=[tmp_path / "saes.parquet"])
    which = {"architecture": "resnet18", "type": "topk"}
    figure = matched_figure.draw(table, which)
    (axis,) = figure.axes
    curves = [container for container in axis.containers if container.has_yerr]
    thin = [container for container in axis.containers if not container.has_yerr]
    assert (len(curves), len(thin)) == (1, 3)
    mean = table[(table["about"] == "networks") & (table["type"] == "topk")]
    assert curves[0].lines[0].get_ydata().tolist() == mean["fvu"].tolist()
    bars = curves[0].lines[2][0].get_segments()
    drawn = [bar[:, 1].tolist() for bar in bars]
    np.testing.assert_allclose(drawn, mean[["fvu_low", "fvu_high"]])
    assert curves[0].lines[0].get_linewidth() > thin[0].lines[0].get_linewidth()
    assert f"{mean['trend'].iloc[0]:.2f}" in axis.get_title()


@pytest.mark.parametrize(
    ("orders", "said"),
    [
        ([[0, 1, 2, 3]] * 3, "reproduced"),
        ([[0, 2, 3, 1]] * 3, "undecided"),  # ρ is −0.4 in all: equal, and no evidence
        ([[0, 1, 2, 3]] * 2 + [[3, 2, 1, 0]], "undecided"),
        ([[3, 2, 1, 0]] * 3, "not reproduced"),
    ],
)
def test_rank_correlations_over_trainings_need_more_than_chance_gives(
    orders, said, planted, tmp_path
):
    levels = list(FALLS.values())
    table = planted["saes"].query("layer == 'stem' and type == 'topk'").copy()
    for seed, order in zip(SEEDS, orders):
        for epsilon, place in zip(FALLS, order):
            mine = (table["model_seed"] == seed) & (table["model_epsilon"] == epsilon)
            error = levels[place] * table["deviation"] / table["sparsity"]
            table.loc[mine, "squared_error"] = error[mine]
    table.to_parquet(tmp_path / "saes.parquet")
    found = matched.build(SPEC, saes=[tmp_path / "saes.parquet"])
    (row,) = claims.decide({"matched": found}, {"confidence": 0.95, **ATTACK}).to_dict("records")
    assert row["verdict"] == said
    assert -1 <= row["low"] <= row["measured"] <= row["high"] <= 1


@pytest.mark.parametrize(("epsilons", "networks"), [(3, 2), (3, 3), (4, 2), (4, 3)])
def test_a_fall_is_hardly_ever_found_where_epsilons_are_in_any_order(epsilons, networks):
    """Exactly, over all orders of each network."""
    orders = list(itertools.permutations(range(epsilons)))
    rhos = [stats.spearmanr(range(epsilons), order).statistic for order in orders]
    cases = np.array(list(itertools.product(np.round(rhos, 9), repeat=networks)))
    half = stats.t.ppf(0.975, networks - 1) * cases.std(1, ddof=1) / np.sqrt(networks)
    trend = cases.mean(1)
    table = pd.DataFrame({
        "trend": trend, "trend_low": trend - half, "trend_high": trend + half,
        "networks": networks, "epsilons": epsilons,
    })  # fmt: skip
    _, high = families.no_narrower_than_chance(table, 0.95)
    assert (high < 0).mean() <= 0.035  # 0.025, but for the few values
    assert (table["trend_high"] < 0).mean() > 0.035
