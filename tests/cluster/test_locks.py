"""Whose a lock is: that of a noted Snakemake is a run's own, any other is left alone."""

import pytest

from interference.cluster import locks


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / ".snakemake" / "locks"
    place.mkdir(parents=True)
    (place / "0.input.lock").write_text("results/a/first.txt\n")
    (place / "0.output.lock").write_text("results/a/first.txt\nresults/a/second.txt\n")
    (place / "1.output.lock").write_text("results/ab/second.txt\nelsewhere/results/a/x\n")
    return tmp_path


def test_locks_on_an_experiment_are_those_that_name_its_files(folder):
    assert set(locks.locks_on("results/a", folder)) == {"0.input.lock", "0.output.lock"}
    assert set(locks.locks_on("results/ab", folder)) == {"1.output.lock"}
    assert locks.locks_on("results/b", folder) == {}
    assert locks.locks_on("results/a", folder / "nowhere") == {}


def test_noted_locks_are_own_until_another_snakemake_makes_them_anew(folder):
    noted = locks.locks_on("results/a", folder)
    assert locks.foreign(noted, [{}, noted]) == []
    assert locks.foreign(noted, []) == ["0.input.lock", "0.output.lock"]
    anew = {name: changed + 1 for name, changed in noted.items()}
    assert locks.foreign(anew, [noted]) == list(noted)


def test_only_the_named_locks_are_removed_and_one_that_is_gone_is_no_error(folder):
    noted = locks.locks_on("results/a", folder)
    locks.remove([*noted, "7.output.lock"], folder)
    assert [path.name for path in (folder / ".snakemake" / "locks").iterdir()] == ["1.output.lock"]


def test_a_complaint_names_the_files_and_what_to_do(folder):
    said = locks.complaint("results/a", ["0.output.lock"], folder)
    assert str(folder / ".snakemake" / "locks" / "0.output.lock") in said
    assert "snakemake --unlock" in said
