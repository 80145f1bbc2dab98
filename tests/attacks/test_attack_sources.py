"""The job of a control that is made of another job's images: whose it takes, and what it refuses."""

import json

import numpy as np
import pytest
import zarr

from interference import compute
from interference.attacks.craft import AttackError, run
from interference.attacks.methods.shuffled import partners
from interference.store.files import StoreError
from tests.benchmarks.extraction import write_images, write_network

pytestmark = pytest.mark.xdist_group("sources")

IMAGES, EPSILONS = 5, [0.5, 1.0]
FGSM = {"type": "fgsm", "norm": "l2", "epsilons": EPSILONS}


def spec(attack, method, source=None, **other):
    fields = {"model": {"model": "m"}, "attack": attack, "method": method, "source": source}
    return {**fields, "classes": 2, "images": IMAGES, "seed": 7, **other}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Manifests of images, of a network, and of an attack on it."""
    folder = tmp_path_factory.mktemp("made")
    data, model, attack = (folder / f"{name}.json" for name in ("images", "m", "fgsm"))
    write_images(data, IMAGES, 32)
    write_network(model)
    run(spec("fgsm", FGSM), data, model, attack)
    return data, model, attack


def stored(manifest):
    array = zarr.open_array(manifest.with_suffix(".zarr"), mode="r")[:]
    return array.reshape(-1, IMAGES, *array.shape[1:])


def control(made, tmp_path, kind, epsilons=(1.0,), attack="fgsm", **other):
    data, model, source = made
    method = {"type": kind, "norm": "l2", "epsilons": list(epsilons)}
    output = tmp_path / f"{kind}.json"
    whose = {"model": "m", "attack": attack}
    run(spec(kind, method, whose, **other), data, model, output, [source])
    return stored(output), stored(source)


def test_transferred_images_are_those_of_the_same_epsilon(made, tmp_path):
    found, source = control(made, tmp_path, "transferred", epsilons=[1.0, 0.5])
    np.testing.assert_array_equal(found, source[::-1])


def test_each_image_gets_its_partners_perturbation_at_the_norm_that_it_had(made, tmp_path):
    found, source = control(made, tmp_path, "shuffled")
    first = zarr.open_array(made[0].with_suffix(".zarr"), mode="r")[:IMAGES]
    clean = first.astype(np.float32) / np.float32(255)
    rows = partners(IMAGES, compute.generator(7)).numpy()
    own = (source[1] - clean)[rows].reshape(IMAGES, -1)
    delta = (found[0] - clean).reshape(IMAGES, -1)
    np.testing.assert_allclose(
        np.linalg.norm(delta, axis=1), np.linalg.norm(own, axis=1), rtol=1e-4
    )
    cosines = (own * delta).sum(1) / np.linalg.norm(own, axis=1) / np.linalg.norm(delta, axis=1)
    assert cosines.min() > 0.9  # but for what is clamped


@pytest.mark.parametrize("wrong", [{"attack": "pgd"}, {"images": IMAGES - 1}])
def test_images_of_another_attack_or_number_are_refused(wrong, made, tmp_path):
    with pytest.raises(StoreError, match=r"fgsm.json is of .* the job is about"):
        control(made, tmp_path, "shuffled", **wrong)


def test_more_classes_than_the_data_has_are_refused_before_anything_is_written(made, tmp_path):
    data, model, _ = made
    assert json.loads(data.read_text())["classes"] == 1000
    with pytest.raises(
        AttackError, match=r"attacks\.methods\.worst needs 1001 classes, the data has"
    ):
        run(spec("worst", FGSM, classes=1001), data, model, tmp_path / "worst.json")
    assert not list(tmp_path.iterdir())
