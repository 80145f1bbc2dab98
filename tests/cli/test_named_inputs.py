"""Inputs of tables and figures on the command line: each under its name, or refused in one line."""

import json

import pandas as pd
import pytest
from typer.testing import CliRunner

from interference.cli import analysis


@pytest.fixture
def accuracy(tmp_path, monkeypatch):
    """Runs `analysis table` for the table accuracy, of two networks with one attack each."""
    monkeypatch.setattr(analysis, "begin", json.loads)  # other tests have loaded other code
    rows = {"model_architecture": "resnet18", "model_norm": "clean", "model_epsilon": 0.0,
            "model_seed": 0, "image": [0, 1], "label": [0, 1], "prediction": [0, 0], "loss": 1.0}  # fmt: skip
    attack = {"attack": "pgd", "type": "pgd", "norm": "l2", "epsilon": 1.0,
              "perturbation_norm": 1.0, "zero_gradients": 0}  # fmt: skip
    for model in ("a", "b"):
        frame = pd.DataFrame({"model": model, **rows})
        frame.to_parquet(tmp_path / f"{model} clean.parquet")
        frame.assign(**attack).to_parquet(tmp_path / f"{model} pgd.parquet")
    spec = json.dumps({"table": "accuracy", "confidence": 0.9})

    def run(*inputs):
        given = [i if i.startswith("--") else str(tmp_path / f"{i}.parquet") for i in inputs]
        output = tmp_path / "table.parquet"
        arguments = ["table", "--spec", spec, "--output", str(output), *given]
        done = CliRunner().invoke(analysis.app, arguments)
        return done, pd.read_parquet(output) if output.exists() else None

    return run


def test_a_table_has_its_inputs_by_name_in_any_order_and_several_of_one_name(accuracy):
    done, first = accuracy("--clean", "a clean", "b clean", "--attacked", "a pgd", "b pgd")
    assert done.exit_code == 0, done.output
    assert first[["model", "attack"]].to_numpy().tolist() == [
        ["a", "clean"], ["a", "pgd"], ["b", "clean"], ["b", "pgd"],
    ]  # fmt: skip
    _, second = accuracy("--attacked", "a pgd", "b pgd", "--clean", "a clean", "b clean")
    pd.testing.assert_frame_equal(second, first)


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        (["a clean"], "has no name"),
        (["--clean", "a clean"], "missing a required argument: 'attacked'"),
        (["--clean", "a clean", "--attacked"], "no path after --attacked"),
        (["--clean", "a clean", "--attacked", "a pgd", "--saes", "a pgd"], "argument 'saes'"),
    ],
)
def test_inputs_that_a_table_cannot_be_made_of_are_refused_in_words(inputs, said, accuracy):
    done, table = accuracy(*inputs)
    assert done.exit_code == 2
    assert said in " ".join(done.output.replace("│", " ").split())
    assert table is None
