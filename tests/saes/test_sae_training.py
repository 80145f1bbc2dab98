"""Training: rows are fed fairly, runs repeat, and a known dictionary is found."""

import json

import numpy as np
import pytest

from interference.saes.fit import Training, train
from interference.saes.fit import run as fit
from interference.saes.metrics import score
from interference.saes.rows import batches
from interference.saes.types import batch_topk, gated, jumprelu, matryoshka, relu_l1, topk
from interference.store import arrays
from interference.store.arrays import open_array, writing
from interference.store.files import sha256, write_json
from interference.store.tables import read_columns
from interference.store.tensors import read_tensors

D = 8
TOPK = topk.Settings(k=[2, 4], aux_k=8, aux_weight=1.0, dead_after=200)
RELU = relu_l1.Settings(l1=[0.1, 0.4], warmup_fraction=0.05, gradient_clip=1.0)
TYPES = {
    topk: TOPK,
    relu_l1: RELU,
    batch_topk: batch_topk.Settings(**vars(TOPK)),
    jumprelu: jumprelu.Settings(
        l0=[0.003, 0.03], warmup_fraction=0.05, initial_threshold=0.1, bandwidth=0.1
    ),
    gated: gated.Settings(l1=[0.1, 0.4], warmup_fraction=0.05),
    matryoshka: matryoshka.Settings(**vars(TOPK), prefixes=[0.25, 0.5, 1.0]),
}
NAMES = [module.__name__.rsplit(".", 1)[1] for module in TYPES]
TRAINING = Training(
    expansion_factor=2, learning_rate=2e-3, decay_fraction=0.2, rows=1000, batch_size=50
)


def make(path, values, dtype="float16"):
    with writing(path, values.shape, dtype, {}) as writer:
        writer.append(values)
    return open_array(path, writer.manifest()), writer.manifest()


@pytest.fixture
def numbered(tmp_path, monkeypatch):
    """103 rows that carry their number, in chunks of 10."""
    monkeypatch.setattr(arrays, "CHUNK_BYTES", 10 * D * 2)
    monkeypatch.setattr(arrays, "CHUNKS_PER_SHARD", 2)
    return make(tmp_path / "x.zarr", np.repeat(np.arange(103.0)[:, None], D, 1))[0]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    values = np.random.default_rng(0).standard_normal((400, D))
    return make(tmp_path_factory.mktemp("rows") / "x.zarr", values)[0]


def test_each_epoch_reads_each_row_once(numbered):
    orders = []
    for epoch in np.split(np.concatenate(list(batches(numbered, 103, 3 * 103, seed=0))), 3):
        numbers = epoch[:, 0].astype(int)
        assert sorted(numbers) == list(range(103))
        orders.append(numbers.tolist())
    assert orders[0] != orders[1] != orders[2]
    assert orders[0] != list(range(103))


def test_batches_read_each_row_once_an_epoch_across_chunk_borders(numbered):
    numbers = np.concatenate([b[:, 0] for b in batches(numbered, 7, 2 * 103, seed=0)]).astype(int)
    assert len(numbers) == 203
    assert sorted(numbers[:103]) == list(range(103))
    assert len(set(numbers[103:])) == 100


@pytest.mark.parametrize(("batch", "rows", "count"), [(7, 70, 10), (7, 76, 10), (103, 206, 2)])
def test_there_are_as_many_batches_as_rows_ask_for(numbered, batch, rows, count):
    feed = list(batches(numbered, batch, rows, seed=0))
    assert [b.shape for b in feed] == [(batch, D)] * count
    assert all(b.dtype == np.float32 for b in feed)


def test_a_seed_fixes_the_batches(numbered):
    a, b, other = (np.concatenate(list(batches(numbered, 7, 200, s))) for s in (3, 3, 4))
    np.testing.assert_array_equal(a, b)
    assert (a != other).any()


@pytest.mark.parametrize(
    ("decay", "fraction", "rate"),
    [
        (0.2, 0.0, 1.0),
        (0.2, 0.8, 1.0),
        (0.2, 0.9, 0.5),
        (0.2, 1.0, 0.0),
        (0.0, 0.999, 1.0),
        (1.0, 0.25, 0.75),
    ],
)
def test_the_rate_falls_to_zero_over_the_last_part(decay, fraction, rate):
    training = Training(
        expansion_factor=2, learning_rate=3.0, decay_fraction=decay, rows=100, batch_size=10
    )
    assert training.rate(fraction) == pytest.approx(3.0 * rate)


@pytest.mark.parametrize(("sae_type", "settings"), TYPES.items(), ids=NAMES)
def test_a_member_has_the_same_bytes_trained_alone_or_together(store, sae_type, settings):
    together = train(sae_type, settings, TRAINING, store, seeds=[0, 1])
    sweep = getattr(settings, sae_type.SPARSITY)
    assert list(together) == [(s, seed) for seed in (0, 1) for s in sweep]
    alone_settings = type(settings)(**{**vars(settings), sae_type.SPARSITY: sweep[1:]})
    alone = train(sae_type, alone_settings, TRAINING, store, seeds=[1])
    ((key, member),) = alone.items()
    for name in ("w_enc", "b_enc", "w_dec", "b_dec"):
        assert getattr(member, name).tobytes() == getattr(together[key], name).tobytes()
    np.testing.assert_array_equal(member.threshold, together[key].threshold)
    other_seed = together[sweep[1], 0]
    assert other_seed.w_enc.tobytes() != member.w_enc.tobytes()


def sparse_problem(rows, seed, features):
    """Rows of 3 random features out of 32 in 16 dimensions, and the features."""
    rng = np.random.default_rng(seed)
    codes = np.zeros((rows, 32))
    for row in codes:
        row[rng.choice(32, 3, replace=False)] = rng.uniform(0.5, 1.5, 3)
    return codes @ features


def test_topk_finds_the_features_of_a_sparse_problem_where_pca_cannot(tmp_path):
    rng = np.random.default_rng(0)
    features = rng.standard_normal((32, 16))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    x = sparse_problem(20_000, 1, features)
    store, _ = make(tmp_path / "x.zarr", x)
    settings = topk.Settings(k=[3], aux_k=16, aux_weight=1.0, dead_after=2000)
    training = Training(
        expansion_factor=4, learning_rate=3e-3, decay_fraction=0.2, rows=400_000, batch_size=200
    )
    dictionary = train(topk, settings, training, store, seeds=[0])[3, 0]

    held = sparse_problem(2000, 2, features)
    centred = held - held.mean(0)
    variances = np.linalg.svd(centred, compute_uv=False) ** 2
    pca = variances[3:].sum() / variances.sum()  # the best that 3 directions can do
    assert score(dictionary, held[:, None].astype(np.float32)).summary["fvu"] < 0.25 * pca
    matches = np.abs(features @ dictionary.w_dec.T).max(1)
    assert (matches > 0.9).mean() > 0.8


@pytest.mark.parametrize(("name", "settings"), [*zip(NAMES, map(vars, TYPES.values()))], ids=NAMES)
def test_the_job_writes_what_it_measured_and_repeats_it(tmp_path, store, name, settings):
    rng = np.random.default_rng(1)
    rows = tmp_path / "rows.json"
    _, train_manifest = make(rows.with_suffix(".train.zarr"), store[:])
    held = rng.standard_normal((30, 2, D)).astype(np.float32)
    _, heldout_manifest = make(rows.with_suffix(".heldout.zarr"), held, "float32")
    identity = {"model": "m", "model_norm": "l2", "model_epsilon": 1.0, "model_seed": 0}
    origin = {"model": identity, "layer": "stem"}
    write_json(rows, {"spec": origin, "train": train_manifest, "heldout": heldout_manifest})
    spec = {
        "model": identity,
        "layer": "stem",
        "type": name,
        "settings": settings,
        "training": vars(TRAINING),
        "seeds": [0, 1],
    }
    a, b = tmp_path / "a.json", tmp_path / "b.json"
    fit(spec, rows, a)
    fit(spec, rows, b)
    for suffix in (".json", ".parquet", ".safetensors"):
        assert sha256(a.with_suffix(suffix)) == sha256(b.with_suffix(suffix))

    manifest = json.loads(a.read_text())
    assert (manifest["unique_rows"], manifest["epochs"]) == (400, 2.5)
    assert manifest["sha256"] == sha256(a.with_suffix(".safetensors"))
    members, table = manifest["members"], read_columns(a.with_suffix(".parquet"))
    weights, _ = read_tensors(a.with_suffix(".safetensors"))
    assert len(members) == len(weights["w_enc"]) == 4
    assert len(table["image"]) == 4 * 30
    for member in members:
        mine = (table["sparsity"] == member["sparsity"]) & (table["sae_seed"] == member["sae_seed"])
        assert table["image"][mine].tolist() == list(range(30))
        fvu = table["squared_error"][mine].sum() / table["deviation"][mine].sum()
        assert member["fvu"] == pytest.approx(fvu)
        assert member["l0"] == pytest.approx(table["l0"][mine].mean())
        assert (member["threshold"] > 0) == (name != "relu_l1")
