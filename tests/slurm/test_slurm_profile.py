"""profiles/slurm: what it asks for fits the rules, and `make slurm-profile` keeps off a user's own."""

import inspect
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from snakemake_executor_plugin_slurm.partitions import read_partition_file

from interference.plan.catalogue import FIGURES, TABLES
from tests.support import REPO
from tests.support.checkout import rule_blocks
from tests.support.slurm.journals import journal

PROFILE = yaml.safe_load((REPO / "profiles" / "slurm" / "config.yaml").read_text())
RULES = rule_blocks()
GPU_RULES = {rule for rule, asked in PROFILE["set-resources"].items() if asked.get("gpu")}


def make(folder: Path) -> subprocess.CompletedProcess:
    """`make slurm-profile` of a user whose configuration is in a folder."""
    return subprocess.run(
        ["make", "--no-print-directory", "slurm-profile"],
        cwd=REPO,
        env={**os.environ, "XDG_CONFIG_HOME": str(folder)},
        capture_output=True,
        text=True,
    )


def test_the_profile_names_rules_that_there_are():
    assert PROFILE["set-resources"].keys() <= RULES.keys()
    assert PROFILE["groups"].keys() <= RULES.keys()
    assert set(PROFILE["groups"].values()) == PROFILE["group-components"].keys()


def test_figures_are_in_a_group_and_no_rule_with_a_gpu_or_a_job_a_network_is():
    figures = {rule for rule in RULES if rule.endswith("_figure")}
    assert figures - PROFILE["groups"].keys() == {"l0_figure", "gallery_figure"}
    assert not GPU_RULES & PROFILE["groups"].keys()
    of_a_network = {rule for rule, block in RULES.items() if "{{model}}" in block}
    of_a_network |= {entry.rule for entry in (*TABLES, *FIGURES) if "{model}" in entry.path}
    assert not of_a_network & PROFILE["groups"].keys()


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_says_its_memory_and_minutes_by_attempt_and_leaves_threads_to_the_profile(rule):
    assert re.search(r"mem_mb=scaled\(\d+\),\n        runtime=scaled\(\d+\),\n", RULES[rule])
    # pictures are decoded with all cores of one machine, and on a cluster with one of the profile's
    assert ("threads" in RULES[rule]) == (rule == "images")


def test_what_a_rule_asks_for_at_the_last_attempt_fits_a_partition_and_the_limit_of_a_job():
    partitions = read_partition_file(REPO / "profiles" / "slurm" / "partitions.yaml")
    limits = {partition.name: partition.limits for partition in partitions}
    for rule, block in RULES.items():
        found = re.findall(r"(?:mem_mb|runtime)=scaled\((\d+)\)", block)
        memory, minutes = (int(first) * (1 + PROFILE["retries"]) for first in found)
        limit = limits["gpu" if rule in GPU_RULES else "cpu"]
        assert memory <= min(limit.max_mem_mb, PROFILE["resources"]["mem_mb"])
        assert minutes <= limit.max_runtime


def test_status_is_asked_so_that_no_ended_job_is_forgotten_first():
    """The plugin takes sacct where Slurm forgets a job sooner than three times this interval; it
    waits up to 180 seconds between two questions."""
    from snakemake_executor_plugin_slurm import Executor

    assert "max_sleep_time = 180" in inspect.getsource(Executor.check_active_jobs)
    assert 3 * PROFILE["slurm-init-seconds-before-status-checks"] >= 180
    assert PROFILE["slurm-status-command"] == "squeue"


def test_make_slurm_profile_links_it_once_and_says_so_the_second_time(tmp_path):
    first, second = make(tmp_path), make(tmp_path)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert (tmp_path / "snakemake" / "slurm").resolve() == REPO / "profiles" / "slurm"
    assert "already" in second.stdout


@pytest.mark.parametrize("kind", ["folder", "link of another clone", "dangling link"])
def test_make_slurm_profile_leaves_a_profile_of_the_user_as_it_is(kind, tmp_path):
    profile = tmp_path / "snakemake" / "slurm"
    profile.parent.mkdir()
    other = tmp_path / "elsewhere"
    if kind != "dangling link":
        other.mkdir()
        (other / "config.yaml").write_text("jobs: 1\n")
    other.rename(profile) if kind == "folder" else profile.symlink_to(other)
    done = make(tmp_path)
    assert done.returncode != 0
    assert str(profile) in done.stderr
    assert "--profile profiles/slurm" in done.stderr, "what to do instead"
    assert profile.is_symlink() == (kind != "folder")
    if kind != "dangling link":
        assert (profile / "config.yaml").read_text() == "jobs: 1\n"


@pytest.mark.slurm
def test_snakemake_finds_the_profile_by_its_name_after_make_slurm_profile(cluster, tmp_path):
    made = make(tmp_path)
    assert made.returncode == 0, made.stderr
    variables = {"XDG_CONFIG_HOME": str(tmp_path)}
    folder = tmp_path / "run"
    with journal(cluster, folder, profile="slurm", environment=variables, tasks=1) as jobs:
        jobs.finish()
        assert "Using profiles slurm and" in jobs.controller.said()
    assert {job["Partition"] for job in cluster.ended()} == {"cpu"}
    assert {job["Name"].partition("_")[0] for job in cluster.ended()} == {"interference"}
