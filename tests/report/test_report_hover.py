"""What hovering says of a point: the number of every seed, beside its seed."""

import io
import json

import numpy as np
import pandas as pd
import pytest

from interference.report.charts.seeds import KIND, over_trainings
from tests.support.pages import PUBLISHED, charts_of, page_of, tables_of

pytestmark = pytest.mark.xdist_group("pages")

#: Charts of networks by their column of the number, and the table's; a row of the charts accuracy and
#: exchange is of one training, or of a pair, and names it.
EACH = {
    "saes": {"fvu": ["fvu"]}, "matched": {"fvu": ["fvu"]},
    "baselines": {"value": ["fvu", "fvu_gaussian", "fvu_whitened", "fvu_pca"]}, "splice": {"kl": ["kl"]},
    "fair": {"ratio": ["ratio"]}, "interventions": {"share": ["share"]}, "defences": {"adaptive": ["adaptive"]},
    "least": {"value": ["radius"]}, "structure": {"value": ["perturbation", "other"]},
}  # fmt: skip


def spoken(text: str) -> dict[str, float]:
    """Seed → number, of what hovering says, each seed once."""
    pairs = [part.split(": ") for part in text.split(", ")]
    assert len({seed for seed, _ in pairs}) == len(pairs), text
    return {seed: float(value) for seed, value in pairs}


def rows_of(experiment: str, chart: str) -> pd.DataFrame:
    """The rows inside a chart of published results, which has what hovering says among its tips."""
    spec = charts_of(page_of(experiment))[chart]
    assert '"field": "each"' in json.dumps(spec), chart
    texts = [data for data in spec["datasets"].values() if isinstance(data, str)]
    return pd.read_csv(io.StringIO(max(texts, key=len)), dtype={"each": str})


@pytest.mark.parametrize("name", EACH)
def test_every_training_s_number_is_one_that_the_table_has_of_its_seed(name):
    ((column, of_table),) = EACH[name].items()
    table = tables_of("fashion")[name]
    single = table[table["about"] == "one of several"]
    kind = [key for key in (*KIND, "model_seed", "sae_seed") if key in table]
    assert not single.duplicated(kind).any()
    known = {
        (f"{seed}", float(f"{value:.4g}"))
        for own in of_table
        for seed, value in zip(single["model_seed"], single[own])
    }
    rows = rows_of("fashion", name).dropna(subset=["each"])
    assert len(rows)
    for text, mean in zip(rows["each"], rows[column]):
        said = spoken(text)
        assert said.items() <= known, text
        assert said.keys() == {"0", "1", "2"} or np.isnan(mean), text
        assert min(said.values()) * 0.999 <= mean * 1.001, text
        assert mean * 0.999 <= max(said.values()) * 1.001, text


def test_publication_leaves_single_trainings_out_of_l0():
    assert rows_of("fashion", "l0")["each"].isna().all()


def test_the_numbers_are_those_of_the_row_s_own_kind():
    table = tables_of("fashion")["matched"]
    chosen = "layer == 'layer2' and type == 'topk' and family == 'l2' and model_epsilon == 1"
    single = table[table["about"] == "one of several"].query(chosen)
    assert spoken(over_trainings(table, "fvu").query(chosen)["each"].item()) == {
        f"{seed}": float(f"{fvu:.4g}") for seed, fvu in zip(single["model_seed"], single["fvu"])
    }


def planted(rows: list[dict]) -> pd.DataFrame:
    """A table of networks of one kind but for what the rows say."""
    kind = {"model_architecture": "resnet18", "model_norm": "l2", "type": "topk"}
    return pd.DataFrame([{**kind, **row} for row in rows]).astype(
        {"model_seed": "Int64", "sae_seed": "Int64"}
    )


def test_rows_of_one_training_name_its_seed_and_attacks_are_told_apart():
    names = ("attack", "epsilon", "model_epsilon", "model_seed", "sae_seed", "about", "ratio")
    table = planted([dict(zip(names, values)) for values in (
        ("pgd", 1.0, 0.5, 0, 0, "one of several", 2.0),
        ("pgd", 1.0, 0.5, 3, 0, "one of several", 4.0),
        ("pgd", 1.0, 0.5, None, None, "networks", 8**0.5),
        ("pgd", 2.0, 0.5, 0, 0, "one of several", np.nan),
        ("pgd", 2.0, 0.5, 3, 0, "one of several", 5.0),
        ("pgd", 2.0, 0.5, None, None, "networks", np.nan),
        ("fgsm", 1.0, 1.0, 7, 0, "this network", 1.5),
    )])  # fmt: skip
    assert over_trainings(table, "ratio")["each"].tolist() == ["0: 2, 3: 4", "3: 5", "7: 1.5"]
    assert over_trainings(table[2:3], "ratio")["each"].tolist() == [""]


@pytest.mark.parametrize("networks", [(0, 1), (4,)])
def test_a_seed_of_an_sae_is_never_taken_for_one_of_a_network(networks):
    single = [
        {"model_epsilon": 1.0, "model_seed": seed, "sae_seed": own, "about": "one of several",
         "fvu": 10 * seed + own}
        for seed in reversed(networks) for own in (1, 0)
    ]  # fmt: skip
    mean = {"model_epsilon": 1.0, "model_seed": None, "sae_seed": None, "fvu": 5.5,
            "about": "networks" if len(networks) > 1 else "this network"}  # fmt: skip
    said = over_trainings(planted([*single, mean]), "fvu")["each"].item()
    assert said == ", ".join(
        f"network {seed} SAE {own}: {10 * seed + own}" for seed in networks for own in (0, 1)
    )


@pytest.mark.parametrize(
    ("experiment", "chart", "table", "column"),
    [("canvas", "dose", "dose", "log_r_full"), ("rivals", "mlps", "abundance", "features")],
)
def test_hovering_says_the_number_of_every_seed(experiment, chart, table, column):
    rows, table = rows_of(experiment, chart), tables_of(experiment)[table]
    values = np.exp(table[column]) if experiment == "canvas" else table[column]
    known = {(f"{seed}", float(f"{value:.4g}")) for seed, value in zip(table["seed"], values)}
    what = {"canvas": "all cells", "rivals": "F, clean images (count)"}[experiment]
    said = [spoken(text) for text in rows.loc[rows["what"] == what, "each"]]
    assert len(said) > 5
    for own in said:
        assert own.keys() == {"0", "1", "2", "3", "4", "5"}
        assert own.items() <= known


def test_every_seed_of_toy_models_is_said_with_its_number():
    raw = tables_of("toy-full")["vulnerability"]
    rows = rows_of("toy-full", "toy")
    rows = rows[rows["quantity"] == "interference"]
    known = {(f"{s}", float(f"{v:.4g}")) for s, v in zip(raw["seed"], raw["interference"])}
    assert len(rows)
    for said in map(spoken, rows["each"]):
        assert said.keys() == {"0", "1", "2", "3", "4"}
        assert said.items() <= known


@pytest.mark.parametrize("experiment", PUBLISHED)
def test_no_seed_is_said_twice_in_any_chart(experiment):
    charts = [
        name
        for name, spec in charts_of(page_of(experiment)).items()
        if '"field": "each"' in json.dumps(spec)
    ]
    assert charts
    for chart in charts:
        for text in rows_of(experiment, chart)["each"].dropna():
            spoken(text)
