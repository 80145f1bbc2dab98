"""Galleries: the latents that wake by construction, against loops in float64, and the whole job."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import load_file

from interference.activations.standardise import Statistics
from interference.data.read import Images, read_split
from interference.models.network import load_network
from interference.probes import gallery, pictures
from interference.probes import layer as layers
from interference.probes.gallery import LATENTS, NONE, STRIPS, TOP, Subjects, choose
from interference.probes.layer import Layer
from interference.probes.pictures import SIDE
from interference.saes.dictionary import Dictionary
from interference.store.arrays import open_array
from interference.store.files import StoreError
from interference.store.stretch import Stretch
from tests.support.probes import IMAGES, WIDTHS, gallery_inputs, gallery_job


class Transparent:
    """A network whose layer says the pixels, (n, positions, channels), and whose logits are their means."""

    def activations(self, x, name):
        return x.flatten(2).transpose(1, 2)

    def __call__(self, x):
        return x.mean((2, 3))


def stretch(pixels):
    return Stretch(np.asarray(pixels, np.float32), 0, len(pixels))


def images(pixels):
    n = len(pixels)
    return Images(stretch(pixels), np.arange(n) % 3, np.arange(100, 100 + n))


def found_on(clean, attacked, noisy, sae, candidates=None):
    """The gallery of a transparent layer. Pixels: (n, channels, side, side)."""
    d = clean.shape[1]
    layer = Layer(
        Transparent(), "stem", Statistics(np.zeros(d), np.ones(d), 0), np.zeros((1, 1, d))
    )
    rest = images(clean if candidates is None else candidates)
    subjects = Subjects(images(clean), stretch(attacked), stretch(noisy), rest)
    with torch.inference_mode():
        return gallery.gallery(layer, sae, subjects)


def plain(d):
    """Latent i is channel i, where that is positive."""
    eye, zeros = np.eye(d, dtype=np.float32), np.zeros(d, np.float32)
    return Dictionary(eye, zeros, eye, zeros)


# the choice


@pytest.mark.parametrize(
    ("woken", "by_noise", "latents"),
    [
        ([1, 5, 3, 4, 2], [0, 0, 0, 0, 0], [1, 3, 2]),
        ([9, 5, 3, 4, 2], [8, 0, 0, 0, 0], [1, 3, 2]),  # the most woken wakes under noise, too
        ([2, 3, 2, 2, 2], [0, 1, 0, 0, 0], [0, 1, 2]),  # all the same
        ([2, 0, 3, 1], [2, 0, 9, 0], [3]),
        ([0, 0, 0, 0], [0, 1, 0, 2], []),
        ([1, 2], [0, 0], [1, 0]),
    ],
)
def test_latents_that_wake_in_most_more_images_than_under_noise_come_first(
    woken, by_noise, latents
):
    assert choose(np.array(woken), np.array(by_noise)).tolist() == latents


def test_the_latents_that_are_made_to_wake_are_chosen():
    clean = -np.ones((10, 6, 2, 2))
    clean[:, 3] = 1  # always active
    clean[:, 5, 0, 1] = 1  # active at one position
    attacked, noisy = clean.copy(), clean.copy()
    attacked[:5, 2, 1, 1] = attacked[3:8, 4, 0, 0] = attacked[:3, 0] = 2
    attacked[:9, 1, 1, 0] = noisy[:9, 1, 0, 0] = 2
    attacked[:, 5] = attacked[:, 3] = 2
    facts, shown = found_on(clean, attacked, noisy, plain(6))
    assert facts["latent"].tolist() == [2, 4, 0]
    assert facts["woken"].tolist() == [5, 5, 3]
    assert facts["woken_by_noise"].tolist() == facts["active"].tolist() == [0, 0, 0]
    assert (shown["top.image"] == NONE).all()
    assert shown["strip.image"].tolist() == [[100, 101], [103, 104], [100, 101]]
    assert shown["strip.drive"].tolist() == [[3, 3]] * 3
    assert shown["strip.map"][0, 0].tolist() == [[0, 0], [0, 2]]


def test_a_latent_that_wakes_once_has_one_strip_and_no_more_top_images_than_fire():
    clean, attacked = -np.ones((4, 1, 2, 2)), -np.ones((4, 1, 2, 2))
    attacked[2, 0, 0, 1] = 0.5
    candidates = -np.ones((9, 1, 2, 2))
    candidates[:4] = clean
    candidates[[5, 7], 0, 1, 0] = 3, 4
    facts, shown = found_on(clean, attacked, clean, plain(1), candidates)
    assert facts["active"].tolist() == [pytest.approx(2 / 9)]
    assert shown["top.image"].tolist() == [[107, 105, *[NONE] * (TOP - 2)]]
    assert shown["strip.image"].tolist() == [[102, *[NONE] * (STRIPS - 1)]]
    assert shown["top.map"][0, :3].max((1, 2)).tolist() == [4, 3, 0]
    assert shown["strip.prediction"].shape == shown["strip.label"].shape == (1, STRIPS)


# against loops


def sample(seed=1, n=40, d=4, side=3):
    rng = np.random.default_rng(seed)
    clean = rng.standard_normal((n, d, side, side))
    moved = [clean[:25] + size * rng.standard_normal((25, d, side, side)) for size in (1.2, 0.3)]
    w = rng.standard_normal((2, 12, d)).astype(np.float32)
    b, threshold = rng.standard_normal(12).astype(np.float32) / 4, 0.5 + rng.random(12)
    sae = Dictionary(w[0], b, w[1], np.zeros(d, np.float32), k=2, threshold=threshold)
    return clean, *moved, sae


def pre_of(sae, picture):
    """(latents, side, side) of pixels (d, side, side), float64."""
    rows = picture.astype(np.float32).astype(float).reshape(len(picture), -1)
    pre = sae.w_enc.astype(float) @ rows + sae.b_enc[:, None]
    return pre.reshape(-1, *picture.shape[1:])


def code_of(sae, picture):
    pre = pre_of(sae, picture)
    return np.where(pre > np.asarray(sae.threshold)[:, None, None], pre, 0)


def test_choice_maps_and_drives_are_those_of_loops_in_float64():
    clean, attacked, noisy, sae = sample()
    facts, shown = found_on(clean[:25], attacked, noisy, sae, clean)
    codes = np.stack([code_of(sae, x) for x in clean])
    after, by_noise = (np.stack([code_of(sae, x) for x in moved]) for moved in (attacked, noisy))
    active = [(c > 0).any((2, 3)) for c in (codes[:25], after, by_noise)]
    wakes, noise = active[1] & ~active[0], active[2] & ~active[0]
    more = wakes.sum(0) - noise.sum(0)
    latents = sorted((i for i in range(12) if more[i] > 0), key=lambda i: (-more[i], i))[:LATENTS]
    assert len(latents) == LATENTS
    assert facts["latent"].tolist() == latents
    assert facts["woken"].tolist() == wakes.sum(0)[latents].tolist()
    assert facts["woken_by_noise"].tolist() == noise.sum(0)[latents].tolist()
    assert facts["active"] == pytest.approx((codes > 0).any((2, 3)).mean(0)[latents])
    for row, i in enumerate(latents):
        top = np.argsort(-codes[:, i].max((1, 2)), kind="stable")[:TOP]
        assert shown["top.image"][row].tolist() == (100 + top).tolist()
        assert shown["top.label"][row].tolist() == (top % 3).tolist()
        np.testing.assert_allclose(shown["top.map"][row], codes[top, i], rtol=1e-5, atol=1e-6)
        drives = {
            m: max(
                pre_of(sae, attacked[m])[i, y, x] - pre_of(sae, clean[m])[i, y, x]
                for y, x in itertools.product(range(3), range(3))
                if after[m, i, y, x] > 0
            )
            for m in np.flatnonzero(wakes[:, i])
        }
        first = sorted(drives, key=lambda m: -drives[m])[:STRIPS]
        assert shown["strip.image"][row].tolist() == [100 + m for m in first]
        assert shown["strip.drive"][row] == pytest.approx([drives[m] for m in first], rel=1e-5)
        np.testing.assert_allclose(shown["strip.map"][row], after[first, i], rtol=1e-5, atol=1e-6)
        for name, pixels in (("prediction", clean), ("attacked_prediction", attacked)):
            expected = [pixels[m].mean((1, 2)).argmax() for m in first]
            assert shown[f"strip.{name}"][row].tolist() == expected


# pictures


def averaged(pixels, shown):
    """Means over the windows that hold a whole pixel or a part of it, in float64; rows, then columns."""
    side = pixels.shape[-1]
    ends = [(i * side // shown, -(-(i + 1) * side // shown)) for i in range(shown)]
    rows = np.stack([pixels[..., a:b, :].mean(-2, dtype=float) for a, b in ends], -2)
    return np.stack([rows[..., a:b].mean(-1) for a, b in ends], -1)


@pytest.mark.parametrize(("side", "shown"), [(8, 8), (SIDE, SIDE), (2 * SIDE, SIDE), (224, SIDE)])
def test_images_beyond_a_side_are_averaged_and_others_stay_as_they_are(side, shown):
    clean = np.random.default_rng(0).integers(0, 256, (4, 3, side, side)).astype(np.uint8)
    picked = np.array([[2, 0], [3, 3]])
    found = pictures.pictures(Stretch(clean, 0, 4), picked)
    np.testing.assert_allclose(255 * found, averaged(clean[picked], shown), atol=1e-3)
    if side == shown:
        assert (pictures.in_bytes(found) == clean[picked]).all()


@pytest.mark.parametrize("side", [4, 2 * SIDE])
def test_a_perturbation_is_what_was_done_to_the_pixels_that_are_shown(side):
    rng = np.random.default_rng(0)
    clean = rng.uniform(0, 0.5, (5, 1, side, side))
    attacked = clean + rng.uniform(0, 0.1, clean.shape)
    attacked[2, 0, 0, 1] = 0.9
    _, found = found_on(clean, attacked, clean, replace(plain(1), threshold=0.8))
    assert found["strip.image"].tolist() == [[102, NONE]]
    change, after = (averaged(x[2], min(side, SIDE)) for x in (attacked - clean, attacked))
    assert found["strip.perturbation"].dtype == np.float16
    np.testing.assert_allclose(found["strip.perturbation"][0, 0], change, atol=1e-3)
    np.testing.assert_allclose(found["strip.attacked"][0, 0], 255 * after, atol=0.51)


# the job


@pytest.fixture(scope="module")
def made(inputs_folder, small_images, tmp_path_factory):
    """The manifest of a gallery of three layers, of SAEs that neither say all nor nothing."""
    spec = gallery_job()
    output = tmp_path_factory.mktemp("gallery") / "gallery.json"
    gallery.run(spec, **gallery_inputs(inputs_folder, small_images, spec), output=output)
    return output


def files(output):
    return {s: output.with_suffix(s).read_bytes() for s in (".json", ".parquet", ".safetensors")}


def test_the_table_has_a_row_per_latent_and_the_arrays_its_pictures(made):
    table, arrays = pd.read_parquet(made.with_suffix(".parquet")), load_file(made.with_suffix(".safetensors"))  # fmt: skip
    assert set(table["layer"]) == set(WIDTHS)
    assert (table["woken"] > table["woken_by_noise"]).all()
    assert table["active"].between(0, 1).all()
    for layer, rows in table.groupby("layer"):
        assert len(rows) <= LATENTS
        for name in ("top.image", "strip.image", "top.map", "strip.map", "strip.perturbation"):
            assert len(arrays[f"{layer}.{name}"]) == len(rows), name
        side = arrays[f"{layer}.top.map"].shape[-1]
        assert arrays[f"{layer}.top.map"].shape == (len(rows), TOP, side, side)
        assert (np.diff(arrays[f"{layer}.strip.drive"]) <= 0).all()
    assert json.loads(made.read_text())["class_names"]


def test_strips_are_of_the_attack_and_predictions_of_the_network(made, inputs_folder, small_images):
    arrays, network = load_file(made.with_suffix(".safetensors")), load_network(inputs_folder / "m.json")  # fmt: skip
    clean = read_split(small_images, "evaluation", IMAGES)
    manifest = json.loads((inputs_folder / "pgd.json").read_text())
    attacked = open_array(inputs_folder / "pgd.zarr", manifest["array"])[IMAGES : 2 * IMAGES]
    with torch.inference_mode():
        expected = network(torch.from_numpy(attacked)).argmax(1).numpy()
    own = {name: arrays[f"layer2.strip.{name}"] for name in ("image", "clean", "attacked", "attacked_prediction", "label")}  # fmt: skip
    assert (own["image"] != NONE).any()
    for row, column in zip(*np.nonzero(own["image"] != NONE)):
        m = own["image"][row, column] - clean.indices[0]
        assert own["attacked_prediction"][row, column] == expected[m]
        assert own["label"][row, column] == clean.labels[m]
        assert (own["clean"][row, column] == clean.pixels[m : m + 1][0]).all()
        assert np.abs(own["attacked"][row, column] - 255 * attacked[m]).max() < 0.51


def test_a_gallery_has_the_same_bytes_whatever_the_size_of_batches(
    made, inputs_folder, small_images, tmp_path, monkeypatch
):
    spec = gallery_job()
    given = gallery_inputs(inputs_folder, small_images, spec)
    for most in (2**30, 1):
        monkeypatch.setattr(layers, "MOST_BYTES", most)
        gallery.run(spec, **given, output=tmp_path / "gallery.json")
        assert files(tmp_path / "gallery.json") == files(made)


def test_where_nothing_wakes_a_gallery_is_empty(inputs_folder, small_images, tmp_path):
    spec = gallery_job(sparsity=2.0)  # SAEs that never fire
    given = gallery_inputs(inputs_folder, small_images, spec)
    gallery.run(spec, **given, output=tmp_path / "gallery.json")
    table = pd.read_parquet(tmp_path / "gallery.parquet")
    assert (len(table), "latent" in table) == (0, True)
    arrays = load_file(tmp_path / "gallery.safetensors")
    assert arrays["stem.top.pixels"].shape == (0, TOP, 1, 16, 16)
    assert {len(array) for array in arrays.values()} == {0}


def test_top_images_are_of_the_first_evaluation_images_alone(
    inputs_folder, small_images, tmp_path, monkeypatch
):
    spec = gallery_job()
    given = gallery_inputs(inputs_folder, small_images, spec)
    every = read_split(small_images, "evaluation")
    for most, count in ((1, IMAGES), (10**6, len(every.labels))):
        monkeypatch.setattr(gallery, "CANDIDATES", most)
        gallery.run(spec, **given, output=tmp_path / "gallery.json")
        arrays = load_file(tmp_path / "gallery.safetensors")
        shown = np.concatenate([arrays[f"{layer}.top.image"].ravel() for layer in WIDTHS])
        assert shown.max() == every.indices[0] + count - 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epsilon": 0.5}, "--attack: epsilons are 1, the job is about 0.5"),
        ({"attack": "noise"}, "attack is pgd, the job is about noise"),
        ({"noise": "static"}, "attack is noise, the job is about static"),
        ({"type": "relu_l1"}, "type is topk, the job is about relu_l1"),
        ({"layers": ["stem", "layer4", "layer2"]}, "layer is layer2, the job is about layer4"),
        ({"layers": ["stem"]}, "--rows: found 3 manifests, needs one for each of stem"),
        ({"sparsity": 7.0}, "no SAE of sparsity 7.0 and seed 0"),
    ],
)
def test_inputs_of_another_job_are_refused(change, message, inputs_folder, small_images, tmp_path):
    spec = gallery_job()
    given = gallery_inputs(inputs_folder, small_images, spec)
    with pytest.raises(StoreError, match=message):
        gallery.run({**spec, **change}, **given, output=tmp_path / "gallery.json")
    assert not list(tmp_path.iterdir())
