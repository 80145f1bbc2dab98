"""Interventions on woken latents: against loops in float64, forward hooks, and dictionaries that say it."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import load_file

from interference.data.read import read_split
from interference.models.network import load_network
from interference.probes import intervene
from interference.probes.intervene import INTERVENTIONS, SETS, displacements
from interference.saes.dictionary import Dictionary
from interference.store.arrays import open_array
from interference.store.files import StoreError
from tests.support.probes import (
    IMAGES,
    WIDTHS,
    identity,
    intervention,
    intervention_inputs,
    sparse,
    write_sweep,
)

pytestmark = pytest.mark.xdist_group("interventions")

D, LATENTS, N, POSITIONS = 5, 14, 3, 4
INDICES = np.array([50, 51, 57])


def dictionary(seed=0, threshold=0.4):
    w, v = np.random.default_rng(seed).standard_normal((2, LATENTS, D)).astype(np.float32)
    b, c = np.zeros(LATENTS, np.float32), np.ones(D, np.float32)
    return Dictionary(w, b, v, c, threshold=threshold)


def pair(seed=1):
    clean, moved = np.random.default_rng(seed).standard_normal((2, N, POSITIONS, D))
    return clean.astype(np.float32), (clean + 0.5 * moved).astype(np.float32)


# the sets


def code(sae, row):
    pre = sae.w_enc.astype(float) @ row + sae.b_enc
    return np.where(pre > sae.threshold, pre, 0)


def test_every_set_moves_what_a_loop_over_its_latents_moves():
    sae, (clean, attacked) = dictionary(), pair()
    moves = displacements(sae, clean, attacked, INDICES, 0)
    assert set(moves) == set(SETS)
    for i in range(N):
        counts = dict.fromkeys(SETS, 0)
        for p in range(POSITIONS):
            x, y = clean[i, p].astype(float), attacked[i, p].astype(float)
            before, after = code(sae, x), code(sae, y)
            change = after - before
            woken = [j for j in range(LATENTS) if before[j] == 0 and after[j] > 0]
            others = [j for j in range(LATENTS) if (before[j] or after[j]) and j not in woken]
            top = sorted(others, key=lambda j: -after[j])[: len(woken)]
            expected = {
                "none": [],
                "woken": woken,
                "silenced": [j for j in range(LATENTS) if before[j] > 0 and after[j] == 0],
                "top": top,
                "latents": range(LATENTS),
            }
            moved = {name: sum((change[j] * sae.w_dec[j].astype(float) for j in latents), 0 * x)
                     for name, latents in expected.items()}  # fmt: skip
            moved["errors"] = y - x - moved["latents"]
            along = moved["errors"] / np.linalg.norm(moved["errors"])
            moved["error"] = np.linalg.norm(moved["woken"]) * along
            for name, move in moved.items():
                np.testing.assert_allclose(moves[name][0][i, p], move, rtol=1e-4, atol=1e-5)
            for name, latents in expected.items():
                counts[name] += len([j for j in latents if change[j] != 0 or name == "top"])
        for name in expected:
            assert moves[name][1][i] == pytest.approx(counts[name] / POSITIONS), name
    assert moves["woken"][1].min() > 0


def test_random_latents_are_others_as_many_and_an_images_own():
    sae, (clean, attacked) = dictionary(threshold=0.0), pair()
    before, after = (sae.encode_threshold(x.reshape(-1, D)) for x in (clean, attacked))
    woken = ((before == 0) & (after > 0)).sum(1)
    others = (before > 0).sum(1)  # active in the clean code: those that woke were not
    move, count = displacements(sae, clean, attacked, INDICES, 0)["random"]
    assert count.tolist() == np.minimum(woken, others).reshape(N, POSITIONS).mean(1).tolist()
    alone = displacements(sae, clean[1:2], attacked[1:2], INDICES[1:2], 0)["random"]
    np.testing.assert_array_equal(alone[0], move[1:2])
    for images, seed in ((INDICES + 1, 0), (INDICES, 1)):
        other, _ = displacements(sae, clean, attacked, images, seed)["random"]
        assert np.abs(other - move).max() > 0.01


# the job


@pytest.fixture(scope="module")
def outcomes(inputs_folder, small_images, tmp_path_factory):
    """The rows of each layer, of both types; TopK's middle member says nothing but the mean."""
    tables = {}
    for layer in WIDTHS:
        spec = intervention(layer, ("topk", "relu_l1"))
        output = tmp_path_factory.mktemp(layer) / "interventions.parquet"
        given = intervention_inputs(inputs_folder, small_images, spec)
        intervene.run(spec, **given, output=output)
        tables[layer] = pd.read_parquet(output)
    return tables


def values(outcomes, layer, sae_type, name):
    """(intervention, set) → the column's values by image."""
    rows = outcomes[layer][outcomes[layer]["type"] == sae_type]
    return {key: part[name].to_numpy() for key, part in rows.groupby(["intervention", "set"])}


def pixels(folder, data):
    """Clean and attacked images (n, 1, 16, 16)."""
    clean = read_split(data, "evaluation", IMAGES).pixels[:].astype(np.float32) / 255
    manifest = json.loads((folder / "pgd.json").read_text())
    return clean, open_array(folder / "pgd.zarr", manifest["array"])[IMAGES : 2 * IMAGES]


@pytest.mark.parametrize("layer", WIDTHS)
def test_without_an_intervention_it_is_the_network_on_the_image(
    layer, outcomes, inputs_folder, small_images
):
    network = load_network(inputs_folder / "m.json")
    with torch.inference_mode():
        clean, attacked = (
            network(torch.from_numpy(x)).argmax(1).numpy()
            for x in pixels(inputs_folder, small_images)
        )
    predictions = values(outcomes, layer, "relu_l1", "prediction")
    assert predictions["insert", "none"].tolist() == clean.tolist()
    assert predictions["restore", "none"].tolist() == attacked.tolist()
    assert (clean != attacked).any()


@pytest.mark.parametrize("layer", WIDTHS)
def test_a_dictionary_that_never_fires_leaves_everything_to_what_it_does_not_explain(
    layer, outcomes
):
    predictions = values(outcomes, layer, "topk", "prediction")
    clean, attacked = predictions["insert", "none"], predictions["restore", "none"]
    for name in ("woken", "silenced", "random", "top", "latents", "error"):
        assert predictions["restore", name].tolist() == attacked.tolist()
        assert predictions["insert", name].tolist() == clean.tolist()
    assert predictions["restore", "errors"].tolist() == clean.tolist()
    assert predictions["insert", "errors"].tolist() == attacked.tolist()


def test_a_dictionary_that_explains_all_brings_every_prediction_back(
    inputs_folder, small_images, tmp_path
):
    spec = intervention("layer4")
    write_sweep(tmp_path / "topk.json", "layer4", "topk", {1.0: identity(WIDTHS["layer4"])})
    given = intervention_inputs(inputs_folder, small_images, spec)
    given["saes"] = [tmp_path / "topk.json"]
    intervene.run(spec, **given, output=tmp_path / "out.parquet")
    predictions = values({"layer4": pd.read_parquet(tmp_path / "out.parquet")}, "layer4", "topk", "prediction")  # fmt: skip
    assert predictions["restore", "latents"].tolist() == predictions["insert", "none"].tolist()
    assert predictions["insert", "latents"].tolist() == predictions["restore", "none"].tolist()
    assert predictions["restore", "errors"].tolist() == predictions["restore", "none"].tolist()


def test_predictions_and_next_latents_are_those_of_a_forward_hook(
    outcomes, inputs_folder, small_images
):
    """Woken latents put back at layer2, in a plain forward pass, with layer4's SAE after it."""
    sae, after = (sparse(WIDTHS[name], 0, 1.4, seed=2) for name in ("layer2", "layer4"))
    statistics = load_file(inputs_folder / "layer2" / "rows.safetensors")
    following = load_file(inputs_folder / "layer4" / "rows.safetensors")
    network = load_network(inputs_folder / "m.json")
    clean, attacked = (torch.from_numpy(x) for x in pixels(inputs_folder, small_images))

    def rows(out, s):
        return ((out.numpy().transpose(0, 2, 3, 1) - s["mean"]) / s["std"]).astype(np.float64)

    def codes(sae, x):
        pre = np.einsum("nabd,hd->nabh", x, sae.w_enc.astype(float))
        return np.where(pre > np.asarray(sae.threshold), pre, 0)

    with torch.inference_mode():
        before = codes(sae, rows(network.body.layer2(_until(network, clean)), statistics))

    def put_back(_, __, out):
        now = codes(sae, rows(out, statistics))
        woken = (before == 0) & (now > 0)
        move = (np.where(woken, now, 0) @ sae.w_dec.astype(float)) * statistics["std"]
        return out - torch.from_numpy(move.transpose(0, 3, 1, 2)).float()

    seen = []
    network.body.layer4.register_forward_hook(lambda *arguments: seen.append(arguments[-1]))
    with torch.inference_mode():
        network(clean)
        handle = network.body.layer2.register_forward_hook(put_back)
        logits = network(attacked)
        handle.remove()
    usual, edited = (codes(after, rows(out, following)) > 0 for out in seen)
    newly = (edited & ~usual).sum(3).mean((1, 2))
    predictions = values(outcomes, "layer2", "relu_l1", "prediction")["restore", "woken"]
    assert predictions.tolist() == logits.argmax(1).tolist()
    found = values(outcomes, "layer2", "relu_l1", "next_woken")["restore", "woken"]
    np.testing.assert_allclose(found, newly, atol=1.01)  # one latent at its threshold
    assert np.abs(found - newly).mean() < 0.3
    assert newly.max() > 1


def _until(network, x):
    body = network.body
    x = body.maxpool(body.relu(body.bn1(body.conv1(network._normalised(x)))))
    return body.layer1(x)


def test_every_row_is_there_once_and_the_last_layer_has_no_next(outcomes):
    for layer, table in outcomes.items():
        keys = ["type", "sparsity", "sae_seed", "intervention", "set", "image"]
        assert not table.duplicated(keys).any()
        assert len(table) == 2 * len(INTERVENTIONS) * len(SETS) * IMAGES
        assert set(table["sparsity"]) == {2.0, 0.2}  # of both types the middle, or the upper
        assert table["next_woken"].isna().all() == (layer == "layer4")
        assert table.drop(columns="next_woken").notna().all(axis=None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epsilon": 0.7}, "--attack: epsilons are 0.5, 1, the job is about 0.7"),
        ({"attack": "noise"}, "attack is pgd, the job is about noise"),
        ({"layer": "layer2"}, "layer is stem, the job is about layer2"),
        ({"next": "layer4"}, "layer is layer2, the job is about layer4"),
        (
            {"types": ["topk", "relu_l1"]},
            "SAEs: found 1 manifests, needs one for each of topk, relu",
        ),
    ],
)
def test_inputs_of_another_job_are_refused(change, message, inputs_folder, small_images, tmp_path):
    spec = intervention()
    given = intervention_inputs(inputs_folder, small_images, spec)
    with pytest.raises(StoreError, match=message):
        intervene.run({**spec, **change}, **given, output=tmp_path / "out.parquet")
    assert not list(tmp_path.iterdir())
