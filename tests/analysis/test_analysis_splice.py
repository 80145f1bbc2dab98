"""The table of what SAEs cost the network, against means and bootstrap draws taken by hand."""

import numpy as np
import pandas as pd
import pytest

from interference.analysis.statistics import resample
from interference.analysis.tables import splice
from tests.support.probes import MODEL


def made_up(sparsity, **columns):
    fixed = {**MODEL, "layer": "stem", "type": "topk", "sparsity": sparsity, "sae_seed": 0}
    outcomes = {"clean_correct": True, "ablated_correct": False, "ablated_kl": 9.0}
    return pd.DataFrame({**fixed, "image": range(4), **outcomes, **columns})


def test_the_table_has_means_shares_and_intervals_over_images(tmp_path):
    clean, ablated = np.array([0.1, 0.2, 0.3, 0.4]), np.array([2.0, 1.0, 4.0, 3.0])
    confidence = 0.8  # of which four images can carry an interval
    same = {"clean_loss": clean, "ablated_loss": ablated}
    path, loss = tmp_path / "m.parquet", np.array([0.5, 0.4, 0.3, 1.0])
    correct, kl = np.array([True, False, True, True]), np.array([0.1, 0.3, 0.2, 0.6])
    parts = [
        made_up(1.0, l0=7.0, correct=True, loss=clean, kl=0.0, **same),
        made_up(2.0, l0=0.0, correct=False, loss=ablated, kl=9.0, **same),
        made_up(3.0, l0=[1.0, 2.0, 3.0, 6.0], correct=correct, loss=loss, kl=kl, **same),
    ]
    pd.concat(parts).sample(frac=1, random_state=0).to_parquet(path)
    found = splice.build({"confidence": confidence, "resamples": 150, "seed": 3}, [path])
    assert found["sparsity"].tolist() == [1, 2, 3]
    whole, mean, between = found.to_dict("records")
    bounds = ("loss_recovered", "loss_recovered_low", "loss_recovered_high")
    assert [whole[name] for name in bounds] == [1, 1, 1]
    assert [mean[name] for name in bounds] == [0, 0, 0]
    assert (whole["accuracy"], mean["accuracy"], between["accuracy"]) == (1, 0, 0.75)
    assert (between["images"], between["l0"], between["kl"]) == (4, 3, pytest.approx(0.3))
    assert between["loss_recovered"] == pytest.approx((2.5 - 0.55) / (2.5 - 0.25))
    assert between["ablated_accuracy"] == 0
    assert (between["clean_accuracy"], between["ablated_kl"]) == (1, 9)
    assert (between["clean_loss"], between["ablated_loss"]) == (pytest.approx(0.25), 2.5)
    counts = np.rint(resample(4, 150, 3) * 4).astype(int)
    draws = [np.repeat(np.arange(4), c) for c in counts]
    expected = {
        "accuracy": [correct[i].mean() for i in draws],
        "kl": [kl[i].mean() for i in draws],
        "loss_recovered": [
            (ablated[i].mean() - loss[i].mean()) / (ablated[i].mean() - clean[i].mean())
            for i in draws
        ],
    }
    for name, values in expected.items():
        limits = [between[f"{name}_low"], between[f"{name}_high"]]
        assert limits == pytest.approx(np.quantile(values, [0.1, 0.9]).tolist())
        assert limits[0] < between[name] < limits[1]
