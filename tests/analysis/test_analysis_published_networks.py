"""The committed result of the reference run on networks: what its tables give, and what docs/published.md says."""

import pandas as pd
import pytest

from interference.analysis.findings import findings
from interference.analysis.verdicts import ONE_TRAINING
from interference.config.load import read_config
from interference.plan.catalogue import TABLES
from interference.plan.specs import Specs
from tests.support import REPO
from tests.support.documented import columns_of
from tests.support.published import hold, quoted, read_claims, unclaimed
from tests.support.tables import CLAIMED, LEFT_OUT, MOUNTED

FOLDER = REPO / "workflow/published/fashion"
EXPERIMENT = REPO / "workflow/experiments/fashion.yaml"
#: Tables of bottlenecks on its networks, and of those on a small trunk beside them.
ON_CANVASES = ("dose", MOUNTED)


@pytest.fixture(scope="module")
def experiment():
    return read_config(EXPERIMENT)


@pytest.fixture(scope="module")
def published():
    """The claims as they were published."""
    return read_claims(FOLDER)


def test_every_network_attack_and_layer_of_its_experiment_is_in_it(experiment):
    accuracy = pd.read_parquet(FOLDER / "accuracy.parquet")
    models = {model.name for model in Specs(experiment).models.values()}
    assert len(models) == 18
    assert models <= set(accuracy["model"])
    methods = experiment.attacks.methods
    assert set(methods) <= set(accuracy["attack"])
    assert set(accuracy.loc[accuracy["attack"] == "pgd", "images"]) == {experiment.attacks.images}
    for name in {*CLAIMED} - {"accuracy", "least", "structure"}:  # which are of no layer
        table = pd.read_parquet(FOLDER / f"{name}.parquet")
        layers = set(table["layer"]) - {""}
        assert layers == set(experiment.activations.layers), name


def test_its_claims_are_those_that_the_code_makes_of_its_tables():
    hold(FOLDER, EXPERIMENT)


def test_its_claims_on_several_trainings_are_about_networks_and_not_about_one(published):
    tested = published[published["verdict"] != "not tested"]
    assert set(tested["about"]) == {"networks", "canvases", "all cases"}
    assert published.loc[published["about"] == "all cases", "source"].unique() == ["masking check"]
    assert not set(published["verdict"]) & set(ONE_TRAINING.values())


def test_every_check_that_its_attacks_allow_is_among_its_claims(published):
    checks = published.loc[published["source"] == "masking check", "key"]
    assert list(checks) == ["pgd-over-fgsm", "fgsm-over-noise", "pgd-over-noise", "strongest-over-pgd",
                            "zero-gradients"]  # fmt: skip


def test_its_findings_are_made_of_its_claims(published):
    assert (FOLDER / "findings.md").read_text(encoding="utf-8") == findings(published) + "\n"


@pytest.mark.parametrize(
    "name",
    [table.name for table in TABLES if "networks" in table.arms and not table.needs]
    + [*LEFT_OUT, *ON_CANVASES],
)
def test_its_tables_have_the_columns_that_are_named(name):
    if name == "claims":
        table = pd.read_csv(FOLDER / "claims.csv")
    else:
        table = pd.read_parquet(FOLDER / f"{name}.parquet")
    assert set(table.columns) == columns_of(f"analysis/tables/{name}")


def test_its_files_are_small():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 8_000_000


def test_the_intervals_of_the_page_are_among_its_claims(published):
    quotes = quoted("ResNet-18")
    assert len(quotes) >= 8
    assert unclaimed(quotes, published) == []


def test_every_network_has_bottlenecks_of_every_dose(experiment):
    mounted = pd.read_parquet(FOLDER / f"{MOUNTED}.parquet")
    models, doses = Specs(experiment).models, experiment.canvas.mount.doses
    found = {model: sorted(rows["dose"]) for model, rows in mounted.groupby("model")}
    assert found == dict.fromkeys(models, doses)
    assert (mounted["pairs"] >= 24).all()


def test_the_page_says_how_many_verdicts_survive(published):
    said = published["survives"].value_counts()
    text = (REPO / "docs/published.md").read_text(encoding="utf-8")
    assert f"{said['yes']} of {said['yes'] + said['no']} decided verdicts survive" in text
