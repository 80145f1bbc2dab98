"""A family is taught on one trunk, each member as its settings say, and read back as it was."""

import json

import pytest
import torch

from interference.canvas import learn
from interference.canvas.family import Pool, read_family
from interference.canvas.measures import directions
from interference.canvas.streams import ACCURACY, THRESHOLDS, canvases
from interference.canvas.thresholds import accuracy, balanced, equal_error, evidence
from interference.store.files import StoreError
from tests.support.canvases import family_spec, member

pytestmark = pytest.mark.xdist_group("family")

BLOCKS = {"of": [0, 1, 0, 1, 0, 1], "dimensions": [3, 1]}
MEMBERS = [
    member("plain", cells=6, dimensions=3),
    member("frozen", cells=6, dimensions=3, frozen=True),
    member("orthonormal", cells=6, dimensions=3, orthonormal=True),
    member("two", cells=6, dimensions=3, read=2),
    member("blocks", cells=6, dimensions=4, blocks=BLOCKS),
    member("correlated", cells=6, dimensions=3, correlated=True),
    member("more", cells=9, dimensions=3),
    member("refitted", cells=6, dimensions=3, shuffled=False),
    member("shuffled", cells=6, dimensions=3, shuffled=True),
]


@pytest.fixture(scope="module")
def taught(small_images, tmp_path_factory):
    path = tmp_path_factory.mktemp("family") / "family.json"
    learn.run(family_spec(MEMBERS), small_images, path)
    return path


@pytest.fixture(scope="module")
def members(taught):
    return {one.name: one for one in read_family(taught)[0]}


def test_a_member_hangs_on_no_other(taught, small_images, members, tmp_path):
    learn.run(family_spec(MEMBERS[1:2]), small_images, tmp_path / "one.json")
    ((alone,), _) = read_family(tmp_path / "one.json")
    known = members["frozen"].network.state_dict()
    assert all(
        torch.equal(known[name], value) for name, value in alone.network.state_dict().items()
    )


def test_only_a_frozen_trunk_is_the_taught_one(small_images, members):
    spec = family_spec(MEMBERS)
    trunk = learn.teach(spec, Pool(small_images, "train", spec)).trunk.state_dict()
    for name, one in members.items():
        own = one.network.trunk.state_dict()
        same = all(torch.equal(own[key], value) for key, value in trunk.items())
        assert same == (name == "frozen"), name


def test_an_orthonormal_bottleneck_is_one(members):
    for name, one in members.items():
        A = one.network.A.flatten(0, 1).double()
        far = (A.T @ A - torch.eye(A.shape[1])).abs().max()
        assert (far < 1e-4) == (name == "orthonormal"), name


def test_shuffled_cells_keep_their_evidence_and_spectra_and_lose_their_layout(members):
    plain, shuffled = (members[name].network for name in ("plain", "shuffled"))
    kept, turned = plain.state_dict(), shuffled.state_dict()
    same = {name for name in kept if torch.equal(kept[name], turned[name])}
    assert same == {name for name in kept if name.startswith("trunk")}
    A, B = plain.A.double(), shuffled.A.double()
    inner = [each @ each.mT for each in (A, B)]
    torch.testing.assert_close(*inner, rtol=1e-4, atol=1e-6)  # within each cell
    layouts = [each.flatten(0, 1) @ each.flatten(0, 1).T for each in (A, B)]
    assert (layouts[0] - layouts[1]).norm() > 0.3 * layouts[0].norm()


def test_shuffled_directions_of_features_keep_norms_and_spectrum(members, small_images):
    composer = Pool(small_images, "train", family_spec(MEMBERS)).composer(6)
    seed = learn.canvases(0, learn.SHUFFLED)
    V, shuffled = (
        directions(evidence(members[name].network, composer, seed, learn.CANVASES))
        for name in ("plain", "shuffled")
    )
    torch.testing.assert_close(shuffled.norm(dim=1), V.norm(dim=1), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        torch.linalg.svdvals(shuffled), torch.linalg.svdvals(V), rtol=1e-3, atol=1e-4
    )


def test_a_decoder_is_taught_anew_on_a_network_that_stays(members):
    plain, refitted = (members[name].network.state_dict() for name in ("plain", "refitted"))
    moved = {name for name in plain if not torch.equal(plain[name], refitted[name])}
    assert moved == {"W", "b"}


def test_features_that_are_not_read_are_not_learned(members):
    untaught = learn.built(MEMBERS[3], learn_build(members), learn.generator(0, learn.INIT, 6, 3))
    W = members["two"].network.W
    assert torch.equal(W[2:], untaught.W[2:])
    assert (W[:2] != untaught.W[:2]).all()


def learn_build(members):
    shape = members["plain"].network.shape
    return {
        name: getattr(shape, name)
        for name in ("channels", "side", "features", "detectors", "hidden")
    }


def test_radius_and_cells_of_the_attack_and_labels_change_what_is_learned(
    small_images, members, tmp_path
):
    ladder = [
        member("clean", cells=6, dimensions=3),
        member("all", cells=6, dimensions=3, attacked="all", epsilon=1.0),
        member("own", cells=6, dimensions=3, attacked="own", epsilon=1.0),
        member("others", cells=6, dimensions=3, attacked="others", epsilon=1.0),
        member("nothing", cells=6, dimensions=3, attacked="others", epsilon=0.0),
    ]
    learn.run(family_spec(ladder, adversarial={"steps": 2}), small_images, tmp_path / "ladder.json")
    taught = {one.name: one.network.W for one in read_family(tmp_path / "ladder.json")[0]}
    assert torch.equal(taught.pop("nothing"), taught["clean"])
    taught |= {name: members[name].network.W for name in ("plain", "correlated")}
    assert len({W.numpy().tobytes() for W in taught.values()}) == 6


def test_doses_are_features_per_dimension_of_a_block(members):
    assert members["plain"].doses().tolist() == [2.0] * 6
    assert members["blocks"].doses().tolist() == [1.0, 3.0] * 3


def test_thresholds_are_of_held_out_canvases_and_accuracies_of_evaluation_canvases(
    taught, small_images, members
):
    spec, one = json.loads(taught.read_text())["spec"], members["plain"]

    def logits(split, purpose):
        make = Pool(small_images, split, spec).composer(6)
        seen = evidence(one.network, make, canvases(0, purpose), learn.CANVASES)
        return balanced(one.network, seen)

    torch.testing.assert_close(one.thresholds, equal_error(logits("heldout", THRESHOLDS)))
    known = accuracy(logits("evaluation", ACCURACY), one.thresholds)
    torch.testing.assert_close(one.accuracy, known)


def test_the_manifest_has_the_accuracy_of_every_feature_that_is_read(taught, members):
    manifest = json.loads(taught.read_text())
    assert len(manifest["accuracy"]["two"]) == 2
    assert manifest["accuracy"]["plain"] == pytest.approx(members["plain"].accuracy.tolist())
    assert manifest["trunk_accuracy"] >= 0.8


def test_other_weights_than_the_manifests_are_refused(taught, tmp_path):
    for suffix in (".json", ".safetensors"):
        (tmp_path / f"family{suffix}").write_bytes(taught.with_suffix(suffix).read_bytes())
    weights = bytearray((tmp_path / "family.safetensors").read_bytes())
    weights[-1] ^= 1
    (tmp_path / "family.safetensors").write_bytes(weights)
    with pytest.raises(StoreError, match="is not what"):
        read_family(tmp_path / "family.json")
