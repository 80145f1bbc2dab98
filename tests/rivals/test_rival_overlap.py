"""Dictionaries beside each other: cases made by hand; and the step on small images."""

from itertools import combinations, permutations

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from interference.attacks.kinship import cka, gram
from interference.compute import generator
from interference.data.read import read_split
from interference.rivals import count, overlap
from interference.rivals.descent import Attack, attacked
from interference.rivals.dictionaries import interference, living, matched, matches, standardised
from interference.rivals.geometry import turn
from interference.rivals.mlps import Mlp, read_mlps, write_mlps
from interference.rivals.tied import Tied
from interference.store.files import StoreError
from interference.store.tables import read_columns
from interference.store.tensors import write_tensors
from tests.rivals.test_rival_steps import COUNT

pytestmark = pytest.mark.xdist_group("rivals")

OVERLAP = {"classes": 4, "attack": {"epsilon": 0.1, "steps": 3, "images": 8}, "seed": 0}
IMAGES, UNITS, LATENTS = 2000, 16, 24


def layer(seed, kinds=LATENTS):
    """Hidden units and a dictionary of sparse features, as many of them as there are images: h (n, H), E (H, K)."""
    draw = generator(seed)
    E = normalize(torch.randn(UNITS, kinds, generator=draw), dim=0)
    f = torch.rand(IMAGES, kinds, generator=draw) * (
        torch.rand(IMAGES, kinds, generator=draw) < 0.1
    )
    return f @ E.mT, E


def compared(h, E, g, F):
    """matched and interference of two dictionaries: matched on the first half of the images, looked at on
    the second."""
    half = IMAGES // 2
    a, b = ((x @ D - 0.3).relu() for x, D in ((h, E), (g, F)))
    own, other = living(a[:half]), living(b[:half])
    rows, columns = matches(standardised(a[:half, own]), standardised(b[:half, other]))
    on_others = matched(
        standardised(a[half:, own])[:, rows], standardised(b[half:, other])[:, columns]
    )
    return on_others, interference(E[:, own][:, rows], F[:, other][:, columns])


def test_equal_dictionaries_overlap_wholly_also_permuted_and_of_rotated_units():
    h, E = layer(0)
    order, Q = torch.randperm(LATENTS, generator=generator(1)), turn(UNITS, generator(2))
    for g, F in ((h, E), (h, E[:, order]), (h @ Q, Q.mT @ E[:, order])):
        assert compared(h, E, g, F) == pytest.approx((1, 1), abs=1e-5)


def test_independent_dictionaries_overlap_in_nothing_though_matches_are_the_best_there_are():
    found = np.array([compared(*layer(2 * s), *layer(2 * s + 1)) for s in range(8)])
    assert np.abs(found.mean(0)).max() < 0.05
    a, b = (standardised(torch.rand(50, 20, generator=generator(s))) for s in (3, 4))
    rows, columns = matches(a, b)
    assert (
        matched(a[:, rows], b[:, columns]) > 0.2
    )  # which is why they are looked at on other images


def test_of_dictionaries_that_share_half_of_their_latents_half_correlate():
    h, E = layer(5)
    a = (h @ E - 0.3).relu()
    strange = (layer(6)[0] @ layer(6)[1] - 0.3).relu()
    b = torch.cat([a[:, : LATENTS // 2], strange[:, LATENTS // 2 :]], 1)
    half = IMAGES // 2
    rows, columns = matches(standardised(a[:half]), standardised(b[:half]))
    assert (columns[: LATENTS // 2] == torch.arange(LATENTS // 2)).all()
    shared = matched(standardised(a[half:])[:, rows], standardised(b[half:])[:, columns])
    assert shared == pytest.approx(0.5, abs=0.05)


def test_matches_are_the_best_of_all_and_leave_the_rest_of_the_larger_dictionary_out():
    a, b = (standardised(torch.randn(30, k, generator=generator(s))) for k, s in ((3, 0), (5, 1)))
    correlations = (a.mT @ b).numpy()
    rows, columns = matches(a, b)
    best = max(permutations(range(5), 3), key=lambda p: correlations[range(3), p].sum())
    assert (tuple(rows.tolist()), tuple(columns.tolist())) == ((0, 1, 2), best)


def test_interference_is_a_correlation_over_pairs_of_latents():
    E, F = (torch.randn(6, 5, generator=generator(s)) for s in (0, 1))
    expected = np.corrcoef([
        [float(torch.cosine_similarity(D[:, i], D[:, j], dim=0)) for i, j in combinations(range(5), 2)]
        for D in (E, F)
    ])[0, 1]  # fmt: skip
    assert interference(E, F) == pytest.approx(expected, abs=1e-6)
    assert interference(E, -2 * E) == pytest.approx(1)
    assert np.isnan(interference(E[:, :3], F[:, :3]))  # three pairs
    assert np.isnan(interference(torch.eye(5), F[:5]))  # orthogonal: no geometry to be alike


def test_a_latent_lives_if_a_hundredth_of_the_images_wakes_it_and_constant_ones_correlate_with_nothing():
    a = torch.zeros(200, 3)
    a[:2, 0] = a[:1, 1] = 1
    assert living(a).tolist() == [True, False, False]
    assert standardised(a)[:, 2].abs().sum() == 0


@pytest.fixture(scope="module")
def mlps(small_images, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mlps")
    for seed in (0, 1):
        count.run({**COUNT, "seed": seed}, small_images, folder / f"s{seed}.parquet")
    return [folder / f"s{seed}.mlps.json" for seed in (0, 1)]


@pytest.fixture(scope="module")
def table(small_images, mlps, tmp_path_factory):
    output = tmp_path_factory.mktemp("overlap") / "overlaps.parquet"
    overlap.run(OVERLAP, small_images, mlps, output)
    return output


def evaluation(small_images):
    found = read_split(small_images, "evaluation")
    return torch.from_numpy(found.pixels[:]).flatten(1).float() / 255, torch.from_numpy(
        found.labels
    )


def test_mlps_of_most_classes_are_kept_as_they_were_counted(small_images, mlps):
    kept = read_mlps(mlps[1])
    assert [(mlp.width, mlp.epsilon, mlp.seed) for mlp in kept] == [
        (width, epsilon, 1) for width in (4, 6) for epsilon in (0.0, 0.1)
    ]
    counted = read_columns(mlps[1].with_name("s1.parquet"))
    of_most = (counted["classes"] == 4) & (counted["images"] == "clean")
    x, labels = overlap.images(small_images, "evaluation", 4)
    pool = count.Pool(x, labels)
    for mlp, accuracy, l0 in zip(kept, counted["accuracy"][of_most], counted["l0"][of_most]):
        seen, own = count.rows(pool, mlp.network, COUNT["rows"], 1)
        units = mlp.network.hidden(seen)
        assert (mlp.network.read(units).argmax(2) == own).double().mean() == pytest.approx(accuracy)
        assert (mlp.sae.encode(units) > 0).sum(2).double().mean() == pytest.approx(l0)


def test_weights_that_are_not_the_manifest_s_are_an_error(mlps, tmp_path):
    write_mlps(tmp_path / "s.mlps.json", read_mlps(mlps[0]), COUNT)
    write_tensors(tmp_path / "s.mlps.safetensors", {"0.U": np.zeros(1)}, COUNT)
    with pytest.raises(StoreError, match=r"is not what s\.mlps\.json describes"):
        read_mlps(tmp_path / "s.mlps.json")


def test_every_pair_is_there_both_ways_and_counted_on_what_both_have_right(
    small_images, mlps, table
):
    found = read_columns(table)
    networks = {(mlp.width, mlp.epsilon, mlp.seed): mlp for path in mlps for mlp in read_mlps(path)}
    sides = [
        list(zip(*(found[f"{side}_{name}"].tolist() for name in overlap.IDENTITY)))
        for side in ("source", "target")
    ]
    assert list(zip(*sides)) == sorted(
        ((a, b) for a in networks for b in networks if a != b), key=lambda pair: (pair[1], pair[0])
    )
    every, labels = evaluation(small_images)
    x, y = every[:8], labels[:8]
    answers = {who: mlp.network.alike(every)[0].argmax(1) for who, mlp in networks.items()}
    noise = overlap.noisy(x, 0.1, generator(0, overlap.NOISE))
    attack = Attack("linf", 0.1, 3)
    changed = {
        who: attacked(mlp.network, x[None], y[None], attack, keep_best=True)[0]
        for who, mlp in networks.items()
    }
    likeness = {}
    for row, (a, b) in enumerate(zip(*sides)):
        right = {who: answers[who][:8] == y for who in (a, b)}
        both, target = right[a] & right[b], networks[b].network

        def fallen(images, kept, target=target):
            wrong = (target.alike(images)[0].argmax(1) != y)[kept]
            return float(wrong.double().mean()) if kept.any() else np.nan

        expected = {
            "agreement": float((answers[a] == answers[b]).double().mean()), "images": int(both.sum()),
            "success": fallen(changed[a], both), "own": fallen(changed[b], right[b]),
            "noise": fallen(noise, right[b]),
            "cka": cka(*(gram(networks[who].network.hidden(x[None])[0]) for who in (a, b))),
        }  # fmt: skip
        for name, value in expected.items():
            assert found[name][row] == pytest.approx(value, nan_ok=True, abs=1e-6), name
        values = [found[name][row] for name in ("cka", "matched", "interference", "latents")]
        assert likeness.setdefault(frozenset((a, b)), values) == pytest.approx(values, nan_ok=True)


def test_networks_that_are_equal_are_wholly_alike_and_fall_to_each_other_as_to_themselves(
    small_images, tmp_path
):
    network = count.start(16, {"classes": [4], "seed": 0}, 256)
    E = normalize(torch.randn(1, 16, LATENTS, generator=generator(1)), dim=1)
    order = torch.randperm(LATENTS, generator=generator(2))
    mlp = Mlp(16, 0.0, 0, network, Tied(E, torch.full((1, 1, LATENTS), -0.1)))
    twin = Mlp(16, 0.1, 0, network, Tied(E[:, :, order], mlp.sae.e))
    write_mlps(tmp_path / "twins.json", [mlp, twin], COUNT)
    overlap.run(OVERLAP, small_images, [tmp_path / "twins.json"], tmp_path / "overlaps.parquet")
    found = read_columns(tmp_path / "overlaps.parquet")
    assert (found["success"] == found["own"]).all()
    assert (found["agreement"] == 1).all()
    assert found["cka"] == pytest.approx([1, 1])
    assert found["latents"][0] >= 4
    assert found["matched"] == pytest.approx([1, 1], abs=1e-6)
    assert found["interference"] == pytest.approx([1, 1], abs=1e-6)


def test_the_same_spec_gives_the_same_bytes(small_images, mlps, table, tmp_path):
    overlap.run(OVERLAP, small_images, mlps, tmp_path / "again.parquet")
    assert (tmp_path / "again.parquet").read_bytes() == table.read_bytes()
