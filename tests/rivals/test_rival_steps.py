"""The steps on small images: what they write, that it is the same twice, and hand-made networks."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from interference.compute import generator
from interference.config.rivals import Bottlenecks, members
from interference.rivals import aim, classify, count
from interference.rivals.classifiers import read_classifiers
from interference.rivals.count import start as mlps
from interference.rivals.descent import Attack, attacked
from interference.rivals.geometry import cosines, forced, similarity
from interference.rivals.tied import trained
from interference.saes.metrics import effective_features
from interference.store.files import StoreError
from interference.store.tables import read_columns

pytestmark = pytest.mark.xdist_group("rivals")

TRAINING = {"steps": 60, "batch_size": 16, "learning_rate": 0.01}
BOTTLENECKS = Bottlenecks.model_validate({
    "classes": 4, "hidden": 6, "widths": [2, 3], "frames": 2, "epsilons": [0.5], "steps": 1,
    "attack": {"epsilon": 1.0, "steps": 3, "images": 8},
})  # fmt: skip
CLASSIFY = {
    "classes": 4,
    "hidden": 6,
    "steps": 1,
    "members": members(BOTTLENECKS),
    "training": TRAINING,
}
AIM = {"classes": 4, "attack": BOTTLENECKS.attack.model_dump(), "seed": 0}
COUNT = {
    "classes": [2, 4], "widths": [4, 6], "epsilons": [0.1], "steps": 1, "rows": 30, "seed": 0,
    "sae": {"expansion_factor": 2, "l1": 0.1, "steps": 20, "batch_size": 8, "learning_rate": 0.01},
    "training": TRAINING,
}  # fmt: skip


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def classifiers(small_images, tmp_path_factory):
    folder = tmp_path_factory.mktemp("classifiers")
    for seed in (0, 1):
        classify.run({**CLASSIFY, "seed": seed}, small_images, folder / f"s{seed}.json")
    return [folder / f"s{seed}.json" for seed in (0, 1)]


@pytest.fixture(scope="module")
def aims(small_images, classifiers, tmp_path_factory):
    output = tmp_path_factory.mktemp("aims") / "aims.parquet"
    aim.run(AIM, small_images, classifiers, output)
    return output


def test_classifiers_are_read_back_with_forced_class_vectors_as_they_were(classifiers):
    stack, known = read_classifiers(classifiers[1])
    assert [member["name"] for member in known] == [own["name"] for own in CLASSIFY["members"]]
    for member, W, A in zip(known, stack.W, stack.A):
        assert W[:, member["width"]:].abs().sum() == A[:, member["width"]:].abs().sum() == 0  # fmt: skip
        if member["kind"] == "forced":
            frame = forced(4, member["width"], member["frame"], 1)
            assert torch.equal(W[:, : member["width"]], frame)


def test_seeds_share_the_geometry_of_a_frame_and_not_what_they_learn(classifiers):
    (a, known), (b, _) = (read_classifiers(path) for path in classifiers)
    for row, member in enumerate(known):
        alike = similarity(cosines(a.W[row]), cosines(b.W[row]))
        if member["kind"] == "forced" and member["width"] < 3:
            assert alike == pytest.approx(1, abs=1e-5)
        elif member["kind"] == "learned":
            assert alike < 1 - 1e-5


def test_damaged_weights_are_an_error(classifiers, tmp_path):
    copy = tmp_path / "copy.json"
    copy.write_bytes(classifiers[0].read_bytes())
    weights = bytearray(classifiers[0].with_suffix(".safetensors").read_bytes())
    weights[-1] ^= 1
    copy.with_suffix(".safetensors").write_bytes(bytes(weights))
    with pytest.raises(StoreError):
        read_classifiers(copy)


def test_attacks_are_of_images_that_a_classifier_has_right_and_land_where_they_are_counted(aims):
    images, places = read_columns(aims), read_columns(aims.with_suffix(".landings.parquet"))
    own = {name: images[name] for name in aim.IDENTITY}
    network = [*zip(*own.values(), images["label"])]
    for row in range(len(places["label"])):
        key = (*(places[name][row] for name in aim.IDENTITY), places["label"][row])
        here = np.array([name == key for name in network])
        assert places["attacked"][row] == here.sum()
        assert places["landed"][row] == (images["landed"][here] == places["other"][row]).sum()


def test_attacks_pass_between_seeds_alone_and_no_share_is_of_no_image(aims):
    passes = read_columns(aims.with_suffix(".passes.parquet"))
    assert (passes["seed"] != passes["target_seed"]).all()
    assert (
        len(passes["seed"]) == 2 * 2 * 2 * 3 * 3
    )  # seeds, widths, epsilons, geometries, of targets
    counted = passes["images"] > 0
    for name in ("success", "noise"):
        assert (np.isfinite(passes[name]) == counted).all()


def test_attacks_pass_whole_to_the_same_network_and_geometry_says_so(classifiers):
    stack, known = read_classifiers(classifiers[0])
    learned = [
        row for row, own in enumerate(known) if own["kind"] == "learned" and not own["epsilon"]
    ]
    twin = stack[[learned[0], learned[0]]]
    x = torch.rand(40, 256, generator=generator(1))
    answers = twin.alike(x).argmax(2)
    labels = answers[0, :20]
    both = x[:20].expand(2, 20, 256), labels.expand(2, 20)
    changed = attacked(twin, *both, Attack("l2", 2.0, 5), keep_best=True)
    pair = [{**known[learned[0]], "seed": seed} for seed in (0, 1)]
    shown = torch.stack([changed, aim.noisy(x[:20], changed, 0)])
    rows = [*aim.passes(pair, cosines(twin.W), answers, labels, shown, twin)]
    fell = float((twin(changed)[0].argmax(1) != labels).double().mean())
    for row in rows:
        named = dict(zip((*aim.IDENTITY, *aim.TABLES[".passes.parquet"]), row))
        assert named["success"] == pytest.approx(fell)
        assert named["similarity"] == pytest.approx(1)
        assert named["agreement"] == 1
        assert named["images"] == 20
        assert named["noise"] <= named["success"]


def test_noise_is_as_long_as_the_attack_and_the_same_direction_for_all():
    x = torch.rand(6, 30, generator=generator(2)) / 2 + 0.25
    changed = torch.stack([(x + step).clamp(0, 1) for step in (0.01, 0.02)])
    noise = aim.noisy(x, changed, 3)
    torch.testing.assert_close(
        (noise - x).norm(dim=2), (changed - x).norm(dim=2), atol=1e-4, rtol=0
    )
    unit = [(own - x) / (own - x).norm(dim=1, keepdim=True) for own in noise]
    torch.testing.assert_close(unit[0], unit[1], atol=1e-4, rtol=0)


def test_the_same_spec_gives_the_same_bytes(small_images, classifiers, aims, tmp_path):
    classify.run({**CLASSIFY, "seed": 1}, small_images, tmp_path / "s1.json")
    aim.run(AIM, small_images, classifiers, tmp_path / "aims.parquet")
    for seed in (0, 1):
        count.run(COUNT, small_images, tmp_path / f"counts{seed}.parquet")
    for suffix in (".json", ".safetensors"):
        assert digest(tmp_path / f"s1{suffix}") == digest(classifiers[1].with_suffix(suffix))
    for suffix in aim.TABLES:
        assert digest((tmp_path / "a").with_name("aims" + suffix)) == digest(
            aims.with_suffix(suffix)
        )
    assert digest(tmp_path / "counts0.parquet") == digest(tmp_path / "counts1.parquet")


def test_counts_are_of_clean_images_and_of_those_attacked_at_the_own_epsilon(
    small_images, tmp_path
):
    count.run(COUNT, small_images, tmp_path / "counts.parquet")
    found = read_columns(tmp_path / "counts.parquet")
    key = [*zip(*(found[name].tolist() for name in ("classes", "width", "epsilon", "images")))]
    expected = {(c, w, e, i) for c in (2, 4) for w in (4, 6)
                for e, i in ((0.0, "clean"), (0.1, "clean"), (0.1, "attacked"))}  # fmt: skip
    assert len(key) == len(expected)
    assert set(key) == expected
    assert (found["features"] <= 2 * found["width"] * (1 + 1e-9)).all()
    assert (found["units"] <= found["width"] * (1 + 1e-9)).all()


def published(activations: np.ndarray) -> float:
    """exp(H) as the public code of Bereska et al. has it: with 1e-10 on every share (arXiv 2512.13568)."""
    share = np.abs(activations).mean(0)
    share = share / share.sum() + 1e-10
    share = share / share.sum()
    return float(np.exp(-(share * np.log(share)).sum()))


def test_effective_features_are_the_source_s():
    rng = np.random.default_rng(0)
    for latents in (8, 32, 512):
        activations = np.maximum(
            rng.normal(-0.5, 1, (300, latents)) * rng.exponential(1, latents), 0
        )
        activations[:, rng.random(latents) < 0.3] = 0  # latents that never fire
        known = published(activations)
        assert effective_features(activations.mean(0)) == pytest.approx(known, rel=1e-6)


@pytest.mark.parametrize("used", [1, 3, 8])
def test_equal_latents_count_as_many_as_there_are(used):
    assert effective_features(np.repeat([0.7, 0.0], [used, 20 - used])) == pytest.approx(used)


def test_the_sae_counts_planted_features_unless_its_penalty_is_too_small():
    """Six features of equal use in four dimensions, one at a time; a small penalty splits them."""
    draw = generator(4)
    directions = torch.linalg.qr(torch.randn(4, 4, generator=draw))[0]
    planted = torch.cat([directions, -directions[:2]])
    which = torch.randint(6, (2000,), generator=draw)
    rows = 3 * planted[which] * (1 + 0.1 * torch.rand(2000, 1, generator=draw))
    counted = {}
    for l1 in (0.1, 0.5):
        settings = {
            **COUNT["sae"],
            "expansion_factor": 4,
            "l1": l1,
            "steps": 1500,
            "batch_size": 64,
        }
        sae = trained(rows[None], settings, generator(5))
        f = sae.encode(rows[None])
        assert (sae.decode(f) - rows).square().sum() < 0.01 * rows.square().sum()
        counted[l1] = effective_features(f[0].double().mean(0).numpy())
    assert counted[0.5] == pytest.approx(6, rel=0.03)
    assert counted[0.1] > 9


def test_saes_of_a_stack_are_those_of_each_network_alone():
    x = torch.rand(2, 50, 4, generator=generator(6))
    together = trained(x, COUNT["sae"], generator(7))
    for row in range(2):
        alone = trained(x[[row]], COUNT["sae"], generator(7))
        torch.testing.assert_close(together.E[row], alone.E[0], atol=1e-5, rtol=1e-4)


def test_mlps_of_a_stack_start_alike_but_for_their_classes():
    stack = mlps(5, {"classes": [2, 4], "seed": 3}, 9)
    assert torch.equal(stack.U[0], stack.U[1])
    assert stack.alike(torch.rand(3, 9))[0].isinf().sum() == 3 * 2
