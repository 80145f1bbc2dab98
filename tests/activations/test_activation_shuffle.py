"""Buckets: every row once, in a random order, and no files left."""

import numpy as np
import pytest
from scipy import stats

from interference.activations import shuffle
from interference.activations.shuffle import bucket_count, buckets_beside


def dropped(buckets, rows, seed, piece=7):
    """Add rows in pieces to random buckets; the bucket of each."""
    chosen = np.random.default_rng(seed).integers(0, len(buckets.sizes), len(rows))
    for start in range(0, len(rows), piece):
        buckets.add(rows[start : start + piece], chosen[start : start + piece])
    return chosen


@pytest.mark.parametrize("limit", [1, 4 * 3 * 20, 2**20])
@pytest.mark.parametrize("count", [1, 4])
def test_a_bucket_gives_back_its_rows_in_the_order_they_came(count, limit, tmp_path, monkeypatch):
    monkeypatch.setattr(shuffle, "BUCKET_BYTES", limit)
    rows = np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32)
    with buckets_beside(tmp_path / "rows.json", count, 3) as buckets:
        chosen = dropped(buckets, rows, seed=1)
        for bucket in range(count):
            assert buckets.sizes[bucket] == (chosen == bucket).sum()
            np.testing.assert_array_equal(buckets.take(bucket), rows[chosen == bucket])
    assert list(tmp_path.iterdir()) == []


def test_a_bucket_that_no_row_fell_into_is_empty(tmp_path):
    with buckets_beside(tmp_path / "rows.json", 3, 2) as buckets:
        buckets.add(np.ones((4, 2), np.float32), np.zeros(4, np.int64))
        assert [len(buckets.take(bucket)) for bucket in range(3)] == [4, 0, 0]


def test_rows_of_one_bucket_touch_no_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(shuffle.Buckets, "_flush", lambda _: pytest.fail("a file was written"))
    with buckets_beside(tmp_path / "rows.json", 1, 2) as buckets:
        buckets.add(np.ones((4, 2), np.float32), np.zeros(4, np.int64))
        assert len(buckets.take(0)) == 4


def test_an_error_leaves_no_files(tmp_path, monkeypatch):
    monkeypatch.setattr(shuffle, "BUCKET_BYTES", 8)

    def die():
        with buckets_beside(tmp_path / "rows.json", 2, 2) as buckets:
            buckets.add(np.ones((4, 2), np.float32), np.array([0, 1, 0, 1]))
            assert list(tmp_path.rglob("*.f32"))
            raise RuntimeError("died")

    with pytest.raises(RuntimeError, match="died"):
        die()
    assert list(tmp_path.iterdir()) == []


def test_buckets_then_permutations_are_a_uniform_permutation(tmp_path, monkeypatch):
    monkeypatch.setattr(shuffle, "BUCKET_BYTES", 8)
    rows, rng = np.arange(3, dtype=np.float32)[:, None], np.random.default_rng(0)
    orders = []
    for seed in range(600):
        with buckets_beside(tmp_path / "rows.json", 2, 1) as buckets:
            dropped(buckets, rows, seed, piece=2)
            taken = [rng.permutation(buckets.take(bucket)) for bucket in range(2)]
        orders.append(tuple(np.concatenate(taken)[:, 0].astype(int)))
    counts = [orders.count(order) for order in set(orders)]
    assert len(counts) == 6
    assert stats.chisquare(counts).pvalue > 0.01


def test_a_bucket_holds_what_memory_may_on_average():
    rows = shuffle.BUCKET_BYTES // (4 * 64)
    assert [bucket_count(n, 64) for n in (1, rows, rows + 1, 10 * rows)] == [1, 1, 2, 10]
