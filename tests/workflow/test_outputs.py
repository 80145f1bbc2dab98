"""Outputs know their specs: what Snakemake recorded, and the times of files, decide nothing.

Each test begins with a copy of the completed tiny run, as `cp -r` leaves it: times are new.
"""

import json
import os
import random
import re
import shutil
import time
from pathlib import Path

import pytest

from interference.plan.outputs import difference, known_by
from interference.provenance import canonical, digest
from tests.support.checkout import PACKAGE, TINY, Checkout, with_code
from tests.support.tables import IN_TINY
from tests.support.tiny import JOBS, picked

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]

ATTACK_EDIT = ("steps: 2, relative_step", "steps: 4, relative_step")
AFTER_PGD = picked("craft/*/pgd", "AFTER_ATTACKS", "page")


@pytest.fixture
def copy(completed, tmp_path):
    """The completed run in another place, without records, and with files in no order of time."""
    made = Checkout(tmp_path / "checkout", tmp_path / "records")
    shutil.copytree(
        completed.folder, made.folder, ignore=shutil.ignore_patterns(".snakemake", "__pycache__")
    )
    made.records.mkdir()
    now, files = time.time(), sorted(path for path in made.results.rglob("*") if path.is_file())
    for path in files:
        moment = now - random.Random(str(path.relative_to(tmp_path))).randint(0, 10**6)
        os.utime(path, (moment, moment))
    return made


def test_a_copy_of_finished_results_is_finished(copy):
    assert copy.plan().jobs == set()


def test_an_edit_reruns_what_it_changes_where_there_are_no_records(copy):
    copy.replace(TINY, *ATTACK_EDIT)
    done = copy.snakemake("--dry-run")
    assert "pgd.json and 3 more: method.steps 2 → 4" in done.stdout
    assert copy.plan().jobs == AFTER_PGD
    copy.restore()
    copy.write(f"{PACKAGE}/attacks/methods/noise.py", with_code)
    assert copy.plan().jobs == picked("craft/*/noise", "AFTER_OTHER_ATTACKS", "page")


def test_what_was_touched_after_an_edit_is_still_made_anew_and_not_after_it_is_undone(copy):
    copy.replace(TINY, *ATTACK_EDIT)
    touched = copy.snakemake("--touch", "--cores", "1")
    assert touched.returncode == 0, touched.stdout
    assert copy.plan().jobs == AFTER_PGD
    copy.restore()
    assert copy.plan().jobs == set()  # though Snakemake's records say the edited spec


def test_an_edit_reruns_what_it_changes_whatever_snakemake_is_told_to_look_at(copy):
    assert copy.snakemake("--touch", "--cores", "1").returncode == 0  # there are records now
    copy.replace(TINY, *ATTACK_EDIT)
    planned = copy.plan("--rerun-triggers", "mtime")
    assert planned.jobs == AFTER_PGD
    for record in (copy.folder / ".snakemake" / "metadata").iterdir():
        if record.is_file() and json.loads(record.read_text())["rule"] == "craft":
            record.unlink()
            break
    assert copy.plan().jobs == AFTER_PGD


def test_only_jobs_that_the_target_needs_are_forced(copy):
    copy.replace(TINY, *ATTACK_EDIT)
    target = "results/tiny/attacks/clean-s0/pgd.json"
    assert copy.plan(target).jobs == {"craft/clean-s0/pgd"}
    assert copy.plan("results/tiny/analysis/tables/toy.parquet").jobs == set()


def test_a_layer_less_makes_the_tables_anew_although_no_file_is_newer(copy):
    copy.replace(TINY, "layers: {stem: 4, layer2: 8}", "layers: {stem: 4}")
    copy.replace(
        TINY,
        "    layer2: {expansion_factor: 2, rows: 3200, batch_size: 64, learning_rate: 0.002}\n",
        "",
    )
    planned = copy.plan().jobs
    tables = {f"{name}_table" for name in (*IN_TINY, "claims")} - {
        "accuracy_table",
        "least_table",
    }
    assert tables <= planned
    assert not {job for job in planned if job.startswith(("fit/", "finetune", "trunk", "toy"))}


@pytest.mark.parametrize(
    "files",  # together, those whose jobs do not feed each other
    [
        {
            "analysis/tables/claims.csv": "claims_table",
            "analysis/figures/toy.svg": "toy_figure",
            "analysis/figures/toy_attacks.png": "toy_attacks_figure",
        },
        {
            "analysis/tables/toy.parquet": "toy_table",
            "attacks/clean-s0/noise.zarr": "craft/clean-s0/noise",
        },
        {"toy/models.safetensors": "train"},
        {"toy/models.json": "train"},
    ],
    ids=lambda files: " and ".join(files),
)
def test_one_file_of_another_experiment_among_the_results_is_made_anew(files, copy):
    for path in files:
        spoil(copy.results, copy.results / path)
    assert set(files.values()) <= copy.plan().jobs


def spoil(results: Path, file: Path) -> None:
    """Put in its place what another experiment would have there."""
    if file.suffix == ".csv":
        file.write_text(file.read_text().replace("undecided", "reproduced"))
    elif file.suffix == ".json":
        manifest = json.loads(file.read_text())
        manifest["spec"]["steps"] = 99
        file.write_text(json.dumps(manifest))
    elif file.suffix == ".zarr":
        head = file / "zarr.json"
        head.write_text(head.read_text().replace('"noise"', '"esion"'))
    else:
        other = {
            ".parquet": "analysis/tables/l0.parquet",
            ".svg": "analysis/figures/toy_elhage.svg",
            ".png": "analysis/figures/toy_elhage.png",
            ".safetensors": "models/clean-s0.safetensors",
        }
        shutil.copy2(results / other[file.suffix], file)


def test_every_output_knows_the_spec_that_is_planned(copy):
    """Also: what a spec says is upstream is what the rule's inputs were made by."""
    done = copy.snakemake("--dry-run", "--forceall")
    checked = 0
    for block in re.split(r"^rule ", done.stdout, flags=re.MULTILINE)[1:]:
        fields = dict(re.findall(r"^    (input|output): (.*)$", block, re.MULTILINE))
        if "output" not in fields:
            continue
        outputs = [copy.folder / path for path in fields["output"].split(", ")]
        there = [path for path in outputs if path.exists() and path.suffix != ".csv"]
        specs = {known_by(path).get("spec") for path in there}  # some outputs are temporary
        assert len(specs) == 1, block
        (spec,) = specs
        inputs = [copy.folder / path for path in fields.get("input", "").split(", ") if path]
        # parts are made from what the rows are made from, and their number changes no byte of these
        inputs = [path for path in inputs if path.exists() and path.parent.name != "parts"]
        upstream = {known_by(path).get("spec") for path in inputs}
        said = json.loads(spec).get("inputs")
        assert said == (digest("\n".join(sorted(upstream))) if upstream else None), block
        checked += 1
    assert checked == len(JOBS)


def test_a_difference_is_told_in_words():
    roots = {"roots": ["interference.toy.train"], "digest": "1"}
    before = canonical({"method": {"steps": 2, "type": "pgd"}, "inputs": "a", "code": roots})
    for change, said in (
        ({"method": {"steps": 4, "type": "pgd"}}, "method.steps 2 → 4"),
        ({"method": {"steps": 2, "type": "pgd", "start": True}}, "method.start nothing → true"),
        ({"inputs": "b"}, "what it is made from"),
        ({"inputs": "b", "code": {**roots, "digest": "2"}}, "code of interference.toy.train"),
    ):
        assert difference(before, canonical({**json.loads(before), **change})) == said
    assert difference(None, before) == "nothing in it says what made it"


@pytest.mark.parametrize(
    "suffix", [".json", ".parquet", ".safetensors", ".svg", ".png", ".zarr", ".html", ".yaml"]
)
@pytest.mark.parametrize(
    "content", [b"", b"{}", b"\x89PNG\r\n\x1a\n", b"PAR1PAR1", b"\xff" * 40, None]
)
def test_what_a_file_cannot_say_is_not_known(suffix, content, tmp_path):
    path = tmp_path / f"x{suffix}"
    if content is not None:
        path.write_bytes(content)
    assert known_by(path) == {}
