"""The Makefile with tools that only say how they were called: nothing is installed, nothing is run."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import REPO

#: Notes a call as NAME <argument> <argument> …; makes an environment of copies of itself; fails where
#: its arguments match the pattern FAILS.
STUB = """#!/bin/sh
{ printf '%s' "${0##*/}"; printf ' <%s>' "$@"; echo; } >> "$CALLS"
printenv > "$CALLS.environment"
case "$*" in
$FAILS) exit 1 ;;
"-m venv --clear "*)
    rm -rf "$4"; mkdir -p "$4/bin"
    for name in python uv interference snakemake; do cp "$0" "$4/bin/$name"; done ;;
"config results "*) echo results/mini ;;
esac
"""
#: What a check of an environment calls, at each start of make.
LOOK = "python <-I>"


@dataclass
class Clone:
    folder: Path
    tools: Path

    @classmethod
    def make(cls, folder: Path) -> "Clone":
        clone = cls(folder / "my $a clone", folder / "to 'ols'")
        for part in ("Makefile", "envs/requirements.txt", "pyproject.toml",
                     "tests/benchmarks/peers.txt"):  # fmt: skip
            (clone.folder / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPO / part, clone.folder / part)
        clone.tools.mkdir()
        (clone.tools / "python3").write_text(STUB)
        (clone.tools / "python3").chmod(0o755)
        return clone

    def __call__(self, *arguments: str, fails: str = "none", **variables: str | None):
        """The calls of one make, and its exit code."""
        calls = self.tools / "calls"
        calls.write_text("")
        own = {"PATH": f"{self.tools}:/usr/bin:/bin", "CALLS": str(calls), "FAILS": fails}
        changed = {**os.environ, **own, **variables}
        environment = {n: v for n, v in changed.items() if v is not None and "MAKE" not in n}
        done = subprocess.run(
            ["make", *arguments], cwd=self.folder, env=environment, capture_output=True
        )
        lines = calls.read_text().splitlines()
        return done.returncode, [line for line in lines if not line.startswith(LOOK)]

    def environment(self) -> dict[str, str]:
        """That of the last call."""
        lines = (self.tools / "calls.environment").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)


@pytest.fixture
def clone(tmp_path):
    return Clone.make(tmp_path)


def venvs(calls: list[str]) -> list[str]:
    return [call.split("<")[-1][:-1] for call in calls if "<venv>" in call]


def test_an_environment_is_made_once(clone):
    assert venvs(clone("peers")[1]) == [".venv", ".venv-peers"]
    assert clone("peers") == (0, [])
    assert clone("setup") == (0, [])


@pytest.mark.parametrize("how", ["moved", "copied", "Python gone", "Python changed", "cut off"])
def test_an_environment_that_does_not_work_is_made_again(how, clone):
    clone("peers")
    elsewhere = clone.folder.with_name("elsewhere")
    if how == "moved":
        clone.folder = clone.folder.rename(elsewhere)
    elif how == "copied":
        clone.folder = shutil.copytree(clone.folder, elsewhere)
    elif how == "cut off":
        for name in (".venv", ".venv-peers"):
            (clone.folder / name / ".ready").unlink()
    for name in (".venv", ".venv-peers") if how.startswith("Python") else ():
        python = clone.folder / name / "bin" / "python"
        python.unlink()
        python.symlink_to("/nowhere/python" if how == "Python gone" else "/bin/false")
    assert venvs(clone("peers")[1]) == [".venv", ".venv-peers"]
    assert clone("peers") == (0, [])


def test_peers_alone_are_made_again_where_only_theirs_is_gone(clone):
    clone("peers")
    (clone.folder / ".venv-peers" / "bin" / "python").unlink()
    assert venvs(clone("peers")[1]) == [".venv-peers"]


@pytest.mark.parametrize("target", ["run", "plan", "quality"])
def test_a_wrong_config_ends_it_before_any_job(target, clone):
    clone("peers")
    code, calls = clone(target, fails="config check *")
    assert code != 0
    assert calls == ["interference <config> <check> <config.yaml>"]


def test_no_report_is_built_in_a_folder_that_nobody_named(clone):
    clone("setup")
    code, calls = clone("run", fails="config results *")
    assert code != 0
    assert not any("report" in call for call in calls)


def test_a_run_that_fails_builds_no_report_and_concludes_nothing(clone):
    clone("setup")
    code, calls = clone("run", fails="--cores all *")
    assert code != 0
    assert not any("report" in call or "conclude" in call for call in calls)


@pytest.mark.parametrize("given", ["argument", "variable"])
@pytest.mark.parametrize("name", ["my config.yaml", 'it\'s $a "b" `c` #d é.yaml'])
def test_a_config_may_be_called_anything(name, given, clone):
    clone("setup")
    arguments = ("CONFIG=" + name,) if given == "argument" else ()
    variables = {"CONFIG": name} if given == "variable" else {}
    code, calls = clone("run", "CORES=2", *arguments, **variables)
    assert code == 0
    assert calls == [
        f"interference <config> <check> <{name}>",
        f"snakemake <--cores> <2> <--configfile> <{name}>",
        f"interference <config> <results> <{name}>",
        f"snakemake <--cores> <1> <--configfile> <{name}> <--report> <results/mini/report/snakemake.html>",
        f"interference <config> <results> <{name}>",
        "interference <report> <conclude> <results/mini>",
    ]
    code, calls = clone("plan", *arguments, **variables)
    assert calls[1:] == [f"interference <plan> <--configfile> <{name}>"]


def test_a_python_may_lie_anywhere(clone):
    code, calls = clone("setup", f"PYTHON={clone.tools}/python3", PATH="/usr/bin:/bin")
    assert code == 0
    assert venvs(calls) == [".venv"]


def test_what_the_user_installs_elsewhere_with_does_not_count(clone):
    given = {"PIP_USER": "1", "PIP_TARGET": "/t", "UV_SYSTEM_PYTHON": "1", "PYTHONPATH": "/p"}
    assert clone("setup", **given)[0] == 0
    assert given.keys() & clone.environment().keys() == set()


@pytest.mark.parametrize("home", ["/proc", "Makefile", None])
def test_caches_are_the_clones_where_home_cannot_be_written(home, clone):
    home = str(clone.folder / home) if home else None
    assert clone("setup", HOME=home, XDG_CACHE_HOME=None)[0] == 0
    assert clone.environment()["XDG_CACHE_HOME"] == f"{clone.folder}/.snakemake/cache"


def test_caches_stay_the_users_where_they_can_be_written(clone, tmp_path):
    assert clone("setup", HOME=str(tmp_path), XDG_CACHE_HOME=None)[0] == 0
    assert "XDG_CACHE_HOME" not in clone.environment()


@pytest.mark.parametrize("letter", [":", "\\"])
def test_a_folder_in_which_no_environment_works_is_refused(letter, clone):
    clone.folder = clone.folder.rename(clone.folder.with_name(f"a{letter}b"))
    code, calls = clone("setup")
    assert code != 0
    assert calls == []


def test_a_profile_is_linked_from_and_to_any_folder(clone, tmp_path):
    (clone.folder / "profiles" / "slurm").mkdir(parents=True)
    home = tmp_path / 'my "$home"'
    code, _ = clone("slurm-profile", HOME=str(home), XDG_CONFIG_HOME=None)
    assert code == 0
    linked = home / ".config" / "snakemake" / "slurm"
    assert linked.resolve() == clone.folder / "profiles" / "slurm"


def test_the_default_goal_is_help(clone):
    assert clone() == (0, [])
    assert not (clone.folder / ".venv").exists()
