"""docs/results.md names every table of a run and every column of it, and no other."""

import numpy as np
import pandas as pd
import pytest

from interference.analysis.frames import MEMBER, MODEL
from interference.analysis.statistics import OVER
from interference.analysis.tables import (
    abundance,
    accuracy,
    adversarial,
    baselines,
    bottlenecks,
    claims,
    crossover,
    defences,
    dose,
    exchange,
    fair,
    gates,
    interpretability,
    interventions,
    l0,
    least,
    matched,
    mounted,
    overlap,
    proxies,
    relearning,
    saes,
    structure,
    toy,
    transfer,
)
from interference.analysis.tables import splice as splices
from interference.saes.dictionary import Dictionary
from interference.saes.metrics import score
from tests.support import REPO
from tests.support.documented import columns, columns_of, sections
from tests.support.tables import MOUNTED, OF_CANVASES, OF_NETWORKS, OF_RIVALS

pytestmark = pytest.mark.xdist_group("analysis")

PUBLISHED = REPO / "workflow" / "published" / "toy-full"
BOOTSTRAP = {"confidence": 0.9, "resamples": 100, "seed": 0}
HEADLINE = {"attack": "pgd", "epsilon": 1.0}


def test_names_are_those_that_tables_share():
    assert sections()["Network"][0] == set(MODEL)
    assert sections()["SAE"][0] == set(MEMBER) - set(MODEL)
    assert sections()["Row"][0] == set(OVER)


@pytest.fixture(scope="module")
def tables(results):
    controls = {
        name: {"norm": "linf" if "max" in name else "l2", "noise": noise}
        for name, noise in [("fgsm", "noise"), ("pgd", "noise"), ("noise", "noise"),
                            ("noise-max", "noise-max"), ("pgd-max", "noise-max")]
    }  # fmt: skip
    return {
        "accuracy": accuracy.build(BOOTSTRAP, **results["accuracy"]),
        "saes": saes.build(BOOTSTRAP, **results["saes"]),
        "matched": matched.build(BOOTSTRAP, **results["matched"]),
        "baselines": baselines.build(BOOTSTRAP, **results["baselines"]),
        "l0": l0.build({**BOOTSTRAP, "controls": controls}, **results["l0"]),
        "fair": fair.build({**BOOTSTRAP, **HEADLINE, "noise": "noise"}, **results["fair"]),
        "splice": splices.build(BOOTSTRAP, **results["splice"]),
        "interventions": interventions.build(BOOTSTRAP, **results["interventions"]),
        "defences": defences.build(BOOTSTRAP, **results["defences"]),
        "least": least.build(BOOTSTRAP, **results["least"]),
        "structure": structure.build(BOOTSTRAP, **results["structure"]),
        "exchange": exchange.build(
            {**BOOTSTRAP, **HEADLINE, "noise": "noise"}, **results["exchange"]
        ),
        "toy": toy.build({}, **results["toy"]),
        "dose": dose.build({}, **results["dose"]),
        "crossover": crossover.build({}, **results["crossover"]),
        "adversarial": adversarial.build({}, **results["adversarial"]),
        "transfer": transfer.build({}, **results["transfer"]),
        "proxies": proxies.build({}, **results["proxies"]),
        "mounted": mounted.build({}, **results["mounted"]),
        "bottlenecks": bottlenecks.build(BOOTSTRAP, **results["bottlenecks"]),
        "abundance": abundance.build({}, **results["abundance"]),
        "interpretability": interpretability.build({}, **results["interpretability"]),
        "relearning": relearning.build({}, **results["relearning"]),
        "overlap": overlap.build({}, **results["overlap"]),
    }


@pytest.mark.parametrize(
    "name",
    [*OF_NETWORKS, "toy", *OF_CANVASES, MOUNTED, *OF_RIVALS],
)
def test_every_column_of_a_table_is_named_and_no_other(name, tables):
    found, said = set(tables[name].columns), columns_of(f"analysis/tables/{name}")
    assert found <= said
    if name != "saes":  # its metrics are the manifest's, which the fixture has some of
        assert found == said


def test_every_metric_of_an_sae_is_named():
    rng = np.random.default_rng(0)
    w_enc, w_dec = (rng.standard_normal((6, 4)).astype(np.float32) for _ in range(2))
    zeros = np.zeros(6, np.float32), np.zeros(4, np.float32)
    dictionary = Dictionary(w_enc, zeros[0], w_dec, zeros[1])
    scores = score(dictionary, rng.standard_normal((5, 2, 4)).astype(np.float32))
    assert set(scores.summary) <= columns_of("analysis/tables/saes")


def test_claims_and_gates_have_the_columns_that_are_named():
    assert set(claims.COLUMNS) == columns_of("analysis/tables/claims")
    assert set(gates.COLUMNS) == columns_of("analysis/tables/gates")


def test_the_published_toy_tables_have_the_columns_that_are_named():
    raw, table = (
        pd.read_parquet(PUBLISHED / f"{name}.parquet") for name in ("vulnerability", "toy")
    )
    assert set(raw.columns) == columns_of("toy/vulnerability.parquet")
    assert set(table.columns) == columns_of("analysis/tables/toy")
    assert columns(PUBLISHED / "claims.csv") == columns_of("analysis/tables/claims")
    assert set(table["quantity"]) - {"shrinkage_share"} <= set(raw.columns)
