"""Which outputs have no record of what made them, and what a plan's digest depends on."""

import os
import shutil

import pytest

from interference.cluster.adoption import plan_digest, record_of, unrecorded
from tests.support import REPO
from tests.support.checkout import TINY

HEADER = "output_file\tdate\trule\tlog-file(s)\tstatus\tplan\n"


def test_outputs_made_meanwhile_are_those_that_are_new_and_have_no_record(tmp_path):
    rows = []
    for name, age, date, plan, recorded in (
        ("made", 5, "today", "no update", None),
        ("old", -5, "today", "no update", None),
        ("recorded", 5, "today", "no update", "metadata"),
        ("incomplete", 5, "today", "no update", "incomplete"),
        ("pending", 5, "today", "update pending", None),
        ("missing", 5, "-", "update pending", None),
        (f"long-{'x' * 190}", 5, "today", "no update", None),
        (f"long-{'y' * 190}", 5, "today", "no update", "metadata"),
    ):
        path = tmp_path / "results" / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
        os.utime(path, (1000 + age,) * 2)
        rows.append(f"results/{name}\t{date}\trule\t-\tok\t{plan}\n")
        if recorded:
            record = record_of(f"results/{name}", tmp_path, recorded)
            record.parent.mkdir(parents=True, exist_ok=True)
            record.touch()
    found = unrecorded("".join([HEADER, *rows]), tmp_path, since=1000)
    assert found == ["results/made", f"results/long-{'x' * 190}"]


def test_records_are_where_snakemake_has_them(tmp_path):
    from snakemake.persistence.file import FilePersistence

    snakemake = FilePersistence(path=tmp_path / ".snakemake")
    for output in ("results/a.txt", f"results/{'x' * 500}.txt"):
        found = snakemake._record_path(snakemake._metadata_path, output)
        assert str(record_of(output, tmp_path)) == found


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for part in ("profiles", "workflow/rules"):
        shutil.copytree(REPO / part, tmp_path / part)
    for name in ("Snakefile", "config.yaml"):
        shutil.copy(REPO / name, tmp_path)
    shutil.copy(REPO / TINY, tmp_path / "tiny.yaml")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("tiny.yaml", "steps: 100", "steps: 101"),
        ("workflow/rules/toy.smk", "interference toy train", "interference toy  train"),
        ("Snakefile", "tables()", "tables(),"),
    ],
)
def test_a_change_of_config_or_rules_is_another_plan(folder, path, old, new):
    arguments = ["--configfile", "tiny.yaml"]
    before = plan_digest(arguments, folder)
    assert plan_digest([*arguments, "--keep-incomplete"], folder) == before
    text = (folder / path).read_text()
    assert old in text
    (folder / path).write_text(text.replace(old, new, 1))
    assert plan_digest(arguments, folder) != before
