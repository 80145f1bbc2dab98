"""The step that asks whether perturbations look like noise: what it writes, beside the networks' own."""

import json

import pytest
import torch
import yaml

from interference.attacks import craft, structure
from interference.attacks.draws import Draws
from interference.attacks.spectrum import centroid, coherence
from interference.attacks.victim import Victim
from interference.config.load import check_config
from interference.data.read import read_split
from interference.plan.specs import Specs
from interference.store.files import StoreError, read_json, write_json
from interference.store.tables import read_columns
from tests.benchmarks.extraction import write_images, write_network
from tests.support import REPO

IMAGES, ASKED, EPSILON = 5, 4, 0.5
MODEL = {"model": "m"}
SPEC = {
    "model": MODEL,
    "attack": "pgd",
    "epsilon": EPSILON,
    "norm": "l2",
    "seed": 0,
    "images": ASKED,
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Manifests of images, network and attack; the network; clean and attacked images."""
    folder = tmp_path_factory.mktemp("made")
    data, model, attack = (folder / f"{name}.json" for name in ("images", "m", "pgd"))
    write_images(data, IMAGES, 32)
    network = write_network(model)
    write_json(model, {**read_json(model), "spec": {"model": MODEL}})
    method = {"type": "fgsm", "norm": "l2", "epsilons": [0.25, EPSILON]}
    spec = {"model": MODEL, "attack": "pgd", "method": method, "classes": 2, "source": None}
    craft.run({**spec, "images": IMAGES, "seed": 0}, data, model, attack)
    x = torch.from_numpy(read_split(data, "evaluation").pixels[:]).float() / 255
    found = craft.open_array(attack.with_suffix(".zarr"), read_json(attack)["array"])
    return data, model, attack, network, x, torch.from_numpy(found[IMAGES:])


@pytest.fixture(scope="module")
def columns(made, tmp_path_factory):
    output = tmp_path_factory.mktemp("run") / "structure.parquet"
    structure.run(SPEC, *made[:3], output)
    return read_columns(output)


def of(columns, kind, measure):
    return columns[measure][columns["kind"] == kind]


def test_it_has_a_row_per_kind_and_image_that_is_asked_for(columns):
    for kind in structure.KINDS:
        assert of(columns, kind, "image").tolist() == list(range(ASKED))
    assert len(columns["kind"]) == ASKED * len(structure.KINDS)


def test_perturbations_are_those_of_the_attack_at_the_epsilon_of_the_spec(made, columns):
    *_, x, attacked = made
    delta = (attacked - x)[:ASKED]
    assert of(columns, "perturbation", "centroid").tolist() == pytest.approx(
        centroid(delta).tolist()
    )
    assert of(columns, "perturbation", "coherence").tolist() == pytest.approx(
        coherence(delta).tolist()
    )


def test_a_step_along_the_gradient_is_what_one_step_of_an_attack_takes(made):
    """Where nothing is clamped, a perturbation along the gradient is that step."""
    *_, network, x, _ = made
    victim, shrunk = Victim(network, torch.zeros(IMAGES, dtype=torch.int64)), 0.25 + x / 2
    draws = Draws.of(0, EPSILON, range(IMAGES), torch.device("cpu"))
    gradient = structure.ascent(victim, shrunk)
    moved = shrunk + 0.1 * gradient / gradient.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    found = dict(structure.beside(victim, shrunk, moved, draws, "l2"))
    torch.testing.assert_close(found["step"], found["perturbation"], rtol=1e-3, atol=1e-6)
    assert torch.equal(found["gradient"], gradient)
    assert not torch.allclose(found["noise"], found["step"], atol=1e-3)


@pytest.mark.parametrize(("norm", "order"), [("l2", 2), ("linf", torch.inf)])
def test_noise_and_step_have_each_perturbation_s_own_norm_in_the_box(norm, order, made):
    *_, network, x, attacked = made
    victim = Victim(network, torch.zeros(IMAGES, dtype=torch.int64))
    draws = Draws.of(0, EPSILON, range(IMAGES), torch.device("cpu"))
    found = dict(structure.beside(victim, x, attacked, draws, norm))
    lengths = found["perturbation"].flatten(1).norm(order, dim=1).tolist()
    for kind in ("noise", "step"):
        assert found[kind].flatten(1).norm(order, dim=1).tolist() == pytest.approx(
            lengths, rel=1e-4
        )
        assert ((x + found[kind]).clamp(-1e-7, 1 + 1e-7) == x + found[kind]).all()


def test_an_attack_on_another_network_is_refused(made, tmp_path):
    other = {**SPEC, "model": {"model": "n"}}
    with pytest.raises(StoreError, match="the job is about"):
        structure.run(other, *made[:3], tmp_path / "out.parquet")


def test_its_spec_is_of_the_headline_attack_at_the_epsilon_of_claims():
    text = (REPO / "tests/experiments/every.yaml").read_text(encoding="utf-8")
    spec = json.loads(Specs(check_config(yaml.safe_load(text))).structure("l2-1-s0"))
    assert (spec["attack"], spec["norm"], spec["epsilon"], spec["images"]) == ("pgd", "l2", 0.5, 8)
    assert spec["model"]["model"] == "l2-1-s0"
