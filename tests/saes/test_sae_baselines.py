"""Baselines: PCA, the spectrum and substitute rows against numpy, and what they say of known data."""

import numpy as np
import pytest

from interference.saes.baselines import raw_l0
from interference.saes.baselines import run as compare
from interference.saes.compiled.topk import Step
from interference.saes.fit import Training, TrainingError, train
from interference.saes.metrics import score
from interference.saes.spectrum import Spectrum
from interference.saes.substitutes import Gaussian, Whitened
from interference.saes.types import topk
from interference.store import arrays
from interference.store.arrays import open_array, writing
from interference.store.files import read_json, sha256, write_json
from interference.store.tables import read_columns
from interference.store.tensors import write_tensors
from tests.support.sweeps import D, spec, write_rows


def rng(seed=0):
    return np.random.default_rng(seed)


def uneven(rows, d=D, seed=0, mean=0.0):
    """Rows of a Gaussian whose directions differ in variance, none along an axis."""
    mix = rng(99).standard_normal((d, d)) * np.geomspace(2, 0.1, d)
    return rng(seed).standard_normal((rows, d)) @ mix.T / 2 + mean


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A function that writes rows, float32, in chunks of a number of rows."""

    def write(values, chunk=30):
        monkeypatch.setattr(arrays, "CHUNK_BYTES", chunk * values.shape[1] * 4)
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.zarr"
        with writing(path, values.shape, "float32", {}) as writer:
            writer.append(values)
        return open_array(path, writer.manifest())

    return write


@pytest.mark.parametrize("chunk", [7, 30, 200])
@pytest.mark.parametrize("mean", [0.0, 1e4])
def test_the_spectrum_is_that_of_the_covariance_of_all_rows(store, chunk, mean):
    rows = store(uneven(100, mean=mean), chunk)
    assert rows.chunk_rows == min(chunk, 100)
    spectrum, x = Spectrum.of(rows), rows[:].astype(np.float64)
    np.testing.assert_allclose(spectrum.mean, x.mean(0), rtol=1e-12)
    np.testing.assert_allclose(
        (spectrum.vectors * spectrum.values) @ spectrum.vectors.T, np.cov(x.T, ddof=0), atol=1e-12
    )
    assert (np.diff(spectrum.values) <= 0).all()


@pytest.mark.parametrize(
    ("values", "ratio", "rank"),
    [
        (np.ones(D), D, D),
        ([5.0, 0, 0], 1, 1),
        ([2.0, 2, 0], 2, 2),
        ([2.0, 1, 1], 16 / 6, 2**1.5),  # entropy ½ log 2 + 2 · ¼ log 4
    ],
)
def test_counts_of_directions_in_closed_form(values, ratio, rank):
    values = np.array(values, float)
    spectrum = Spectrum(np.zeros(len(values)), values, np.eye(len(values)))
    assert spectrum.participation_ratio == pytest.approx(ratio)
    assert spectrum.effective_rank == pytest.approx(rank)


def test_projections_leave_what_brute_force_says_of_every_image(store):
    train_rows, heldout = uneven(500, mean=1.0), uneven(130 * 3, seed=1).reshape(130, 3, D)
    rows, heldout = store(train_rows), heldout.astype(np.float32)
    left = Spectrum.of(rows).residuals(heldout)
    x = rows[:].astype(np.float64)
    directions = np.linalg.svd(x - x.mean(0), full_matrices=False)[2]
    assert left.shape == (130, D)
    for k in range(1, D + 1):
        centred = heldout - x.mean(0)
        error = centred - centred @ directions[:k].T @ directions[:k]
        np.testing.assert_allclose(left[:, k - 1], (error**2).sum((1, 2)), rtol=1e-7, atol=1e-20)
    assert (left[:, -1] == 0).all()


def test_whitened_training_rows_have_no_mean_and_the_identity_as_covariance(store):
    rows = store(uneven(400, mean=2.0))
    white = Whitened(rows, Spectrum.of(rows))
    assert white.shape == (400, D)
    x = white[:].astype(np.float64)
    assert white[:].dtype == np.float32
    np.testing.assert_allclose(x.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(np.cov(x.T, ddof=0), np.eye(D), atol=1e-5)
    np.testing.assert_allclose(white[40:90], x[40:90], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(white.apply(rows[:30][None])[0], white[:30])


def test_whitening_drops_directions_that_hold_rounding_noise_alone(store):
    x = uneven(300)
    x[:, 2] = 0  # a dead channel
    x[:, 5] = x[:, 4] + 1e-4 * rng(3).standard_normal(300)  # the same but for rounding
    rows = store(x)
    white = Whitened(rows, Spectrum.of(rows))
    assert white.shape == (300, D - 2)
    np.testing.assert_allclose(np.cov(white[:].T, ddof=0), np.eye(D - 2), atol=1e-4)


def test_the_gaussian_has_the_mean_and_covariance_of_the_rows_and_not_their_tails(store):
    x = uneven(40_000) ** 3 + 1  # far from Gaussian
    rows = store(x, chunk=1000)
    fake = Gaussian(rows, Spectrum.of(rows))[:].astype(np.float64)
    assert fake.shape == x.shape
    covariance = np.cov(x.T)
    scale = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    # a standard error of 1/√n of the mean, about 1/√n of a covariance
    assert np.abs((fake.mean(0) - x.mean(0)) / np.sqrt(np.diag(covariance))).max() < 5 / 200
    assert np.abs((np.cov(fake.T) - covariance) / scale).max() < 10 / 200
    kurtosis = [(((y - y.mean(0)) / y.std(0)) ** 4).mean() for y in (x, fake)]
    assert kurtosis[0] > 10
    assert kurtosis[1] == pytest.approx(3, abs=0.1)


def test_a_gaussian_row_does_not_depend_on_how_it_is_sliced(store):
    rows = store(uneven(103), chunk=10)
    fake = Gaussian(rows, Spectrum.of(rows))
    whole = fake[:]
    assert len(np.unique(whole[:, 0])) == len(fake) == 103
    for start, stop in (
        (0, 10),
        (10, 20),
        (3, 4),
        (5, 27),
        (95, 200),
        (100, 103),
        (20, 20),
        (9, 2),
    ):
        np.testing.assert_array_equal(fake[start:stop], whole[start:stop])
    np.testing.assert_array_equal(fake[::7], whole[::7])
    np.testing.assert_array_equal(Gaussian(rows, Spectrum.of(rows))[:], whole)


def test_heldout_gaussian_rows_are_others_of_the_same_gaussian(store):
    rows = store(uneven(60), chunk=10)
    spectrum = Spectrum.of(rows)
    held = Gaussian(rows, spectrum).heldout((5_000, 2, D))
    np.testing.assert_allclose(
        np.cov(held.reshape(-1, D).T), np.cov(rows[:].T, ddof=0), atol=0.05 * spectrum.values[0]
    )
    assert not np.isin(held[:30], Gaussian(rows, spectrum)[:]).any()


def test_raw_units_are_counted_where_they_were_not_zero():
    raw = np.maximum(rng().standard_normal((50, 4, D)) - 0.3, 0).astype(np.float32)
    raw[..., 0] *= 1e-4
    raw[..., 1] = 0  # a dead channel, whose deviation has a floor
    raw[..., 2] += 100.0
    flat = raw.reshape(-1, D).astype(np.float64)
    mean, std = flat.mean(0), np.maximum(flat.std(0), 1e-4)
    x = ((raw - mean) / std).astype(np.float32)
    assert raw_l0(x, mean, std) == (raw > 0).sum() / 200


def fvu(rows, heldout):
    settings = topk.Settings(k=[3], aux_k=16, aux_weight=1.0, dead_after=2000)
    training = Training(
        expansion_factor=4, learning_rate=3e-3, decay_fraction=0.2, rows=200_000, batch_size=200
    )
    dictionary = train(topk, settings, training, rows, seeds=[0])[3, 0]
    return score(dictionary, heldout).summary["fvu"]


def sparse(rows, seed, d=16):
    """Three of 2d features a row, in d dimensions."""
    features = rng(7).standard_normal((2 * d, d))
    codes = rng(seed).uniform(0.5, 1.5, (rows, 2 * d))
    codes *= rng(seed + 1).random(codes.shape).argsort(1) < 3
    return codes @ features


@pytest.mark.parametrize(
    ("make", "low", "high"),
    [(lambda rows, seed: uneven(rows, 16, seed), 0.95, 1.05), (sparse, 0.0, 0.5)],
    ids=["Gaussian rows", "sparse rows"],
)
def test_an_sae_beats_the_gaussian_on_sparse_rows_alone(store, make, low, high):
    rows, heldout = store(make(20_000, 10), 2000), make(2000, 20)[:, None].astype(np.float32)
    fake = Gaussian(rows, Spectrum.of(rows))
    assert low < fvu(rows, heldout) / fvu(fake, fake.heldout(heldout.shape)) < high


# The job


@pytest.fixture
def layer(tmp_path, monkeypatch):
    """The manifest of a layer's rows, in several chunks, with their statistics beside it."""
    monkeypatch.setattr(arrays, "CHUNK_BYTES", 60 * D * 2)

    def write(**parts):
        rows = write_rows(tmp_path / "rows.json", **parts)
        write_tensors(rows.with_suffix(".safetensors"), {"mean": np.ones(D), "std": np.ones(D)}, {})
        found = {"sha256": sha256(rows.with_suffix(".safetensors"))}
        write_json(rows, read_json(rows) | found)
        return rows

    return write


def test_the_job_writes_what_it_measured_and_repeats_it(tmp_path, layer, store):
    heldout = uneven(60, seed=1).reshape(30, 2, D)
    rows = layer(train=uneven(400), heldout=heldout)
    a, b = tmp_path / "a.json", tmp_path / "b.json"
    compare(spec(), rows, a)
    compare(spec(), rows, b)
    for suffix in (".json", ".parquet"):
        assert sha256(a.with_suffix(suffix)) == sha256(b.with_suffix(suffix))
    found, table = read_json(a), read_columns(a.with_suffix(".parquet"))
    assert (found["width"], found["dimensions"], len(found["eigenvalues"])) == (D, D, D)
    assert found["raw_l0"] == ((heldout.astype(np.float32) + 1.0) > 2e-6).sum() / 60
    members = {(x, k, s) for x in ("pca", "whitened", "gaussian") for k in (2, 4) for s in (0, 1)}
    keys = list(zip(table["baseline"], table["sparsity"], table["sae_seed"]))
    assert {key: keys.count(key) for key in keys} == {member: 30 for member in members}

    def measured(*member):
        mine = np.array([key == member for key in keys])
        assert table["image"][mine].tolist() == list(range(30))
        return table["squared_error"][mine].sum() / table["deviation"][mine].sum()

    held = heldout.astype(np.float32).reshape(-1, D).astype(np.float64)
    assert table["deviation"][:30].sum() == pytest.approx(((held - held.mean(0)) ** 2).sum())
    for seed in (0, 1):
        assert measured("pca", 4.0, seed) == pytest.approx(found["pca_fvu"][3])
    assert found["pca_fvu"][D - 1] == 0
    # the same SAEs, trained on substitutes that were written down first
    real = open_array(rows.with_suffix(".train.zarr"), read_json(rows)["train"])
    spectrum = Spectrum.of(real)
    white, fake = Whitened(real, spectrum), Gaussian(real, spectrum)
    held = white.apply(heldout.astype(np.float32)), fake.heldout(heldout.shape)
    settings, training = topk.Settings(**spec()["settings"]), Training(**spec()["training"])
    for kind, rows, images in zip(("whitened", "gaussian"), (white, fake), held):
        assert rows.chunk_rows == 60
        for (k, seed), sae in train(topk, settings, training, store(rows[:], 60), [0, 1]).items():
            expected = score(sae, images).summary["fvu"]
            assert measured(kind, float(k), seed) == pytest.approx(expected)


def test_finished_members_are_taken_up_again_each_for_its_own_rows(tmp_path, layer, monkeypatch):
    rows, output = layer(train=uneven(400)), tmp_path / "out.json"
    compare(spec(seeds=[0]), rows, output)
    assert len(list(tmp_path.glob(".out.*.member.safetensors"))) == 2 * 2
    before = sha256(output.with_suffix(".parquet"))
    monkeypatch.setattr(Step, "step", lambda *_: pytest.fail("trained again"))
    compare(spec(seeds=[0]), rows, output)
    assert sha256(output.with_suffix(".parquet")) == before


def test_training_goes_on_from_a_checkpoint_which_goes_when_the_job_is_done(
    tmp_path, layer, monkeypatch
):
    rows, whole, cut = layer(train=uneven(400)), tmp_path / "whole.json", tmp_path / "cut.json"
    compare(spec(seeds=[0]), rows, whole)
    monkeypatch.setattr("interference.saes.fit.CHECKPOINT_INTERVAL", 0.0)
    step, steps = Step.step, []

    def counted(*arguments):
        steps.append(1)
        if len(steps) == 2 * 30:  # of 2 × 20 on whitened rows and as many on the Gaussian
            raise KeyboardInterrupt
        step(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Step, "step", counted)
        with pytest.raises(KeyboardInterrupt):
            compare(spec(seeds=[0]), rows, cut)
    assert list(tmp_path.glob(".cut.*.checkpoint.safetensors"))
    compare(spec(seeds=[0]), rows, cut)
    assert sha256(cut.with_suffix(".parquet")) == sha256(whole.with_suffix(".parquet"))
    assert not list(tmp_path.glob(".cut.*.checkpoint.safetensors"))


def test_too_few_dimensions_after_whitening_for_a_k_are_told_before_training(
    tmp_path, layer, monkeypatch
):
    monkeypatch.setattr(Step, "step", lambda *_: pytest.fail("training began"))
    train_rows = uneven(400)
    train_rows[:, 2:] = 0
    rows = layer(train=train_rows)
    with pytest.raises(TrainingError, match=r"k: 4 is not below the 4 latents of .*\(whitened\)"):
        compare(spec(), rows, tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()
