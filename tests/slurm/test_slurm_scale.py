"""Large plans: what a dry run costs grows with the plan and no faster, and a group is one
Slurm job.

`make slurm-scale` measures the same at full size.
"""

import pytest

from tests.support.checkout import Checkout
from tests.support.slurm.scale import ONE_GROUP, dry_run, total

#: About 800 and 3,200 jobs: the clean network and one more for each seed.
SMALL, LARGE = (1, 13), (1, 52)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param((), id="local"),
        pytest.param(("--profile=profiles/slurm",), id="slurm", marks=pytest.mark.slurm),
    ],
)
def test_a_job_of_a_dry_run_costs_no_more_in_a_large_plan(arguments, tmp_path):
    checkout = Checkout.copy(tmp_path)
    small, large = (dry_run(checkout, *size, *arguments) for size in (SMALL, LARGE))
    assert large.jobs > 3_000
    assert large.seconds / large.jobs < 1.2 * small.seconds / small.jobs


@pytest.mark.slurm
def test_short_jobs_in_one_group_are_one_slurm_job(cluster, tmp_path):
    apart, _ = total(cluster, tmp_path / "apart", 3)
    together, _ = total(cluster, tmp_path / "together", 3, *ONE_GROUP)
    assert (apart, together) == (6, 1)
