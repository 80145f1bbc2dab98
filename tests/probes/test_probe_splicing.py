"""SAEs spliced into a network: against the network itself, mean ablation, and forward hooks."""

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import load_file
from scipy import stats
from scipy.special import log_softmax, softmax

from interference.activations.standardise import Statistics
from interference.data.read import read_split
from interference.models.network import load_network
from interference.probes import measure, splicing
from interference.saes.dictionary import keep_top
from tests.support.probes import IMAGES, WIDTHS, inputs, job, sparse

pytestmark = pytest.mark.xdist_group("spliced")

CHANGED = {"stem": "maxpool", "layer2": "layer2", "layer4": "layer4"}


@pytest.fixture(scope="module")
def spliced(inputs_folder, small_images, tmp_path_factory):
    """The table splice of each layer."""
    tables = {}
    for layer in WIDTHS:
        output, spec = tmp_path_factory.mktemp(layer), job(layer)
        given = inputs(inputs_folder, small_images, spec)
        measure.run(spec, **given, output=output / "l0.parquet")
        tables[layer] = pd.read_parquet(output / "splice.parquet")
    return tables


def hooked(folder, data, layer, change):
    """Logits (images, classes) where ``change`` rewrites a layer's output in a plain forward pass."""
    network, images = load_network(folder / "m.json"), read_split(data, "evaluation", IMAGES)
    module = getattr(network.body, CHANGED[layer])
    handle = module.register_forward_hook(lambda *arguments: change(arguments[-1]))
    with torch.inference_mode():
        logits = network(torch.from_numpy(images.pixels[:]).float() / 255)
    handle.remove()
    return logits.double().numpy(), images.labels


def member(spliced, layer, sparsity):
    rows = spliced[layer][spliced[layer]["sparsity"] == sparsity]
    assert len(rows) == IMAGES
    return rows.reset_index()


@pytest.mark.parametrize("layer", WIDTHS)
def test_an_identity_dictionary_leaves_the_network_as_it_is(layer, spliced):
    rows = member(spliced, layer, 1.0)
    np.testing.assert_allclose(rows["loss"], rows["clean_loss"], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(rows["kl"], 0, atol=1e-8)
    assert (rows["correct"] == rows["clean_correct"]).all()
    assert (rows["l0"] <= WIDTHS[layer]).all()


@pytest.mark.parametrize("layer", WIDTHS)
def test_a_dictionary_that_says_the_mean_is_mean_ablation(layer, spliced):
    rows = member(spliced, layer, 2.0)
    for name in ("correct", "loss", "kl"):
        np.testing.assert_array_equal(rows[name], rows[f"ablated_{name}"])
    assert (rows["l0"] == 0).all()
    assert rows["kl"].min() > 1e-6


@pytest.mark.parametrize("layer", WIDTHS)
def test_outcomes_are_those_of_a_forward_hook_and_scipys_kl(
    layer, spliced, inputs_folder, small_images
):
    arrays = load_file(inputs_folder / layer / "rows.safetensors")
    mean, std = (arrays[n][:, None, None] for n in ("mean", "std"))
    w = sparse(WIDTHS[layer]).w_enc.astype(float)

    def code(out):
        x = ((out.numpy() - mean) / std).transpose(0, 2, 3, 1)
        pre = np.maximum(x @ w.T, 0)
        return np.where(pre >= np.sort(pre, axis=-1)[..., -5:-4], pre, 0)

    def reconstruction(out):
        x = (code(out) @ w).transpose(0, 3, 1, 2) * std + mean
        return torch.from_numpy(x.astype(np.float32))

    clean, labels = hooked(inputs_folder, small_images, layer, lambda out: out)
    logits, _ = hooked(inputs_folder, small_images, layer, reconstruction)
    rows, each = member(spliced, layer, 3.0), np.arange(IMAGES)
    p, log_q = softmax(clean, axis=1), log_softmax(logits, axis=1)
    expected = stats.entropy(p, softmax(logits, axis=1), axis=1)
    np.testing.assert_allclose(rows["kl"], expected, rtol=1e-3, atol=1e-7)
    np.testing.assert_allclose(rows["loss"], -log_q[each, labels], rtol=1e-4)
    np.testing.assert_allclose(rows["clean_loss"], -log_softmax(clean, axis=1)[each, labels])
    assert rows["correct"].tolist() == (logits.argmax(1) == labels).tolist()
    assert rows["clean_correct"].tolist() == (clean.argmax(1) == labels).tolist()
    np.testing.assert_allclose(rows["l0"], 5)
    assert rows["kl"].max() > 1e-4


@pytest.mark.parametrize("rows", [5, 8192])
def test_a_reconstruction_is_coded_with_the_k_that_saes_are_scored_with(rows, monkeypatch):
    monkeypatch.setattr(splicing, "ROWS", rows)
    sae, x = sparse(8), np.random.default_rng(0).standard_normal((3, 4, 8)).astype(np.float32)
    statistics = Statistics(np.full(8, 2.0), np.full(8, 3.0), floored=0)
    found, l0 = splicing.reconstruct(sae, statistics, 3 * x + 2)
    latents = keep_top(np.maximum(x.reshape(-1, 8) @ sae.w_enc.T, 0), 5)
    np.testing.assert_allclose(found.reshape(-1, 8), 3 * latents @ sae.w_dec + 2, atol=1e-4)
    np.testing.assert_allclose(l0, (latents > 0).reshape(3, 4, -1).sum(2).mean(1))
