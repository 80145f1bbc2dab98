"""One config, one result: byte for byte, wherever it ran, and whether or not a run was killed.

The completed run used two cores of this machine, was killed with all its processes somewhere in the
middle of jobs, and was then taken up again. Another, in another folder, was Slurm's, one job at a
node or several; where there is no Slurm, it is on one core. What both made must agree, so they answer
for the seed, the cores, the executor, the folder and the interruption at once.
"""

import pytest

from tests.support.checkout import contents

pytestmark = pytest.mark.workflow
of_both = pytest.mark.xdist_group("again")


@of_both
def test_another_run_has_the_same_bytes(again, completed):
    first, second = contents(completed.results), contents(again.checkout.results)
    assert second.keys() <= first.keys()
    assert {name for name in second if first[name] != second[name]} == set()


@of_both
def test_the_comparison_covers_every_kind_of_result(again):
    names = contents(again.checkout.results)
    kinds = {name.rsplit(".", 1)[-1] for name in names if ".zarr/c/" not in name}
    assert kinds == {"json", "parquet", "safetensors", "csv", "svg", "png"}
    assert any(".zarr/c/" in name for name in names)


@of_both
def test_nothing_is_left_to_do_after_the_other_run(again):
    assert again.checkout.plan(*again.targets).jobs == set()


@pytest.mark.xdist_group("workflow")
def test_a_run_that_was_killed_and_resumed_has_nothing_left_to_do(after_a_run):
    assert after_a_run.plan().jobs == set()
