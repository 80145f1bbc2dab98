"""Defences attacked through: against the job that attacks the network, and attacks by forward hooks."""

from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.numpy import load_file

from interference.attacks import craft
from interference.attacks.draws import Draws
from interference.attacks.methods import pgd
from interference.attacks.victim import Victim
from interference.data.read import read_split
from interference.models.network import load_network
from interference.probes import defend
from interference.probes.defences import pca_fvu
from interference.saes.spectrum import Spectrum
from interference.store.arrays import open_array
from interference.store.files import StoreError, read_json
from tests.support.probes import IMAGES, MODEL, WIDTHS, dictionaries, identity, sparse, write_sweep

METHOD = {
    "type": "pgd", "norm": "l2", "epsilons": [0.5, 1.5], "steps": 3, "relative_step": 0.5,
    "random_start": True, "restarts": 1, "loss": "log-odds",
}  # fmt: skip
#: Of the attacked images, the first.
DEFENDED = 6
LAYERS = ["stem", "layer4"]
SPEC = {
    "model": MODEL, "layers": LAYERS, "type": "topk", "k": [3], "method": METHOD, "seed": 0,
    "images": DEFENDED, "attack": "pgd", "epsilon": 1.5,
}  # fmt: skip
OUTCOMES = ("clean", "transferred", "adaptive")


@pytest.fixture(scope="module")
def crafted(inputs_folder, small_images, tmp_path_factory) -> Path:
    """The manifest of real adversarial images of the network."""
    output = tmp_path_factory.mktemp("attacks") / "pgd.json"
    spec = {"model": MODEL, "attack": "pgd", "method": METHOD, "classes": 2, "source": None}
    spec |= {"images": IMAGES, "seed": 0}
    craft.run(spec, small_images, inputs_folder / "m.json", output)
    return output


def given(folder, data, attack, **changed):
    """The arguments of a job, of the files that `write_inputs` wrote."""
    return {
        "data": data,
        "model": folder / "m.json",
        "attack": attack,
        "rows": [folder / layer / "rows.json" for layer in LAYERS],
        "saes": [folder / layer / "topk.json" for layer in LAYERS],
        **changed,
    }


@pytest.fixture
def job(inputs_folder, small_images, crafted, tmp_path):
    """Run a job, of some inputs and a spec with changes, and return its table's path."""

    def run(spec=SPEC, name="out", **changed):
        output = tmp_path / f"{name}.parquet"
        defend.run(spec, **given(inputs_folder, small_images, crafted, **changed), output=output)
        return output

    return run


def outcomes(table, layer, defence):
    """Predictions by kind of images, (images,) each."""
    rows = table[(table["layer"] == layer) & (table["defence"] == defence)]
    assert len(rows) == DEFENDED
    return {name: rows[name].to_numpy() for name in OUTCOMES}


@pytest.mark.parametrize("size", [1, 4, 256])
def test_the_network_as_it_is_has_the_predictions_that_its_attack_recorded(
    size, job, crafted, inputs_folder, small_images, monkeypatch
):
    monkeypatch.setattr(defend, "batch_size", lambda shape: size)
    found = outcomes(pd.read_parquet(job()), "", "none")
    recorded = pd.read_parquet(crafted.with_suffix(".parquet"))
    attacked = recorded[recorded["epsilon"] == 1.5]["prediction"].to_numpy()[:DEFENDED]
    assert found["adaptive"].tolist() == found["transferred"].tolist() == attacked.tolist()
    images = read_split(small_images, "evaluation", DEFENDED)
    with torch.inference_mode():
        network = load_network(inputs_folder / "m.json")
        clean = network(torch.from_numpy(images.pixels[:]).float() / 255).argmax(1)
    assert found["clean"].tolist() == clean.tolist() != attacked.tolist()


def test_a_perfect_dictionary_and_all_components_change_nothing(job, tmp_path):
    perfect = []
    for layer in LAYERS:
        (tmp_path / layer).mkdir()
        perfect.append(tmp_path / layer / "topk.json")
        write_sweep(perfect[-1], layer, "topk", {3.0: identity(WIDTHS[layer])}, fvu=0.0)
    table = pd.read_parquet(job(saes=perfect))
    undefended = outcomes(table, "", "none")
    for layer in LAYERS:
        for defence in ("sae", "pca"):
            found = outcomes(table, layer, defence)
            for name in OUTCOMES:
                assert found[name].tolist() == undefended[name].tolist(), (layer, defence, name)
    pca = table[table["defence"] == "pca"]
    assert pca.groupby("layer")["components"].unique().to_dict() == {n: WIDTHS[n] for n in LAYERS}


@pytest.mark.parametrize(("layer", "module"), [("stem", "maxpool"), ("layer4", "layer4")])
def test_an_attack_through_an_sae_is_one_on_a_network_with_a_forward_hook(
    layer, module, job, inputs_folder, small_images
):
    arrays = load_file(inputs_folder / layer / "rows.safetensors")
    mean, std = (torch.from_numpy(arrays[n]).float()[:, None, None] for n in ("mean", "std"))
    w = torch.from_numpy(sparse(WIDTHS[layer]).w_enc)

    def reconstruction(_, __, out):
        x = ((out - mean) / std).movedim(1, -1)
        pre = (x @ w.T).clamp_min(0)
        bar = pre.detach().topk(5)[0][..., -1:]
        return ((pre * (pre >= bar)) @ w).movedim(-1, 1) * std + mean

    network = load_network(inputs_folder / "m.json")
    getattr(network.body, module).register_forward_hook(reconstruction)
    images = read_split(small_images, "evaluation", DEFENDED)
    x = torch.from_numpy(images.pixels[:]).float() / 255
    settings = {k: v for k, v in METHOD.items() if k not in ("type", "epsilons")}
    draws = Draws.of(0, 1.5, images.indices.tolist(), x.device)
    victim = Victim(network, torch.from_numpy(images.labels))
    adversarial = pgd.perturb(victim, x, epsilon=1.5, draws=draws, **settings).images
    with torch.inference_mode():
        expected = {"clean": network(x), "adaptive": network(adversarial)}
    found = outcomes(pd.read_parquet(job()), layer, "sae")
    for name, logits in expected.items():
        assert found[name].tolist() == logits.argmax(1).tolist()
    assert found["clean"].tolist() != found["adaptive"].tolist()


@pytest.mark.parametrize("layer", LAYERS)
def test_pca_has_the_components_whose_fvu_is_nearest_to_the_saes(
    layer, job, inputs_folder, tmp_path
):
    rows, saes = inputs_folder / layer / "rows.json", tmp_path / "topk.json"
    train, heldout = (
        open_array(rows.with_suffix(f".{name}.zarr"), read_json(rows)[name])
        for name in ("train", "heldout")
    )
    fvus = pca_fvu(Spectrum.of(train), heldout[:])
    fvu = float(0.49 * fvus[2] + 0.51 * fvus[3])  # between those of three components and of four
    write_sweep(saes, layer, "topk", dictionaries("topk", WIDTHS[layer]), fvu=fvu)
    table = pd.read_parquet(job({**SPEC, "layers": [layer]}, rows=[rows], saes=[saes]))
    pca, sae = (table[table["defence"] == name] for name in ("pca", "sae"))
    assert set(pca["components"]) == {4}
    assert set(pca["fvu"]) == {fvus[3]}
    assert set(sae["fvu"]) == {fvu}


def test_batches_of_any_size_and_a_second_run_give_the_same_bytes(job, monkeypatch):
    first, second = job().read_bytes(), job(name="again").read_bytes()
    monkeypatch.setattr(defend, "MOST_BYTES", 1)
    monkeypatch.setattr(defend, "batch_size", lambda shape: 4)
    assert first == second == job(name="batches").read_bytes()


def test_every_defence_has_a_row_per_image_and_the_network_as_it_is_has_no_numbers(job):
    table = pd.read_parquet(job({**SPEC, "k": [1, 3]}))
    keys = ["layer", "defence", "sparsity", "sae_seed", "image"]
    assert not table.duplicated(keys).any()
    counts = table.groupby(["layer", "defence"]).size().to_dict()
    expected = {(layer, name): 2 * DEFENDED for layer in LAYERS for name in ("sae", "pca")}
    assert counts == {("", "none"): DEFENDED} | expected
    named = ["type", "sparsity", "sae_seed", "components"]
    undefended = table[table["defence"] == "none"]
    assert (undefended["type"] == "").all()
    assert undefended[named[1:]].isna().all(axis=None)
    assert table["zero_gradients"].max() <= METHOD["steps"]
    assert table.loc[table["defence"] == "pca", named].notna().all(axis=None)


def test_fewer_images_are_attacked_at_once_where_codes_are_large():
    shape = (100, 1, 28, 28)
    sizes = [defend.Defence({}, torch.nn.Identity(), n).batch(shape) for n in (0, 2**14, 2**24, 2**28)]  # fmt: skip
    assert sizes == [256, 256, 4, 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epsilon": 0.7}, "--attack: epsilons are 0.5, 1.5, the job is about 0.7"),
        ({"attack": "apgd"}, "attack is pgd, the job is about apgd"),
        ({"seed": 1}, "seed is 0, the job is about 1"),
        ({"method": {**METHOD, "steps": 4}}, "method is .*'steps': 3.* the job is about .*: 4"),
        ({"layers": ["stem", "layer2"]}, "layer is layer4, the job is about layer2"),
        ({"layers": ["stem"]}, "--rows: found 2 manifests, needs one for each of stem"),
        ({"type": "relu_l1"}, "type is topk, the job is about relu_l1"),
        ({"k": [3, 9]}, "topk.json: sparsities are 1, 2, 3, the job is about 3, 9"),
        ({"model": {**MODEL, "model": "other"}}, "model is .* the job is about .*other"),
    ],
)
def test_inputs_of_another_job_are_refused(change, message, job, tmp_path):
    with pytest.raises(StoreError, match=message):
        job({**SPEC, **change})
    assert not list(tmp_path.iterdir())
