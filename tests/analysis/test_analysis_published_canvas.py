"""The committed result of the canvases: what its tables give, and what docs/published.md says."""

import pandas as pd
import pytest

from interference.analysis.verdicts import Rule
from interference.config.load import read_config
from tests.support import REPO
from tests.support.documented import columns_of
from tests.support.published import hold, quoted, quotes_of, read_claims, unclaimed
from tests.support.tables import OF_CANVASES

FOLDER = REPO / "workflow/published/canvas"
EXPERIMENT = REPO / "workflow/experiments/canvas.yaml"


@pytest.fixture(scope="module")
def experiment():
    return read_config(EXPERIMENT)


@pytest.fixture(scope="module")
def published():
    """The claims as they were published."""
    return read_claims(FOLDER)


def test_every_dose_seed_and_regime_of_its_experiment_is_in_it(experiment):
    canvas = experiment.canvas
    dose = pd.read_parquet(FOLDER / "dose.parquet")
    for _, rows in dose[dose["family"] == "dose"].groupby(["regime", "seed"]):
        assert sorted(rows["dose"]) == canvas.doses
    assert set(dose["seed"]) == set(canvas.seeds)
    assert len(canvas.seeds) >= 6
    for name in OF_CANVASES:
        table = pd.read_parquet(FOLDER / f"{name}.parquet")
        assert set(table["regime"]) == set(canvas.regimes), name


def test_its_claims_are_those_that_the_code_makes_of_its_tables():
    hold(FOLDER, EXPERIMENT)


@pytest.mark.parametrize("name", OF_CANVASES)
def test_its_tables_have_the_columns_that_are_named(name):
    table = pd.read_parquet(FOLDER / f"{name}.parquet")
    assert set(table.columns) == columns_of(f"analysis/tables/{name}")


def test_the_intervals_of_the_page_are_among_its_claims(published):
    quotes = quoted("Canvases")
    assert len(quotes) >= 16
    assert unclaimed(quotes, published) == []


#: The same experiment with one choice changed at a time; what is changed is in each folder's config.
CHOICES = ("grid", "trunk", "tasks", "colour")


def choice(name: str) -> tuple[pd.DataFrame, dict[str, list]]:
    """The claims of a choice as they were published, and the tables that they are made of."""
    folder = FOLDER / "choices" / name
    return read_claims(folder), {path.stem: [path] for path in sorted(folder.glob("*.parquet"))}


@pytest.mark.parametrize("name", CHOICES)
def test_claims_under_another_choice_are_those_that_the_code_makes_of_its_tables(name):
    folder = FOLDER / "choices" / name
    _, tables = choice(name)
    assert set(tables) >= {"dose", "transfer"}
    hold(folder, folder / "config.yaml")


def sides(claims: pd.DataFrame) -> dict[tuple[str, str], str]:
    """On which side of its bound the number of each claim lies, by key and regime."""
    tested = claims[claims["measured"].notna() & ~claims["key"].str.startswith("canvas-equal")]
    return {
        (row.key, row.scope.split(", ")[1]): "yes"
        if Rule(row.bound.split()[0], float(row.bound.split()[1])).holds(row.measured, row.measured)
        else "no"
        for row in tested.itertuples()
    }


def test_no_choice_moves_a_number_to_the_other_side_of_its_bound_but_where_the_page_says_so(
    published,
):
    main = {key: side for (key, regime), side in sides(published).items() if regime == "dense"}
    others = {
        (name, regime, key)
        for name in CHOICES
        for (key, regime), side in sides(choice(name)[0]).items()
        if side != main[key]
    }
    assert others == {
        ("tasks", "density-0.05", "canvas-width"),
        ("colour", "dense", "canvas-hardened"),
        ("colour", "dense", "canvas-hardened-route"),
        ("colour", "dense", "canvas-noise"),
    }
    page = (REPO / "docs/canvases.md").read_text(encoding="utf-8")
    assert "P4 at a density of 0.05 is 0.50" in page
    assert "On CIFAR-10 adversarial training at the same radius gains nothing" in page
    assert "P5 is −0.01 there" in page


def test_numbers_of_the_page_on_choices_are_those_of_their_claims(published):
    page = (REPO / "docs/canvases.md").read_text(encoding="utf-8")
    section = page.partition("## Robust to its choices")[2].partition("\n## ")[0]
    quotes = quotes_of(section)
    assert len(quotes) >= 70
    everything = pd.concat([published, *(choice(name)[0] for name in CHOICES)])
    assert unclaimed(quotes, everything) == []
