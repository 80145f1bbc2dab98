"""What really reruns after a whole run: dry runs of Snakemake over the completed tiny experiment.

Snakemake reruns the jobs whose spec changed, which holds what they are made from (test_lineage.py). Of
each it says that it starts, where its own spec changed and nothing upstream did, or that it follows.
Every edit is undone after its test.
"""

import os
import time

import pytest
import yaml

from tests.support.checkout import (
    NETWORK_SECTIONS,
    NETWORKS_ONLY,
    PACKAGE,
    TINY,
    Checkout,
    Plan,
    with_code,
    without,
)
from tests.support.planner import snakemake
from tests.support.tables import IN_TINY
from tests.support.tiny import JOBS, RERUNS, picked

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]


def assert_reruns(plan: Plan, starts: set[str], jobs: set[str]) -> None:
    """The plan holds exactly these jobs, and the reason of some is their own spec."""
    assert plan.starts == starts
    assert plan.jobs == jobs


def jobs_of(said: str) -> list[str]:
    """What a dry run says of its jobs."""
    return sorted(line for line in said.splitlines() if line.startswith(("rule ", "    ")))


def test_the_tiny_experiment_runs_these_jobs(after_a_run):
    assert after_a_run.plan("--forceall").jobs == JOBS


def test_a_run_that_was_killed_and_resumed_has_nothing_left_to_do(after_a_run):
    assert after_a_run.plan().jobs == set()


def test_a_plan_is_the_dry_run_of_the_command_line(after_a_run):
    """`plan` asks a process that has loaded Snakemake before: tests.support.planner."""
    given = ("--configfile", TINY, "--dry-run", "--forceall")
    status, said = snakemake(after_a_run.folder, after_a_run.environment, given)
    assert status == 0
    assert jobs_of(said) == jobs_of(after_a_run.snakemake(*given[2:]).stdout)
    status, said = snakemake(after_a_run.folder, after_a_run.environment, ("--no-such-option",))
    assert status == after_a_run.run("snakemake", "--no-such-option").returncode != 0
    assert "--no-such-option" in said


def test_touching_modules_config_and_manifests_reruns_nothing(after_a_run):
    folder, now = after_a_run.folder, time.time()
    touched = [
        folder / TINY,
        folder / "config.yaml",
        folder / "Snakefile",
        *(folder / "workflow").rglob("*.smk"),
        *after_a_run.package.rglob("*.py"),
        *(path for path in after_a_run.results.rglob("*.json") if ".zarr/" not in str(path)),
    ]
    assert len(touched) > 80
    times = {path: path.stat() for path in touched}
    try:
        for path in touched:
            os.utime(path, (now, now))
        assert after_a_run.plan().jobs == set()
    finally:
        for path, stat in times.items():
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_a_comment_or_docstring_in_modules_rules_and_config_reruns_nothing(after_a_run):
    for path in ("store/files.py", "saes/types/topk.py", "models/training.py", "toy/model.py"):
        after_a_run.write(
            f"{PACKAGE}/{path}",
            lambda text: text.replace('"""', '"""Reworded. ', 1) + "\n# A comment.\n",
        )
    after_a_run.write("workflow/rules/saes.smk", lambda text: "# A comment.\n" + text)
    after_a_run.write(TINY, lambda text: "# A comment.\n" + text)
    assert after_a_run.plan().jobs == set()


def test_cores_threads_and_memory_rerun_nothing(after_a_run):
    arguments = ["--cores", "1", "--set-threads", "fit=2", "train=2"]
    arguments += ["--set-resources", "fit:mem_mb=9000", "finetune:mem_mb=123", "images:runtime=7"]
    assert after_a_run.plan(*arguments).jobs == set()


@pytest.mark.parametrize(
    ("module", "starts"),
    [
        ("activations.standardise", ["part"]),
        ("saes.types.relu_l1", ["fit/*/relu_l1"]),
        ("toy.measures", ["vulnerability", "geometry"]),
    ],
)
def test_editing_a_module_reruns_exactly_these_jobs(module, starts, after_a_run):
    after_a_run.write(f"{PACKAGE}/{module.replace('.', '/')}.py", with_code)
    assert_reruns(after_a_run.plan(), picked(*starts), picked(*RERUNS["modules"][module]))


def test_editing_the_config_reruns_exactly_these_jobs(after_a_run):
    after_a_run.replace(TINY, "relative_step: 1.25", "relative_step: 1.0")
    jobs = picked(*RERUNS["config"]["models"]["jobs"])
    assert_reruns(after_a_run.plan(), {"finetune/l2-1-s0"}, jobs)


def test_two_swapped_numbers_of_the_config_rerun_what_reads_them(after_a_run):
    """Params that Snakemake compares as a set of values, names dropped, would see no change here."""
    both = "relative_epsilon: {}\n    radius: sample\n    weight: {}"
    after_a_run.replace(TINY, both.format(0.1, 0.5), both.format(0.5, 0.1))
    assert_reruns(after_a_run.plan(), {"train"}, picked("TOY", "claims_table", "page"))


def test_a_module_edit_that_arrives_with_an_old_time_still_reruns(after_a_run):
    after_a_run.write(f"{PACKAGE}/attacks/methods/pgd.py", with_code, old_time=True)
    pgd = "craft/*/pgd"
    assert_reruns(after_a_run.plan(), picked(pgd), picked(pgd, "AFTER_ATTACKS", "page"))


def test_a_config_edit_that_arrives_with_an_old_time_still_reruns(after_a_run):
    after_a_run.replace(TINY, "samples: 64", "samples: 63", old_time=True)
    jobs = picked("vulnerability", "toy_table", "TOY_CURVES", "claims_table", "page")
    assert_reruns(after_a_run.plan(), {"vulnerability"}, jobs)


def test_adding_a_training_epsilon_retrains_no_network_that_there_is(after_a_run):
    after_a_run.replace(TINY, "epsilons: {l2: [1.0]}", "epsilons: {l2: [1.0, 3.0]}")
    plan = after_a_run.plan()
    new = {job.replace("l2-1-s0", "l2-3-s0") for job in JOBS if "l2-1-s0" in job}
    assert plan.starts == {f"{table}_table" for table in IN_TINY}  # what they are made from is more
    assert plan.jobs == new | picked(
        "accuracy_table", "accuracy_figure", "AFTER_LEAST", "AFTER_SAES", "page"
    )


def test_an_sae_type_that_the_experiment_leaves_out_is_not_in_its_plan(after_a_run):
    relu_l1 = "    relu_l1: {l1: [0.125, 0.5], warmup_fraction: 0.05, gradient_clip: 1.0}\n"
    after_a_run.replace(TINY, relu_l1, "")
    planned = after_a_run.plan("--forceall")
    assert planned.jobs == {job for job in JOBS if "relu_l1" not in job}


@pytest.mark.parametrize(
    ("sections", "jobs"),
    [
        ((*NETWORK_SECTIONS, "canvas"), picked("TOY", "claims_table", "page")),
        (("toy", "canvas"), JOBS - picked("TOY", "CANVAS")),
        ((*NETWORKS_ONLY, "toy"), picked("images", "CANVAS", "claims_table", "page")),
    ],
    ids=["toy models alone", "networks alone", "canvases alone"],
)
def test_an_arm_that_the_experiment_leaves_out_is_not_in_its_plan(sections, jobs, after_a_run):
    left = without(yaml.safe_load((after_a_run.folder / TINY).read_text()), sections)
    after_a_run.write(TINY, lambda text: yaml.safe_dump(left, sort_keys=False))
    assert after_a_run.plan("--forceall").jobs == jobs
    # of what was made with all arms, only claims and page are about all
    assert after_a_run.plan().jobs == {"claims_table", "page"}


def test_a_wrong_config_ends_in_one_message(after_a_run):
    after_a_run.replace(TINY, "  evaluation: {samples", "  evaluations: {samples")
    done = after_a_run.snakemake("--dry-run")
    assert done.returncode != 0
    assert "Traceback" not in done.stdout
    assert "2 errors" in done.stdout
    assert done.stdout.count("toy.evaluation: missing") == 1


def test_a_file_where_results_should_go_ends_in_one_message(tmp_path):
    checkout = Checkout.copy(tmp_path)
    (checkout.folder / "results").write_text("in the way\n")
    done = checkout.snakemake("--cores", "1")
    assert done.returncode != 0
    assert "Traceback" not in done.stdout
    said = f"results cannot be written: {checkout.folder / 'results'} is not a folder"
    assert done.stdout.count(said) == 1
    assert (checkout.folder / "results").read_text() == "in the way\n"
