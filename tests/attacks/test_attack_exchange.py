"""The step that shows attacks to other networks: what it writes, beside the networks' own."""

import json

import pytest
import torch
import yaml

from interference.attacks import craft, exchange
from interference.attacks.kinship import cka, gram
from interference.config.load import check_config
from interference.data.read import read_split
from interference.models.network import load_network
from interference.plan.specs import Specs
from interference.store.files import StoreError, read_json, sha256, write_json
from interference.store.tables import read_columns
from interference.store.tensors import write_tensors
from tests.benchmarks.extraction import write_images, write_network
from tests.support import REPO

IMAGES, ASKED, EPSILON = 7, 6, 0.5
NAMES, LAYERS = ("a", "b", "c"), ["stem", "layer2"]
SPEC = {"models": [{"model": name} for name in NAMES], "attack": "pgd", "epsilon": EPSILON,
        "images": ASKED, "layers": LAYERS}  # fmt: skip


def other_network(manifest, change):
    """A network of the same build whose weights are another one's, changed."""
    network = write_network(manifest)
    with torch.no_grad():
        for weights in network.parameters():
            weights.add_(change * torch.randn(weights.shape) * weights.std().nan_to_num())
    weights = manifest.with_suffix(".safetensors")
    write_tensors(weights, {k: v.numpy() for k, v in network.state_dict().items()}, {})
    write_json(manifest, {**read_json(manifest), "sha256": sha256(weights)})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Manifests of images, networks and attacks: a and b are equal, c is another network."""
    folder = tmp_path_factory.mktemp("made")
    data = folder / "images.json"
    write_images(data, IMAGES, 32)
    models, attacks = ([folder / f"{kind}-{n}.json" for n in NAMES] for kind in ("model", "pgd"))
    for name, model, attack in zip(NAMES, models, attacks):
        other_network(model, 0.5 if name == "c" else 0.0)
        write_json(model, {**read_json(model), "spec": {"model": {"model": name}}})
        method = {"type": "fgsm", "norm": "l2", "epsilons": [0.25, EPSILON]}
        spec = {"model": {"model": name}, "attack": "pgd", "method": method, "source": None}
        craft.run({**spec, "classes": 2, "images": IMAGES, "seed": 0}, data, model, attack)
    return data, models, attacks


@pytest.fixture(scope="module")
def written(made, tmp_path_factory):
    output = tmp_path_factory.mktemp("run") / "exchange.parquet"
    exchange.run(SPEC, *made, output)
    return read_columns(output), read_columns(output.with_suffix(".similarity.parquet"))


def test_every_network_says_what_it_takes_every_attack_s_images_for(made, written):
    _, models, attacks = made
    passes, _ = written
    assert len(passes["image"]) == len(NAMES) ** 2 * ASKED
    for source, attack in zip(NAMES, attacks):
        store = craft.open_array(attack.with_suffix(".zarr"), read_json(attack)["array"])
        shown = torch.from_numpy(store[IMAGES : IMAGES + ASKED])
        for target, model in zip(NAMES, models):
            rows = (passes["source"] == source) & (passes["target"] == target)
            expected = load_network(model)(shown).argmax(1)
            assert passes["prediction"][rows].tolist() == expected.tolist()
            assert passes["image"][rows].tolist() == list(range(ASKED))


def test_equal_networks_are_alike_and_others_are_as_their_activations(made, written):
    data, models, _ = made
    _, similarity = written
    found = {
        (one, other, layer): value
        for one, other, layer, value in zip(
            *(similarity[n] for n in ("one", "other", "layer", "cka"))
        )
    }
    x = torch.from_numpy(read_split(data, "evaluation", ASKED).pixels[:]).float() / 255
    a, c = (load_network(models[i]) for i in (0, 2))
    assert set(found) == {
        (o, t, n) for o, t in (("b", "a"), ("c", "a"), ("c", "b")) for n in LAYERS
    }
    for layer in LAYERS:
        with torch.no_grad():
            expected = cka(gram(c.activations(x, layer)), gram(a.activations(x, layer)))
        assert found["b", "a", layer] == pytest.approx(1)
        assert found["c", "a", layer] == pytest.approx(expected, abs=1e-6)
        assert found["c", "a", layer] < 0.999


def test_networks_in_another_order_are_refused(made, tmp_path):
    data, models, attacks = made
    with pytest.raises(StoreError, match="the job is about"):
        exchange.run(SPEC, data, models[::-1], attacks, tmp_path / "out.parquet")
    with pytest.raises(StoreError, match="found 3 networks and 2 attacks, not 3"):
        exchange.run(SPEC, data, models, attacks[:2], tmp_path / "out.parquet")


def test_its_spec_is_of_all_networks_and_layers_and_the_headline_attack():
    text = (REPO / "tests/experiments/every.yaml").read_text(encoding="utf-8")
    spec = json.loads(Specs(check_config(yaml.safe_load(text))).exchange())
    assert [own["model"] for own in spec["models"]] == ["clean-s0", "l2-1-s0", "linf-0.1-s0"]
    assert (spec["attack"], spec["epsilon"], spec["images"]) == ("pgd", 0.5, 8)
    assert spec["layers"] == ["stem", "layer2"]
