"""Inputs of steps, tables and figures on the command line: each under its name, or refused in one line."""

import functools
import importlib
import json
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure
from typer.testing import CliRunner

from interference.cli import analysis, main, steps


def said(done):
    """What was printed, without the box that it may be drawn in."""
    return " ".join(done.output.replace("│", " ").split())


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
        arguments = ["analysis", "table", "--spec", spec, "--output", str(output), *given]
        done = CliRunner().invoke(main.app, arguments)
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
    ("inputs", "message"),
    [
        (["a clean"], "has no name; write --NAME"),
        (["--clean", "a clean"], "--attacked is missing"),
        (["--clean", "a clean", "--attacked"], "--attacked is missing"),
        (
            ["--clean", "a clean", "--attacked", "a pgd", "--saes", "a pgd"],
            "--saes: unknown; allowed: --clean, --attacked",
        ),
    ],
)
def test_inputs_that_a_table_cannot_be_made_of_are_refused_in_words(inputs, message, accuracy):
    done, table = accuracy(*inputs)
    assert done.exit_code == 2
    assert message in said(done)
    assert table is None


def test_a_figure_has_its_tables_as_frames_and_a_manifest_as_a_path(tmp_path, monkeypatch):
    module, given = importlib.import_module("interference.analysis.figures.gallery"), []
    monkeypatch.setattr(analysis, "begin", json.loads)
    draw = functools.wraps(module.draw)(lambda **inputs: given.append(inputs) or Figure())
    monkeypatch.setattr(module, "draw", draw)
    for name in ("a", "b"):
        pd.DataFrame({"name": [name]}).to_parquet(tmp_path / f"{name}.parquet")
    arguments = ["analysis", "figure", "--spec", '{"figure":"gallery"}', "--output"]
    arguments += [str(tmp_path / "figure.svg"), "--pictures", "gallery.json", "--latents"]
    arguments += [str(tmp_path / f"{name}.parquet") for name in ("a", "b")]
    done = CliRunner().invoke(main.app, arguments)
    assert done.exit_code == 0, done.output
    ((latents, pictures),) = ((call["latents"], call["pictures"]) for call in given)
    assert latents["name"].tolist() == ["a", "b"]
    assert pictures == Path("gallery.json")
    assert (tmp_path / "figure.png").exists()


@pytest.fixture
def step(monkeypatch):
    """Runs a step's verb: its exit and what the step's function was given, if it was called."""
    monkeypatch.setattr(steps, "begin", json.loads)  # other tests have loaded other code

    def run(room, name, *inputs, of=None):
        module, given = importlib.import_module(f"interference.{room}.{name}"), []
        work = functools.wraps(module.run)(lambda **arguments: given.append(arguments))
        spec = json.dumps({"code": {"roots": [of or module.__name__]}})
        with monkeypatch.context() as patch:
            patch.setattr(module, "run", work)
            arguments = [room, name, "--spec", spec, "--output", "out.json", *inputs]
            done = CliRunner().invoke(main.app, arguments)
        assert [call.pop("spec") for call in given] == [json.loads(spec)] * len(given)
        assert [call.pop("output") for call in given] == [Path("out.json")] * len(given)
        return done, given

    return run


ONE = {"data": Path("images.json"), "model": Path("m.json")}
OF_A_LAYER = ["--model", "m.json", "--saes", "a.json", "b.json", "--rows", "rows.json",
              "--data", "images.json", "--attacks", "pgd.json"]  # fmt: skip


@pytest.mark.parametrize(
    ("verb", "inputs", "expected"),
    [
        (("models", "predict"), ["--data", "images.json", "--model", "m.json"], ONE),
        (("models", "predict"), ["--model", "m.json", "--data", "images.json"], ONE),
        (("models", "convert"), [], {}),
        (
            ("probes", "measure"),
            OF_A_LAYER,
            {
                **ONE,
                "rows": Path("rows.json"),
                "attacks": [Path("pgd.json")],
                "saes": [Path("a.json"), Path("b.json")],
            },
        ),
        (("data", "images"), ["--workers", "3"], {"workers": 3}),
        (("data", "images"), [], {}),
        (
            ("activations", "extract"),  # of a layer that has no parts
            ["--data", "images.json", "--model", "m.json", "--parts"],
            {**ONE, "parts": []},
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_step_has_its_inputs_by_name_as_its_signature_declares_them(verb, inputs, expected, step):
    done, given = step(*verb, *inputs)
    assert done.exit_code == 0, done.output
    assert given == [expected]


@pytest.mark.parametrize(
    ("verb", "inputs", "message"),
    [
        (("models", "predict"), ["--data", "i.json"], "--model is missing"),
        (("models", "predict"), ["--data", "i.json", "--model"], "--model is missing"),
        (
            ("models", "predict"),
            ["--data", "i.json", "--model", "m.json", "n.json"],
            "--model: found 2 words, needs one",
        ),
        (
            ("models", "predict"),
            ["--data", "i.json", "--model", "m.json", "--data", "j.json"],
            "--data: found 2 words, needs one",
        ),
        (
            ("models", "predict"),
            ["--data", "i.json", "--modle", "m.json"],
            "--modle: unknown; allowed: --data, --model",
        ),
        (("models", "predict"), ["i.json"], "i.json has no name; write --NAME i.json"),
        (("models", "convert"), ["--data", "i.json"], "--data: unknown; allowed: none"),
        (("models", "convert"), ["--which", "x"], "--which: unknown; allowed: none"),
        (("data", "images"), ["--workers", "many"], "--workers: found many, needs a number"),
        (("data", "images"), ["--workers"], "--workers: found 0 words, needs one"),
        (("probes", "measure"), [*OF_A_LAYER[:-1]], "--attacks is missing"),
    ],
)
def test_inputs_that_a_step_cannot_have_are_refused_in_words(verb, inputs, message, step):
    done, given = step(*verb, *inputs)
    assert done.exit_code == 2
    assert message in said(done)
    assert given == []


def test_the_spec_of_another_step_is_refused(step):
    done, given = step("models", "convert", of="interference.models.predict")
    assert done.exit_code == 2
    expected = "--spec is of interference.models.predict, not of interference.models.convert"
    assert expected in said(done)
    assert given == []


def test_a_spec_is_checked_before_its_step_begins(step, monkeypatch):
    """As `begin` does: of code that changed since it was planned."""

    def stale(spec):
        raise ValueError("the code changed")

    monkeypatch.setattr(steps, "begin", stale)
    done, given = step("models", "convert")
    assert str(done.exception) == "the code changed"
    assert given == []
