"""SAEs spliced into a network: against the network itself, mean ablation, and forward hooks."""

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import load_file
from scipy import stats
from scipy.special import log_softmax, softmax

from interference.activations.forward import sums
from interference.activations.standardise import Statistics
from interference.analysis import splice
from interference.analysis.statistics import resample
from interference.analysis.tables import splice as table
from interference.data.read import read_split
from interference.models import feeding
from interference.models.network import Network, load_network
from interference.saes.dictionary import Dictionary, keep_top, stack
from interference.store.files import StoreError, sha256, write_json
from interference.store.tensors import write_tensors

MODEL = {
    "model": "m",
    "model_architecture": "resnet18",
    "model_norm": "l2",
    "model_epsilon": 1.0,
    "model_seed": 0,
}
WIDTHS = {"stem": 64, "layer2": 128, "layer4": 512}
CHANGED = {"stem": "maxpool", "layer2": "layer2", "layer4": "layer4"}


def identity(d):
    """ReLU(x) − ReLU(−x) = x."""
    both = np.concatenate([np.eye(d), -np.eye(d)]).astype(np.float32)
    return Dictionary(both, np.zeros(2 * d, np.float32), both, np.zeros(d, np.float32))


def silent(d):
    """Never fires, so it says the mean of standardised rows."""
    whole = identity(d)
    return Dictionary(whole.w_enc, whole.b_enc - 1e9, whole.w_dec, whole.b_dec)


def sparse(d):
    """TopK with random directions: neither of the two."""
    w = np.random.default_rng(d).standard_normal((2 * d, d)).astype(np.float32)
    w /= np.linalg.norm(w, axis=1, keepdims=True)
    return Dictionary(w, np.zeros(2 * d, np.float32), w, np.zeros(d, np.float32), k=5)


#: sparsity → dictionary
SWEEP = {1.0: identity, 2.0: silent, 3.0: sparse}


@pytest.fixture(scope="module")
def files(tmp_path_factory, small_images):
    """Manifests of a network, of rows and of sweeps as the other rooms write them."""
    folder = tmp_path_factory.mktemp("splice")
    torch.manual_seed(0)
    build = {"architecture": "resnet18", "stem": "imagenet", "channels": 1, "classes": 4}
    build |= {"mean": [0.4], "std": [0.2]}
    network, made = Network(**build).train(), {"model": folder / "m.json"}
    with torch.no_grad():
        for _ in range(4):
            network(torch.rand(8, 1, 16, 16))
    network.eval()

    def save(name, arrays, **content):
        made[name] = folder / f"{name}.json"
        weights = made[name].with_suffix(".safetensors")
        write_tensors(weights, arrays, {})
        write_json(made[name], {"sha256": sha256(weights), **content})

    save("model", {k: v.numpy() for k, v in network.state_dict().items()}, build=build)
    pixels = torch.from_numpy(read_split(small_images, "train").pixels[:]).float() / 255
    for layer, d in WIDTHS.items():
        with torch.inference_mode():
            values = network.activations(pixels, layer).numpy()
        statistics = Statistics.of(sums(torch.from_numpy(values)))
        spec = {"model": MODEL, "layer": layer}
        save(f"{layer}-rows", {"mean": statistics.mean, "std": statistics.std}, spec=spec)
        members = [{"sparsity": s, "sae_seed": 0, "fvu": 0.1} for s in SWEEP]
        stacked = stack([make(d) for make in SWEEP.values()])
        save(f"{layer}-topk", stacked, spec={**spec, "type": "topk"}, members=members)
    return made


def manifests(files):
    return [path for name, path in files.items() if name != "model"]


def run(files, data, output, paths, images=9):
    splice.splice({"model": MODEL, "images": images}, data, files["model"], paths, output)
    return pd.read_parquet(output)


@pytest.fixture(scope="module")
def spliced(files, small_images, tmp_path_factory):
    output = tmp_path_factory.mktemp("spliced") / "m.parquet"
    return run(files, small_images, output, manifests(files))


def hooked(files, data, layer, change):
    """Logits (9, classes) where ``change`` rewrites a layer's output in a plain forward pass."""
    network, images = load_network(files["model"]), read_split(data, "evaluation", 9)
    module = getattr(network.body, CHANGED[layer])
    handle = module.register_forward_hook(lambda *arguments: change(arguments[-1]))
    with torch.inference_mode():
        logits = network(torch.from_numpy(images.pixels[:]).float() / 255)
    handle.remove()
    return logits.double().numpy(), images.labels


def member(frame, layer, sparsity):
    rows = frame[(frame["layer"] == layer) & (frame["sparsity"] == sparsity)]
    assert len(rows) == 9
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
def test_outcomes_are_those_of_a_forward_hook_and_scipys_kl(layer, spliced, files, small_images):
    arrays = load_file(files[f"{layer}-rows"].with_suffix(".safetensors"))
    mean, std = (arrays[n][:, None, None] for n in ("mean", "std"))
    w = sparse(WIDTHS[layer]).w_enc.astype(float)

    def code(out):
        x = ((out.numpy() - mean) / std).transpose(0, 2, 3, 1)
        pre = np.maximum(x @ w.T, 0)
        return np.where(pre >= np.sort(pre, axis=-1)[..., -5:-4], pre, 0)

    def reconstruction(out):
        x = (code(out) @ w).transpose(0, 3, 1, 2) * std + mean
        return torch.from_numpy(x.astype(np.float32))

    clean, labels = hooked(files, small_images, layer, lambda out: out)
    logits, _ = hooked(files, small_images, layer, reconstruction)
    rows, each = member(spliced, layer, 3.0), np.arange(9)
    p, log_q = softmax(clean, axis=1), log_softmax(logits, axis=1)
    expected = stats.entropy(p, softmax(logits, axis=1), axis=1)
    np.testing.assert_allclose(rows["kl"], expected, rtol=1e-3, atol=1e-7)
    np.testing.assert_allclose(rows["loss"], -log_q[each, labels], rtol=1e-4)
    np.testing.assert_allclose(rows["clean_loss"], -log_softmax(clean, axis=1)[each, labels])
    assert rows["correct"].tolist() == (logits.argmax(1) == labels).tolist()
    assert rows["clean_correct"].tolist() == (clean.argmax(1) == labels).tolist()
    np.testing.assert_allclose(rows["l0"], 5)
    assert rows["kl"].max() > 1e-4


def test_the_table_has_a_row_for_each_member_and_image(spliced, small_images):
    assert len(spliced) == len(WIDTHS) * len(SWEEP) * 9
    assert set(spliced["layer"]) == set(WIDTHS)
    assert set(spliced["type"]) == {"topk"}
    assert (spliced[list(MODEL)] == list(MODEL.values())).all(axis=None)
    expected = read_split(small_images, "evaluation", 9).indices.tolist()
    assert member(spliced, "stem", 3.0)["image"].tolist() == expected


def test_nothing_depends_on_the_order_of_manifests_or_on_how_much_goes_at_once(
    spliced, files, small_images, tmp_path, monkeypatch
):
    monkeypatch.setattr(feeding, "MOST_IMAGES", 4)
    monkeypatch.setattr(splice, "ROWS", 5)
    found = run(files, small_images, tmp_path / "m.parquet", manifests(files)[::-1])
    keys = ["layer", "sparsity", "image"]
    found, expected = (f.sort_values(keys, ignore_index=True) for f in (found, spliced))
    pd.testing.assert_frame_equal(found, expected, rtol=1e-4, atol=1e-6)


def test_a_reconstruction_is_coded_with_the_k_that_saes_are_scored_with():
    sae, x = sparse(8), np.random.default_rng(0).standard_normal((3, 4, 8)).astype(np.float32)
    statistics = Statistics(np.full(8, 2.0), np.full(8, 3.0), floored=0)
    found, l0 = splice.reconstruct(sae, statistics, 3 * x + 2)
    latents = keep_top(np.maximum(x.reshape(-1, 8) @ sae.w_enc.T, 0), 5)
    np.testing.assert_allclose(found.reshape(-1, 8), 3 * latents @ sae.w_dec + 2, atol=1e-4)
    np.testing.assert_allclose(l0, (latents > 0).reshape(3, 4, -1).sum(2).mean(1))


def test_saes_without_rows_or_of_another_network_are_refused(files, small_images, tmp_path):
    with pytest.raises(StoreError, match=r"stem-topk\.json: no rows of stem"):
        run(files, small_images, tmp_path / "m.parquet", [files["stem-topk"]])
    with pytest.raises(StoreError, match=r"stem-rows\.json: model is .* the job is about"):
        splice.read_layers([files["stem-rows"]], MODEL | {"model": "other"})


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
    found = table.build({"confidence": confidence, "resamples": 150, "seed": 3}, [path])
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
