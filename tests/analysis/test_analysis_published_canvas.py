"""The committed result of the canvases: what its tables give, and what the README says."""

import json

import pandas as pd
import pytest

from interference.analysis.tables import claims
from interference.config.load import read_config
from interference.plan.specs import Specs
from tests.support import REPO
from tests.support.documented import columns_of
from tests.support.published import quoted, read_claims, unclaimed
from tests.support.tables import OF_CANVASES

FOLDER = REPO / "workflow/published/canvas"


@pytest.fixture(scope="module")
def experiment():
    return read_config(REPO / "workflow/experiments/canvas.yaml")


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


def test_its_claims_are_those_that_the_code_makes_of_its_tables(experiment, published):
    spec = json.loads(Specs(experiment).table("claims"))
    tables = {name: [FOLDER / f"{name}.parquet"] for name in OF_CANVASES}
    concluded = claims.build(spec, **tables)
    pd.testing.assert_frame_equal(published, concluded, rtol=1e-5, atol=1e-6, check_dtype=False)


@pytest.mark.parametrize("name", OF_CANVASES)
def test_its_tables_have_the_columns_that_are_named(name):
    table = pd.read_parquet(FOLDER / f"{name}.parquet")
    assert set(table.columns) == columns_of(f"analysis/tables/{name}")


def test_the_intervals_in_the_readme_are_among_its_claims(published):
    quotes = quoted("Canvases")
    assert len(quotes) >= 16
    assert unclaimed(quotes, published) == []
