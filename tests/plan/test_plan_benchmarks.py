"""What jobs took, read from the files that Snakemake leaves of them."""

import pytest

from interference.plan.benchmarks import Benchmark, benchmarks

HEAD = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


@pytest.fixture
def write(tmp_path):
    def row(name, *rows):
        path = tmp_path / "benchmarks" / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEAD + "".join(f"{line}\n" for line in rows), encoding="utf-8")
        return tmp_path

    return row


def test_each_job_is_of_its_step_with_seconds_and_memory(write):
    write("saes/fit/clean-s0/stem/topk", "8.5\t0:00:08\t2.0\t9\t9\t9\t0\t0\t80.0\t7.25")
    found = write("analysis/figures/l0/clean-s0", "1.5\t0:00:01\t1.0\t9\t9\t9\t0\t0\t80.0\t1.25")
    assert [*benchmarks(found)] == [
        ("analysis/figures", Benchmark(1.5, 1.25, 2**20)),
        ("saes/fit", Benchmark(8.5, 7.25, 2 * 2**20)),
    ]


def test_a_job_too_short_to_be_looked_at_took_its_seconds(write):
    found = write("toy/geometry/geometry", "0.25\t0:00:00" + "\tNA" * 8)
    assert [*benchmarks(found)] == [("toy/geometry", Benchmark(0.25, 0.25, 0.0))]


def test_of_several_attempts_the_last_counts(write):
    first, last = (f"{s}\t-\t1.0\t9\t9\t9\t0\t0\t80.0\t{s}" for s in (90, 2))
    ((_, job),) = benchmarks(write("toy/train/models", first, last))
    assert job.seconds == job.core == 2


def test_nothing_was_measured_where_there_is_no_file(tmp_path):
    assert [*benchmarks(tmp_path)] == []
