"""The step mount: bottlenecks on a frozen network, taught on what it says, attacked through it."""

import numpy as np
import pytest
import torch

from interference.canvas import mount
from interference.canvas.compose import Composer
from interference.canvas.family import Pool
from interference.canvas.flip import REGIONS, certificates
from interference.canvas.pairs import choose, flips, right
from interference.canvas.thresholds import evidence
from interference.models.network import Network
from interference.store.files import sha256, write_json
from interference.store.tables import read_columns
from interference.store.tensors import write_tensors
from tests.support.canvases import family_spec, member

pytestmark = pytest.mark.xdist_group("mount")

MODEL = {"model": "l2-1-s3", "model_architecture": "resnet18", "model_norm": "l2",
         "model_epsilon": 1.0, "model_seed": 3}  # fmt: skip
MEMBERS = [member(f"m{m}", cells=4, dimensions=m, frozen=True) for m in (4, 2)]
BUILD = {"architecture": "resnet18", "stem": "strided", "channels": 1, "classes": 4,
         "mean": [0.4], "std": [0.2], "width": 4}  # fmt: skip


def spec_of(detectors: int) -> dict:
    return family_spec(
        MEMBERS,
        model=MODEL,
        family="mounted",
        seed=3,
        halved=False,
        regime={"name": "dense", "classes": 4, "density": 0.2, "detectors": detectors, "hidden": 0},
        flips={"pairs": 16, "steps": 12, "starts": 1},
    )


SPEC = spec_of(0)


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(0)
    made = Network(**BUILD)
    with torch.no_grad():  # statistics of BatchNorm that are not those of a fresh network
        made.train()(torch.rand(8, 1, 16, 16))
    return made.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def manifest(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("mount") / "model.json"
    weights = path.with_suffix(".safetensors")
    write_tensors(weights, {k: v.numpy() for k, v in network.state_dict().items()}, {})
    write_json(path, {"spec": {}, "build": BUILD, "sha256": sha256(weights)})
    return path


@pytest.fixture(scope="module")
def tables(small_images, manifest):
    output = manifest.with_name("l2-1-s3-dense.flips.parquet")
    mount.run(SPEC, small_images, manifest, output)
    return {name: read_columns(manifest.with_name(f"l2-1-s3-dense.{name}.parquet"))
            for name in ("flips", "features")}  # fmt: skip


@pytest.fixture(scope="module", params=[0, 3], ids=["bare", "detectors"])
def one(request, small_images, network):
    """A bottleneck, with the pools that it was taught on and is attacked on."""
    spec = spec_of(request.param)
    pools = {split: Pool(small_images, split, spec) for split in ("train", "heldout", "evaluation")}
    trunk = mount.Mounted(network, 2.0)
    said = {
        split: pool.showing(mount.told(trunk, pool.images)[:, :, None, None])
        for split, pool in pools.items()
    }
    return (
        mount.mounted(MEMBERS[1], spec, trunk, mount.teach(spec, said["train"]), said),
        pools["evaluation"],
        said["evaluation"],
    )


def test_what_a_network_says_is_what_its_own_classifier_reads(network):
    """The classifier's last layer on it gives the logits of the whole network."""
    x = torch.rand(5, 1, 16, 16)
    said = mount.Mounted(network, 0.5)(x)
    assert said.shape == (5, 32)
    torch.testing.assert_close(network.body.fc(said * 0.5), network(x))


def test_evidence_of_canvases_is_that_of_their_images_one_by_one(one):
    """Through the network on canvases, and through what it said of single images beforehand."""
    on_canvases, images, said = one
    through = evidence(on_canvases.network, images.composer(4), 7, 20)
    trunk, on_canvases.network.trunk = on_canvases.network.trunk, mount.Given()
    beforehand = evidence(on_canvases.network, said.composer(4), 7, 20)
    on_canvases.network.trunk = trunk
    assert torch.equal(through.labels, beforehand.labels)
    for name in ("on", "off"):
        torch.testing.assert_close(
            getattr(through, name), getattr(beforehand, name), rtol=1e-4, atol=1e-5
        )


def test_every_flip_is_one_on_whole_canvases_through_the_network(one):
    on_canvases, images, _ = one
    chosen = choose(images.composer(4), 5, 16, 4)
    before = right(on_canvases, chosen, chosen.images)
    for region in REGIONS:
        found = flips(on_canvases, chosen, region, SPEC["flips"], 3)
        flipped = found.radius.isfinite()
        after = right(on_canvases, chosen, found.images)
        assert (after != before)[flipped].all()
        assert found.images.min() >= 0
        assert found.images.max() <= 1
        assert flipped.sum() >= 4, region  # so that the lines above say something
        if region == "own":
            changed = (found.images != chosen.images).flatten(2).any(2)
            assert not changed[torch.arange(4) != chosen.feature[:, None]].any()


def test_only_the_bottleneck_and_the_decoder_are_taught(one, network):
    trained = {
        name for name, _ in one[0].network.named_parameters() if not name.startswith("trunk")
    }
    assert trained >= {"A", "W", "b"}
    torch.manual_seed(0)
    fresh = Network(**BUILD)
    with torch.no_grad():
        fresh.train()(torch.rand(8, 1, 16, 16))
    for (name, kept), made in zip(network.state_dict().items(), fresh.state_dict().values()):
        assert torch.equal(kept, made), name


def test_a_mounted_network_has_no_certificate(one):
    on_canvases, images, _ = one
    bounds = certificates(on_canvases, choose(images.composer(4), 5, 16, 4))
    assert all(bound.isnan().all() for bound in bounds.values())


def test_rows_name_the_network_and_every_region_of_every_dose(tables):
    found, features = tables["flips"], tables["features"]
    assert len(found["radius"]) == len(MEMBERS) * len(REGIONS) * 16
    assert len(features["feature"]) == len(MEMBERS) * 4
    for rows in (found, features):
        assert {name: np.unique(rows[name]).tolist() for name in MODEL} == {
            name: [value] for name, value in MODEL.items()
        }
        assert set(rows["dose"]) == {1.0, 2.0}
        assert set(rows["family"]) == {"mounted"}
        assert set(rows["seed"]) == {3}


def test_a_run_has_the_same_bytes_again(small_images, manifest, tables, tmp_path):
    output = tmp_path / "again.flips.parquet"
    mount.run(SPEC, small_images, manifest, output)
    first = manifest.with_name("l2-1-s3-dense.flips.parquet")
    assert output.read_bytes() == first.read_bytes()


def test_cells_are_composed_of_the_pool_s_own_labels(small_images):
    pool = Pool(small_images, "train", SPEC)
    other = pool.showing(torch.zeros(40, 3, 1, 1))
    assert isinstance(other.composer(4), Composer)
    assert torch.equal(other.labels, pool.labels)
    assert pool.images.shape == (40, 1, 16, 16)
