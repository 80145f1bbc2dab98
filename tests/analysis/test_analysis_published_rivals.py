"""The committed results of the preprint's rivals, and of their null: what tables give, what documents say."""

import pandas as pd
import pytest

from interference.config.load import read_config
from tests.support import REPO
from tests.support.documented import columns_of
from tests.support.published import hold, quoted, read_claims, unclaimed
from tests.support.tables import OF_RIVALS

FOLDER, NULL = (REPO / f"workflow/published/{name}" for name in ("rivals", "rivals-shuffled"))
FOLDERS = pytest.mark.parametrize("folder", [FOLDER, NULL], ids=lambda folder: folder.name)
PAGE = " ".join((REPO / "docs/rivals.md").read_text(encoding="utf-8").split())


def experiment(folder):
    return REPO / f"workflow/experiments/{folder.name}.yaml"


@pytest.fixture(scope="module")
def published():
    """The claims as they were published."""
    return read_claims(FOLDER)


@FOLDERS
def test_every_network_of_its_experiment_is_in_it(folder):
    rivals = read_config(experiment(folder)).rivals
    aimed, counted, meant, taught, passed = (
        pd.read_parquet(folder / f"{name}.parquet") for name in OF_RIVALS
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


@FOLDERS
def test_its_claims_are_those_that_the_code_makes_of_its_tables(folder):
    hold(folder, experiment(folder))


@FOLDERS
@pytest.mark.parametrize("name", OF_RIVALS)
def test_its_tables_have_the_columns_that_are_named(name, folder):
    table = pd.read_parquet(folder / f"{name}.parquet")
    assert set(table.columns) == columns_of(f"analysis/tables/{name}")


def test_the_intervals_in_the_readme_are_among_its_claims(published):
    quotes = quoted("The preprint's rivals")
    assert len(quotes) >= 12
    assert unclaimed(quotes, published) == []


def counted(claims):
    """How many verdicts there are, and of each kind, in the page's words."""
    counts = claims["verdict"].value_counts()
    return (
        f"{len(claims)} verdicts {counts['reproduced']} are *reproduced*, "
        f"{counts['not reproduced']} *not reproduced*, {counts['no effect']} *no effect*, "
        f"{counts['undecided']} *undecided*"
    )


def test_the_page_counts_its_verdicts_right(published):
    tested = published[published["verdict"] != "not tested"]
    assert f"Of {counted(tested)}; {(tested['survives'] == 'yes').sum()} survive" in PAGE


def test_what_the_null_has_not_learned_it_does_not_reproduce():
    null = read_claims(NULL)
    tested = null[null["verdict"] != "not tested"]
    assert f"Of its {counted(tested)}:" in PAGE
    learned = ("rivals-bottleneck-profile", "rivals-training", "rivals-interpretability",
               "rivals-relearning", "rivals-overlap")  # fmt: skip
    about = tested[tested["key"].str.startswith(learned)]
    assert len(about) == 60
    assert "reproduced" not in set(about["verdict"])
