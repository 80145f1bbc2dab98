"""The committed reference result of toy-full: what its raw measurements give, and what docs/published.md says."""

import pandas as pd
import pytest

from interference.analysis.tables import toy
from interference.config.load import read_config
from tests.support import REPO
from tests.support.published import hold, quoted, remade, unclaimed

FOLDER = REPO / "workflow/published/toy-full"
EXPERIMENT = REPO / "workflow/experiments/toy-full.yaml"
RAW = FOLDER / "vulnerability.parquet"


@pytest.fixture(scope="module")
def concluded():
    return remade(FOLDER, EXPERIMENT)


def test_it_measures_the_models_of_its_experiment():
    settings = read_config(EXPERIMENT).toy
    raw, densities = pd.read_parquet(RAW), settings.densities
    assert sorted(raw["density"].unique(), reverse=True) == densities.values  # noqa: PD011
    assert raw["seed"].unique().tolist() == settings.seeds
    assert len(raw) == 30 * 5 * 3 * 2 * 6  # training modes and shrunk, inputs, attacks and bound


def test_its_claims_and_table_are_those_that_the_code_makes_of_its_measurements():
    hold(FOLDER, EXPERIMENT)
    pd.testing.assert_frame_equal(pd.read_parquet(FOLDER / "toy.parquet"), toy.build({}, toy=[RAW]))


def test_its_files_are_small():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 1_100_000


def test_the_intervals_of_the_page_are_among_its_claims(concluded):
    quotes = quoted("Toy models")
    assert len(quotes) >= 8
    assert unclaimed(quotes, concluded) == []
