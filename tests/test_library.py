"""`interference.open`: what a run made, as objects, held to what the run itself measured."""

import re
import subprocess
import sys

import nbformat
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from nbclient import NotebookClient

import interference
from interference.config.load import check_config
from interference.provenance import InterferenceError
from tests.support import REPO
from tests.support.checkout import TINY

NOTEBOOK = REPO / "docs" / "library.ipynb"


def of_a_run(test):
    """A test that reads what the tiny experiment made."""
    return pytest.mark.workflow(pytest.mark.xdist_group("workflow")(test))


@pytest.fixture
def results(completed):
    return interference.open(completed.results)


def test_opening_results_loads_no_library(tmp_path):
    (tmp_path / "analysis" / "tables").mkdir(parents=True)
    code = (
        "import interference, sys; interference.open(sys.argv[1]); "
        "print(*{'numpy', 'pandas', 'torch', 'yaml', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], capture_output=True, check=True, encoding="utf-8"
    )
    assert done.stdout.strip() == ""


def test_a_folder_without_results_is_refused(tmp_path):
    with pytest.raises(InterferenceError, match="holds no results"):
        interference.open(tmp_path)


@of_a_run
def test_tables_are_frames_by_name(results):
    files = sorted(results.folder.joinpath("analysis/tables").glob("*.parquet"))
    assert [*results.tables] == [path.stem for path in files]
    for path in files:
        pd.testing.assert_frame_equal(results.tables[path.stem], pd.read_parquet(path))
    assert results.claims is results.tables["claims"]


@of_a_run
def test_the_config_is_that_of_the_run(results):
    values = yaml.safe_load((REPO / TINY).read_text(encoding="utf-8"))
    assert results.config == check_config(values)


@of_a_run
def test_a_network_predicts_what_the_run_says_that_it_predicts(results):
    images = results.images()
    with torch.no_grad():
        logits = results.network("clean-s0")(torch.from_numpy(images.pixels[:]).float() / 255)
    accuracy = results.tables["accuracy"].query("model == 'clean-s0' and attack == 'clean'")
    right = (
        logits.argmax(1).numpy()[: accuracy["images"].item()]
        == images.labels[: accuracy["images"].item()]
    )
    assert right.mean() == pytest.approx(accuracy["accuracy"].item())


@of_a_run
def test_an_sae_reconstructs_as_well_as_its_metrics_say(results):
    rows = results.activations("clean-s0", "layer2").heldout[:]
    x = rows.reshape(-1, rows.shape[-1]).astype(np.float64)
    for sae in results.sae("clean-s0", "layer2", "topk"):
        code = sae.dictionary.encode(x.astype(np.float32))
        left = ((x - sae.dictionary.decode(code)) ** 2).sum() / ((x - x.mean(0)) ** 2).sum()
        assert left == pytest.approx(sae.metrics["fvu"], rel=1e-4)
        assert (code > 0).sum(1).mean() == pytest.approx(sae.metrics["l0"]) == sae.sparsity


@of_a_run
def test_statistics_of_a_layer_return_to_what_the_network_says(results):
    images = results.images("heldout").pixels[:4]
    with torch.no_grad():
        raw = results.network("clean-s0").activations(
            torch.from_numpy(images).float() / 255, "stem"
        )
    layer = results.activations("clean-s0", "stem")
    restored = layer.statistics.restore(layer.heldout[:4])
    assert restored.shape[2] == raw.shape[2]
    nearest = np.abs(restored[:, :, None] - raw.numpy()[:, None]).max(-1).min(-1)
    assert nearest.max() < 1e-4


@of_a_run
def test_a_figure_is_a_file(results):
    assert "l0/clean-s0" in results.figures
    assert all(results.figure(name).with_suffix(".png").is_file() for name in results.figures)


@of_a_run
@pytest.mark.parametrize(
    ("ask", "there"),
    [
        (lambda results: results.tables["l1"], "accuracy, baselines"),
        (lambda results: results.network("clean"), "clean-s0, l2-1-s0"),
        (lambda results: results.activations("clean-s0", "layer9"), "layer2, stem"),
        (lambda results: results.sae("clean-s0", "stem", "top"), "relu_l1, topk"),
        (lambda results: results.images("test"), "train, heldout, evaluation"),
        (lambda results: results.figure("l0"), "l0/clean-s0"),
    ],
    ids=["table", "network", "layer", "type", "split", "figure"],
)
def test_where_something_is_missing_the_error_says_what_is_there(ask, there, results):
    with pytest.raises(InterferenceError, match=there):
        ask(results)


def test_the_notebook_in_the_documents_was_executed():
    cells = [cell for cell in nbformat.read(NOTEBOOK, 4).cells if cell.cell_type == "code"]
    assert all(cell.outputs for cell in cells[:-1])
    kinds = {output.output_type for cell in cells for output in cell.outputs}
    assert "error" not in kinds
    assert {
        output.name for cell in cells for output in cell.outputs if output.output_type == "stream"
    } == {"stdout"}


@of_a_run
def test_the_notebook_runs_from_top_to_bottom(results):
    source = NOTEBOOK.read_text(encoding="utf-8")
    of_default = "../results/fashion-mnist"
    assert source.count(of_default) == 1
    notebook = nbformat.reads(source.replace(of_default, results.folder.as_posix()), 4)
    NotebookClient(notebook, timeout=120).execute()
    said = "".join(o.get("text", "") for cell in notebook.cells for o in cell.get("outputs", []))
    assert "8.0 active latents per row" in said


@of_a_run
def test_the_readme_says_how(results):
    """Its lines, run on this run's results, whose sweeps have two members."""
    (lines,) = re.findall(r"```python\n(.*?)```", (REPO / "README.md").read_text(), re.DOTALL)
    names: dict = {}
    exec(
        lines.replace("results/fashion-mnist", str(results.folder)).replace(
            '"topk")[2]', '"topk")[1]'
        ),
        names,
    )
    sae, x = results.sae("clean-s0", "layer2", "topk")[1], names["x"]
    flat = x.reshape(-1, x.shape[-1])
    expected = sae.dictionary.decode(sae.dictionary.encode(flat))
    np.testing.assert_array_equal(names["reconstruction"], expected)
    assert len(x) == 8
