"""Figures: drawn from tables alone, and the same bytes for the same numbers."""

import importlib
import inspect
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from interference.analysis.figures import style
from interference.analysis.figures.style import save
from interference.analysis.tables import (
    abundance,
    accuracy,
    adversarial,
    baselines,
    bottlenecks,
    crossover,
    defences,
    dose,
    fair,
    interpretability,
    interventions,
    l0,
    matched,
    mounted,
    overlap,
    relearning,
    saes,
    splice,
    toy,
    transfer,
)
from interference.plan.catalogue import FIGURES
from tests.support import planted

pytestmark = pytest.mark.xdist_group("analysis")

BOOTSTRAP = {"confidence": 0.9, "resamples": 100, "seed": 3}
HEADLINE = {"attack": "pgd", "epsilon": 1.0}
WHICH = {
    "toy": {},
    "toy_attacks": {},
    "toy_elhage": {},
    "toy_controls": {},
    "accuracy": {"architecture": "resnet18"},
    "fvu": {"architecture": "resnet18", "layer": "stem"},
    "matched": {"architecture": "resnet18", "type": "topk"},
    "baselines": {"architecture": "resnet18"},
    "l0": {"model": "l2-1-s0"},
    "fair": {"architecture": "resnet18", "type": "topk"},
    "splice": {"architecture": "resnet18"},
    "interventions": {"architecture": "resnet18"},
    "defences": {"architecture": "resnet18"},
    "canvas_dose": {},
    "canvas_crossover": {},
    "canvas_ladder": {"confidence": 0.95},
    "canvas_transfer": {"confidence": 0.95},
    "canvas_graphs": {},
    "canvas_ruler": {},
    "canvas_mounted": {"confidence": 0.95},
    "bottlenecks": {"confidence": 0.95},
    "abundance": {"confidence": 0.95},
    "interpretability": {"confidence": 0.95},
    "relearning": {"confidence": 0.95},
    "overlap": {},
}


@pytest.fixture(scope="module")
def tables(results):
    controls = {n: {"norm": "l2", "noise": "noise"} for n in ("fgsm", "pgd", "noise")}
    controls |= {n: {"norm": "linf", "noise": "noise-max"} for n in ("pgd-max", "noise-max")}
    of_toy = toy.build({}, **results["toy"])
    return {
        "toy": of_toy,
        "toy_attacks": of_toy,
        "toy_elhage": of_toy,
        "toy_controls": of_toy,
        "accuracy": accuracy.build(BOOTSTRAP, **results["accuracy"]),
        "fvu": saes.build(BOOTSTRAP, **results["saes"]),
        "matched": matched.build(BOOTSTRAP, **results["matched"]),
        "baselines": baselines.build(BOOTSTRAP, **results["baselines"]),
        "l0": l0.build({**BOOTSTRAP, "controls": controls}, **results["l0"]),
        "fair": fair.build({**BOOTSTRAP, **HEADLINE, "noise": "noise"}, **results["fair"]),
        "splice": splice.build(BOOTSTRAP, **results["splice"]),
        "interventions": interventions.build(BOOTSTRAP, **results["interventions"]),
        "defences": defences.build(BOOTSTRAP, **results["defences"]),
        "canvas_dose": dose.build({}, **results["dose"]),
        "canvas_crossover": crossover.build({}, **results["crossover"]),
        "canvas_ladder": adversarial.build({}, **results["adversarial"]),
        "canvas_transfer": transfer.build({}, **results["transfer"]),
        "canvas_mounted": mounted.build({}, **results["mounted"]),
        "canvas_graphs": pd.concat([planted.cosines(seed) for seed in (0, 1)], ignore_index=True),
        "canvas_ruler": pd.concat([planted.proxies(seed) for seed in (0, 1)], ignore_index=True),
        "bottlenecks": bottlenecks.build(BOOTSTRAP, **results["bottlenecks"]),
        "abundance": abundance.build({}, **results["abundance"]),
        "interpretability": interpretability.build({}, **results["interpretability"]),
        "relearning": relearning.build({}, **results["relearning"]),
        "overlap": overlap.build({}, **results["overlap"]),
    }


def draw(name, table, **which):
    module = importlib.import_module(f"interference.analysis.figures.{name}")
    return module.draw(table, WHICH[name] | which)


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
def test_the_module_of_a_figure_takes_the_inputs_that_the_catalogue_names(figure):
    module = importlib.import_module(f"interference.analysis.figures.{figure.name}")
    assert list(inspect.signature(module.draw).parameters) == [*figure.inputs, "which"]


@pytest.mark.parametrize("name", WHICH)
def test_a_figure_has_the_same_bytes_each_time_and_leaves_its_table_alone(name, tables, tmp_path):
    before = tables[name].copy()
    for run in ("a", "b"):
        figure = draw(name, tables[name])
        assert isinstance(figure, Figure)
        save(figure, tmp_path / f"{run}.svg", {})
    pd.testing.assert_frame_equal(tables[name], before)
    for suffix in (".svg", ".png"):
        first = (tmp_path / f"a{suffix}").read_bytes()
        assert first == (tmp_path / f"b{suffix}").read_bytes()
        assert len(first) > 5000
    assert ElementTree.parse(tmp_path / "a.svg").getroot().tag.endswith("svg")


def lines(axis):
    return {line.get_label(): line for line in axis.get_lines()}


def test_the_accuracy_figure_shows_each_network_from_clean_to_the_largest_epsilon(tables):
    figure = draw("accuracy", tables["accuracy"])
    panel = next(axis for axis in figure.axes if axis.get_title() == "pgd")
    line = lines(panel)["clean"]
    table = tables["accuracy"]
    mine = table[(table["model"] == "clean-s0") & table["attack"].isin(["clean", "pgd"])]
    mine = mine.sort_values("epsilon")
    assert line.get_xdata().tolist() == mine["epsilon"].tolist() == [0, 1, 2]
    assert line.get_ydata().tolist() == pytest.approx(mine["accuracy"].tolist())


def points(axis, label):
    return lines(axis)[label].get_xdata().tolist(), lines(axis)[label].get_ydata().tolist()


def test_the_controls_figure_shows_each_kind_of_models_on_both_inputs(tables):
    table = tables["toy_controls"]
    own, common, share, learned = draw("toy_controls", table).axes
    strongest = table[table["attack"] == "strongest"].sort_values("density")
    for axis, inputs in ((own, "own"), (common, "common")):
        for training in ("clean", "adversarial", "shrunk"):
            rows = strongest[(strongest["inputs"] == inputs) & (strongest["training"] == training)]
            rows = rows[rows["quantity"] == "vulnerability"]
            assert points(axis, training) == (rows["density"].tolist(), rows["mean"].tolist())
    rows = strongest[(strongest["inputs"] == "own") & (strongest["quantity"] == "shrinkage_share")]
    assert points(share, "shrunk") == (rows["density"].tolist(), rows["mean"].tolist())
    assert {"clean", "adversarial"} <= set(lines(learned))
    assert "shrunk" not in lines(learned)


@pytest.mark.parametrize("name", ["toy", "toy_attacks"])
def test_figures_of_the_models_own_inputs_do_not_change_with_the_common_ones(
    name, tables, tmp_path
):
    table = tables[name]
    save(draw(name, table), tmp_path / "a.svg", {})
    save(draw(name, table[table["inputs"] == "own"]), tmp_path / "b.svg", {})
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_the_l0_figure_has_a_block_a_norm_and_in_it_a_panel_for_each_layer_and_type(tables):
    figure = draw("l0", tables["l0"])
    titles = [axis.get_title() for axis in figure.axes]
    panels = ["stem, TopK 8", "layer1, TopK 8", "stem, ReLU-L1 0.2", "layer1, ReLU-L1 0.2"]
    assert titles == [*panels, *panels]
    blocks = figure.subfigs
    assert [block.get_suptitle().split()[-1] for block in blocks] == ["$L_2$", "$L_\\infty$"]
    for block, attacks in zip(blocks, (["fgsm", "pgd", "noise"], ["pgd-max", "noise-max"])):
        for axis in block.axes:
            assert axis.get_legend_handles_labels()[1] == attacks


def test_the_l0_figure_shows_the_ratios_of_its_network(tables):
    table, figure = tables["l0"], draw("l0", tables["l0"])
    where = {"model": "l2-1-s0", "layer": "layer1", "type": "relu_l1", "sparsity": 0.2}
    for attack, panel in (("pgd", 3), ("pgd-max", 7)):
        rows = table[(table[list(where)] == list(where.values())).all(axis=1)]
        rows = rows[(rows["quantity"] == "l0") & (rows["reference"] == "clean")]
        rows = rows[rows["attack"] == attack].sort_values("epsilon")
        bars = dict(zip(*reversed(figure.axes[panel].get_legend_handles_labels())))[attack]
        line = bars.lines[0]
        assert line.get_xdata().tolist() == rows["epsilon"].tolist()
        assert line.get_ydata().tolist() == rows["ratio"].tolist()


def test_the_l0_figure_has_a_colour_for_any_number_of_attacks(tables):
    table = tables["l0"]
    pgd = table[table["attack"] == "pgd"]
    more = [pgd.assign(attack=f"pgd-{steps}") for steps in (2, 5, 20, 50, 100)]
    draw("l0", pd.concat([table, *more]))


def test_the_splice_figure_has_a_panel_for_each_layer_and_type_and_a_curve_for_each_network(tables):
    table = tables["splice"]
    figure = draw("splice", table)
    titles = [axis.get_title() for axis in figure.axes]
    assert titles == ["stem, TopK", "layer1, TopK", "stem, ReLU-L1", "layer1, ReLU-L1"]
    panel = table[(table["layer"] == "layer1") & (table["type"] == "topk")]
    shown = {container.get_label(): container[0] for container in figure.axes[1].containers}
    networks = {"clean": "clean-s0", "$L_2$ 1": "l2-1-s0", "$L_2$ 2": "l2-2-s0"}
    networks["$L_\\infty$ 0.1"] = "linf-0.1-s0"
    assert set(shown) == set(networks)
    for label, model in networks.items():
        mine = panel[panel["model"] == model].sort_values("l0")
        line = shown[label]
        assert line.get_xdata().tolist() == mine["l0"].tolist()
        assert line.get_ydata().tolist() == mine["kl"].tolist()


def test_the_matched_figure_tells_the_trend_of_each_norm(tables):
    table = tables["matched"]
    mine = table[(table["layer"] == "stem") & (table["type"] == "topk")].copy()
    mine["trend"] = mine["family"].map({"l2": -0.11, "linf": 0.77})
    texts = [
        text.get_text() for text in draw("matched", mine).findobj(lambda o: hasattr(o, "get_text"))
    ]
    assert any("-0.11" in text for text in texts)
    assert any("0.77" in text for text in texts)


@pytest.mark.parametrize(("norm", "first"), [("l2", 0), ("linf", 4)])
def test_the_baselines_figure_has_a_row_a_norm_and_k_and_a_column_a_layer(norm, first, tables):
    table = tables["baselines"]
    figure = draw("baselines", table)
    panels = figure.axes[first : first + 4]
    titles = [axis.get_title() for axis in panels]
    assert titles == ["stem, $k$ = 8", "layer1, $k$ = 8", "stem, $k$ = 16", "layer1, $k$ = 16"]
    assert len(figure.axes) == 8
    curves = panels[2].containers
    mine = table[(table["layer"] == "stem") & (table["sparsity"] == 16)]
    mine = mine[mine["model_norm"].isin(["clean", norm])].sort_values("model_epsilon")
    drawn = {curve.get_label(): curve.lines[0].get_ydata().tolist() for curve in curves}
    assert len(drawn) == len(curves) == 4
    assert drawn["SAE on a Gaussian"] == mine["fvu_gaussian"].tolist()
    (legend,) = figure.legends
    assert len(legend.get_texts()) == 4


@pytest.mark.parametrize(
    ("norm", "epsilon", "text"),
    [
        ("l2", 0.0157, "0.0157"),
        ("linf", 0.01568627, "4/255"),
        ("linf", 0.5 / 255, "0.5/255"),
        ("linf", 0.0314, "8/255"),
        ("linf", 0.1, "0.1"),
        ("linf", 0.0158, "0.0158"),
        ("linf", 0.0, "0"),
    ],
)
def test_linf_radii_are_told_in_grey_levels_where_they_are_some(norm, epsilon, text):
    assert style.epsilon_text(norm, epsilon) == text


def test_networks_are_drawn_clean_first_then_by_norm_and_radius():
    found = [("linf", 4 / 255), ("l2", 3.0), ("linf", 1 / 255), ("clean", 0.0), ("l2", 0.01)]
    table = pd.DataFrame(found, columns=["model_norm", "model_epsilon"]).assign(row=range(5))
    drawn = style.regimes(table)
    assert [network.of(table)["row"].item() for network in drawn] == [3, 4, 1, 2, 0]
    assert [network.line for network in drawn] == ["-", "-", "-", "--", "--"]
    assert len({network.colour for network in drawn}) == 5


@pytest.mark.parametrize(
    ("epsilons", "scale", "shown"),
    [
        ([0, 0.5, 1, 2], "linear", ["0", "0.5", "1", "2"]),
        ([0, 0.5, 0.52, 1], "linear", ["0", "0.5", "", "1"]),
        ([0, 0.01, 0.1, 1], "symlog", ["0", "0.01", "0.1", "1"]),
        ([3], "linear", ["3"]),
    ],
)
def test_an_epsilon_axis_has_a_tick_at_each_epsilon_and_labels_that_do_not_touch(
    epsilons, scale, shown
):
    _, axes = style.grid(1, 1)
    style.epsilon_axis(axes[0, 0], "l2", [*epsilons, *epsilons], "training")
    axis = axes[0, 0]
    assert axis.get_xscale() == scale
    assert axis.get_xticks().tolist() == epsilons
    assert [label.get_text() for label in axis.get_xticklabels()] == shown
    low, high = axis.get_xlim()
    assert low < min(epsilons)
    assert max(epsilons) < high


def test_figures_are_drawn_where_only_the_clean_network_exists(results):
    for name, module in (("matched", matched), ("baselines", baselines)):
        only = {
            kind: [path for path in paths if "clean-s0" in path.name]
            for kind, paths in results[name].items()
        }
        assert isinstance(draw(name, module.build(BOOTSTRAP, **only)), Figure)


def test_the_matched_figure_is_drawn_from_an_empty_table(tables):
    assert isinstance(draw("matched", tables["matched"].iloc[:0]), Figure)


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("canvas_ladder", ["gain_full", "gain_own", "gain_interference"]),
        ("canvas_transfer", ["success"]),
        ("canvas_mounted", ["log_r_own", "log_r_full", "interference"]),
    ],
)
def test_bars_over_seeds_are_as_long_as_the_confidence_asks(name, columns, tables):
    table = tables[name].copy()
    table[columns] = table[columns].add(0.1 * table["seed"] ** 2, axis=0)  # seeds differ

    def lengths(confidence):
        figure = draw(name, table, confidence=confidence)
        bars = [bars for axis in figure.axes for bars in axis.collections]
        return np.array([np.ptp(path.vertices[:, 1]) for bar in bars for path in bar.get_paths()])

    long, short = lengths(0.95), lengths(0.5)
    drawn = np.isfinite(short)  # one seed has no interval
    # by tables of Student's quantiles of 0.975 and 0.75, for two seeds and for three
    ratios = np.array([12.7062 / 1.0, 4.3027 / 0.8165])
    assert drawn.sum() > 3
    assert (np.abs((long / short)[drawn, None] / ratios - 1).min(1) < 1e-3).all()
