"""`interference clean` removes what jobs keep for themselves, and nothing else."""

import os
import re
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from interference.cli import main
from interference.cli.clean import STALE_AFTER
from interference.plan.steps import ROOMS
from interference.saes.state import State
from interference.store.files import replacing
from interference.toy.state import checkpoint_name

KEY = "0123456789abcdef"
MINE = [
    f"saes/m/stem/.topk.{KEY}.member.safetensors",
    f"saes/m/stem/.topk.{KEY}.checkpoint.safetensors",
    f"toy/.models.{KEY}.checkpoint.safetensors",
    f"probes/m/stem/.topk.{KEY}.member.safetensors",
]
TEMPORARY = [
    "data/.images.json.123-89abcdef",
    "activations/m/stem/.rows.train.zarr.77-00000000/c/0/0",
    "activations/m/stem/.rows.train.zarr.77-00000001.old/c/0/0",
]
OTHERS = [
    "report/snakemake.html",
    f".topk.{KEY}.member.safetensors",  # in no room
    "logs/saes/fit/m/stem/topk.log",
    "logs/data/.images.json.123-89abcdef",
    "saes/m/stem/topk.safetensors",
    "saes/m/stem/.notes",
    f"saes/m/stem/topk.{KEY}.member.safetensors",
    "saes/m/stem/.topk.KEY.member.safetensors",
    f"saes/m/stem/.cache/.topk.{KEY}.member.safetensors",
    "activations/m/stem/rows.train.zarr/c/0/0",
    "activations/m/stem/rows.train.zarr/.zattrs.123-89abcdef",
    f"saes/m/.folder.{KEY}.member.safetensors/file",
]


def place(results, names, size=100, age=2 * STALE_AFTER):
    for name in names:
        file = results / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x" * size)
        for path in (file, *file.relative_to(results).parents):
            os.utime(results / path, (time.time() - age,) * 2)


@pytest.fixture
def results(tmp_path):
    place(tmp_path / "mine", [*MINE, *TEMPORARY, *OTHERS])
    return tmp_path / "mine"


def files(folder):
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() or p.is_symlink()}


def clean(*arguments):
    return CliRunner().invoke(main.app, ["clean", *map(str, arguments)])


def test_it_removes_checkpoints_members_and_stale_files_and_nothing_else(results):
    done = clean(results)
    assert done.exit_code == 0, done.output
    assert files(results) == set(OTHERS)
    assert not list(results.glob("activations/m/stem/.rows*"))
    for name in [*MINE, TEMPORARY[0]]:
        assert f"            100 B  {results / name}" in done.output
    assert clean(results).output.strip() == "0 B  were removed"


def test_it_says_the_bytes_of_files(results):
    for name in [*MINE, *TEMPORARY]:
        (results / name).unlink()
    place(results, MINE, size=1234)
    assert clean(results).output.splitlines()[-1].split() == ["4,936", "B", "were", "removed"]


def test_a_dry_run_removes_nothing_and_says_the_same(results):
    before = files(results)
    planned = clean(results, "--dry-run")
    assert planned.exit_code == 0
    assert files(results) == before
    assert planned.output.replace("could be removed", "were removed") == clean(results).output


def test_a_temporary_file_that_may_be_written_to_stays(results):
    place(results, TEMPORARY[:2], age=60)
    done = clean(results)
    assert files(results) == {*OTHERS, *TEMPORARY[:2]}
    assert done.output.count("left, it changed 60 s ago") == 2


def test_a_link_is_removed_and_what_it_names_stays(results, tmp_path):
    place(tmp_path, ["elsewhere/weights", f"elsewhere/.topk.{KEY}.member.safetensors"])
    link = results / "saes" / f".relu_l1.{KEY}.member.safetensors"
    link.symlink_to(tmp_path / "elsewhere" / "weights")
    (results / "saes" / "linked").symlink_to(tmp_path / "elsewhere")
    assert clean(results).exit_code == 0
    assert not link.is_symlink()
    assert len(files(tmp_path / "elsewhere")) == 2


@pytest.mark.parametrize(
    "names",
    [
        [],
        ["saes/.topk.0123456789abcdef.member.safetensors"],
        ["data/x", "models/y", "saes/.topk.0123456789abcdef.member.safetensors", "logs/run-1/log"],
        ["logs/saes/x.log", "logs/mine/y.log"],
    ],
    ids=["nothing", "no logs", "other logs", "more logs"],
)
def test_a_folder_that_is_not_an_experiments_results_is_refused(
    tmp_path, monkeypatch, capsys, names
):
    place(tmp_path / "other", names)
    before = files(tmp_path)
    monkeypatch.setattr("sys.argv", ["interference", "clean", str(tmp_path / "other")])
    with pytest.raises(SystemExit) as end:
        main.main()
    assert end.value.code == 1
    assert "other is not an experiment's results" in capsys.readouterr().err
    assert files(tmp_path) == before


def test_it_knows_the_names_that_jobs_make(tmp_path):
    state = State(tmp_path / "saes" / "topk.json", {"settings": {}}, "k", "0")
    toy = tmp_path / "toy" / "models.json"
    made = [state.checkpoint, state.member(4, 0), toy.with_name(checkpoint_name(toy, KEY))]
    with replacing(tmp_path / "data" / "images.zarr") as temporary:
        temporary.mkdir()
        made += [temporary, temporary.with_name(f"{temporary.name}.old")]
    place(tmp_path, ["logs/saes/x.log", *(path.relative_to(tmp_path) for path in made)])
    assert clean(tmp_path).exit_code == 0
    assert files(tmp_path) == {"logs/saes/x.log"}


def test_rooms_are_those_that_rules_log_to():
    rules = Path(__file__).parents[2] / "workflow" / "rules"
    text = "".join(path.read_text() for path in rules.glob("*.smk"))
    assert set(re.findall(r"\{LOGS\}/(\w+)/", text)) == set(ROOMS)
