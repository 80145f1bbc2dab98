"""Large plans: what a dry run costs grows with the plan and no faster, and groups save time.

`make slurm-scale` measures the same at full size.
"""

import pytest
from checkout import Checkout
from scale import ONE_GROUP, dry_run, total

#: About 800 and 3,200 jobs: the clean network and one more for each seed.
SMALL, LARGE = (1, 13), (1, 52)


@pytest.mark.parametrize("arguments", [(), ("--profile=profiles/slurm",)], ids=["local", "slurm"])
def test_a_job_of_a_dry_run_costs_no_more_in_a_large_plan(arguments, tmp_path):
    checkout = Checkout.copy(tmp_path)
    small, large = (dry_run(checkout, *size, *arguments) for size in (SMALL, LARGE))
    assert large.jobs > 3_000
    assert large.seconds / large.jobs < 1.2 * small.seconds / small.jobs


@pytest.mark.slurm
@pytest.mark.thorough
def test_short_jobs_in_one_group_are_one_slurm_job_and_take_less_time(cluster, tmp_path):
    apart, seconds_apart = total(cluster, tmp_path / "apart", 6)
    together, seconds_together = total(cluster, tmp_path / "together", 6, *ONE_GROUP)
    assert (apart, together) == (12, 1)
    assert seconds_together < seconds_apart
