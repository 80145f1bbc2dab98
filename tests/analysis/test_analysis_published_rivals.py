"""The committed results of the preprint's rivals: what their tables give, and what documents say."""

import pandas as pd
import pytest

from interference.config.load import read_config
from tests.support import REPO
from tests.support.documented import columns_of
from tests.support.published import hold, quoted, read_claims, unclaimed
from tests.support.tables import OF_RIVALS

FOLDER = REPO / "workflow/published/rivals"
EXPERIMENT = REPO / "workflow/experiments/rivals.yaml"
PAGE = " ".join((REPO / "docs/rivals.md").read_text(encoding="utf-8").split())


@pytest.fixture(scope="module")
def published():
    """The claims as they were published."""
    return read_claims(FOLDER)


def test_every_network_of_its_experiment_is_in_it():
    rivals = read_config(EXPERIMENT).rivals
    aimed, counted, meant, taught, passed = (
        pd.read_parquet(FOLDER / f"{name}.parquet") for name in OF_RIVALS
    )
    kinds = 1 + rivals.bottlenecks.frames
    assert len(aimed) == len(rivals.seeds) * 2 * len(rivals.bottlenecks.widths) * kinds
    shape = len(rivals.abundance.classes) * len(rivals.abundance.widths)
    assert len(counted) == len(rivals.seeds) * shape * (1 + len(rivals.abundance.epsilons))
    assert len(meant) == 2 * len(counted)
    assert len(taught) == len(rivals.seeds) * 2 * (1 + len(rivals.relearning.epsilons))
    mlps = len(rivals.seeds) * len(rivals.abundance.widths) * (1 + len(rivals.abundance.epsilons))
    assert len(passed) == mlps * (mlps - 1)
    for table in (aimed, counted, meant, taught, passed.rename(columns={"source_seed": "seed"})):
        assert set(table["seed"]) == set(rivals.seeds)


def test_its_claims_are_those_that_the_code_makes_of_its_tables():
    hold(FOLDER, EXPERIMENT)


@pytest.mark.parametrize("name", OF_RIVALS)
def test_its_tables_have_the_columns_that_are_named(name):
    table = pd.read_parquet(FOLDER / f"{name}.parquet")
    assert set(table.columns) == columns_of(f"analysis/tables/{name}")


def test_the_intervals_of_the_page_are_among_its_claims(published):
    quotes = quoted("The preprint's rivals")
    assert len(quotes) >= 12
    assert unclaimed(quotes, published) == []


def test_the_page_counts_its_verdicts_right(published):
    tested = published[published["verdict"] != "not tested"]
    counts = tested["verdict"].value_counts()
    assert (
        f"Of {len(tested)} verdicts {counts['reproduced']} are *reproduced*, "
        f"{counts['not reproduced']} *not reproduced*, {counts['no effect']} *no effect*, "
        f"{counts['undecided']} *undecided*; {(tested['survives'] == 'yes').sum()} survive" in PAGE
    )
