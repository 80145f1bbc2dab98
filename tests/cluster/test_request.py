"""What a launch is asked for: checked as Snakemake would, and refused with what to do instead."""

import shutil

import pytest

from interference.cluster.launching import command, todo
from interference.cluster.request import LaunchError, read
from interference.config.load import ConfigError
from tests.support import REPO
from tests.support.checkout import TINY


@pytest.fixture
def folder(tmp_path, monkeypatch):
    shutil.copytree(REPO / "profiles", tmp_path / "profiles")
    for name in ("Snakefile", "config.yaml"):
        shutil.copy(REPO / name, tmp_path)
    shutil.copy(REPO / TINY, tmp_path / "tiny.yaml")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    return tmp_path


def test_the_experiment_is_the_one_that_snakemake_would_run(folder):
    assert read("slurm", [], folder).results == "results/fashion-mnist"
    chosen = read("slurm", ["--configfile", "tiny.yaml"], folder)
    assert (chosen.results, chosen.executor) == ("results/tiny", "slurm")
    other = read("slurm", ["--configfile", "tiny.yaml", "--config", "experiment=other"], folder)
    assert other.results == "results/other"
    assert read(None, [], folder).executor == "local"
    assert read("slurm", ["--executor", "local", "-n"], folder).dry_run


def test_a_users_own_profile_comes_before_the_clones(folder):
    assert read("slurm", [], folder).profile == folder / "profiles" / "slurm"
    own = folder / "home" / "snakemake" / "slurm"
    shutil.copytree(folder / "profiles" / "slurm", own)
    assert read("slurm", [], folder).profile == own
    assert read("profiles/slurm", [], folder).profile == folder / "profiles" / "slurm"
    file = "profiles/slurm/config.yaml"
    assert read(file, [], folder).profile == folder / file


def test_a_profile_that_is_nowhere_is_refused_with_all_places(folder):
    with pytest.raises(LaunchError, match="no profile 'mine'") as refused:
        read("mine", [], folder)
    for place in (folder / "mine", folder / "home/snakemake/mine", folder / "profiles/mine"):
        assert str(place) in str(refused.value)


def test_arguments_come_last_and_unchanged(folder):
    given = ["results/tiny/toy/models.json", "--configfile", "tiny.yaml", "--keep-incomplete"]
    arguments = command(read("slurm", given, folder))
    assert arguments[-4:] == tuple(given)
    assert "--rerun-incomplete" in arguments
    assert arguments[:2] == ("--profile", str(folder / "profiles" / "slurm"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--bogus"], "unrecognized arguments: --bogus"),
        (["--cores", "many"], "--cores"),
        (["-F"], "--forceall cannot be given to a launch: a controller that starts again"),
        (["-f", "x"], "--force cannot"),
        (["-R", "x"], "--forcerun cannot"),
        (["--nolock"], "--nolock cannot"),
        (["--unlock"], "--unlock cannot"),
        (["--directory", "x"], "--directory cannot be given to a launch: launch in that folder"),
        (["--slurm-jobname-prefix=x"], "--slurm-jobname-prefix cannot"),
        (["--profile", "x"], "--profile cannot be given after the `--`"),
        (["--persistence-backend", "db"], "found db"),
        (["--configfile", "none.yaml"], "none.yaml"),
        (["--config", "x"], "config"),
    ],
)
def test_what_a_launch_cannot_honour_is_refused(folder, arguments, said):
    with pytest.raises(LaunchError) as refused:
        read("slurm", arguments, folder)
    assert said in str(refused.value)


def test_a_wrong_config_is_refused_with_the_field(folder):
    (folder / "tiny.yaml").write_text(
        (folder / "tiny.yaml").read_text().replace("steps: 100", "steps: 0")
    )
    with pytest.raises(ConfigError, match=r"toy\.steps: found 0"):
        read("slurm", ["--configfile", "tiny.yaml"], folder)


def test_what_is_left_is_snakemakes_own_table():
    table = "job    count\n-----  -----\nall        1\ntotal      1"
    assert todo(f"Building DAG of jobs...\nJob stats:\n{table}\n\nReasons:\n") == table
    assert (
        todo("Building DAG of jobs...\nNothing to be done (all requested files are present).\n")
        == ""
    )
