"""YAML is read by one set of rules; words that its versions read differently are refused."""

import subprocess
import sys

import pytest
import yaml

from interference.config.load import check_config, read_config
from interference.config.reader import ConfigError, parse, read_values
from tests.support import REPO

TINY = REPO / "tests" / "experiments" / "tiny.yaml"

#: what a file says → what the error says of it
TRAPS = {
    "attacks: {no: 1}": "attacks.no: line 1: found the key no, which YAML reads as false; quote it: 'no'",
    "a: no": "a: line 1: found no, which YAML reads as false; write false, or for the text quote it: 'no'",
    "a:\n- on": "a.0: line 2: found on, which YAML reads as true; write true",
    "a: YES": "write true",
    "a: Off": "write false",
    "a: 010": "found 010, which YAML reads as 8; write the decimal number, or for the text quote it: '010'",
    "a: 08": "found 08, which YAML reads as text; write the decimal number",
    "a: 0o10": "found 0o10, which YAML reads as text",
    "a: 0x10": "found 0x10, which YAML reads as 16",
    "a: 0b11": "found 0b11, which YAML reads as 3",
    "a: 1:30": "found 1:30, which YAML reads in base 60",
    "a: 20:30:10.5": "which YAML reads in base 60",
    "experiment: 2026-11-26": "reads as a date; quote it: '2026-11-26'",
    "a: 2026-11-26 10:00:00": "reads as a date",
    "a: 1e-3": "found 1e-3, which YAML reads as text; write 0.001, or for the text quote it: '1e-3'",
    "a: 1E5": "write 100000",
    "a: 1.5e3": "write 1500",
    "a: 1e-30": "write 1.0e-30",
    "root: None": "found None, which YAML reads as text; write null",
    "1: a": "1: line 1: found the key 1, which YAML reads as int; quote it: '1'",
    "2.5: a": "reads as float; quote it: '2.5'",
    "true: a": "reads as bool; quote it: 'true'",
    "~: a": "found the key ~, which YAML reads as null",
    ": a": "is not YAML",
    "1e3: a": "found the key 1e3",
    "a: 1\nb: 2\na: 3": "a: line 3: the key 'a' stands twice in its block, first at line 1; keep one",
    "a: 1\n'a': 2": "the key 'a' stands twice",
    "a: &x {b: 1}\nc: {<<: *x, <<: *x}": "the key '<<' stands twice",
    "a: &x {b: 1, b: 2}\nc: *x": "a.b: line 1: the key 'b' stands twice",
    "a: &x [*x]": "a.0: line 1: an alias leads back",
    "a: &x {b: *x}": "a.b: line 1: an alias leads back",
    "? {b: 1}\n: 2": "a key is a word, found a block or list",
    "a: =": "is not YAML",
    "a: !!python/name:os.system": "is not YAML",
    "a: 1\n---\nb: 2": "is not YAML",
}

#: what a file says → what it means
MEANT = {
    "a: 'no'": {"a": "no"},
    'a: "010"': {"a": "010"},
    "'no': 1": {"no": 1},
    "a: !!str 2026-11-26": {"a": "2026-11-26"},
    "a: true": {"a": True},
    "a: False": {"a": False},
    "a: 0": {"a": 0},
    "a: -0.5": {"a": -0.5},
    "a: .5": {"a": 0.5},
    "a: 5.e-7": {"a": 5e-7},
    "a: 1_000": {"a": 1000},
    "a: 1.0e-3": {"a": 0.001},
    "a: null": {"a": None},
    "a: ~": {"a": None},
    "a:": {"a": None},
    "a: 8/255": {"a": "8/255"},
    "a: layer1": {"a": "layer1"},
    "a: e5": {"a": "e5"},
    "a: 1.2.3": {"a": "1.2.3"},
    "a: >\n  010\n": {"a": "010\n"},
    "p: &x {s: 1, t: 2}\nq: {<<: *x, t: 3}": {"p": {"s": 1, "t": 2}, "q": {"s": 1, "t": 3}},
    "p: &x {s: 1}\nr: &y {s: 2, u: 4}\nq: {<<: [*x, *y]}": {
        "p": {"s": 1},
        "r": {"s": 2, "u": 4},
        "q": {"s": 1, "u": 4},
    },
    '{"a": 1, "b": [0.5]}': {"a": 1, "b": [0.5]},
    "\ufeffa: 1": {"a": 1},
}


@pytest.mark.parametrize("text", TRAPS)
def test_a_word_that_is_read_as_nobody_means_it_is_refused(text, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        read_values([path])
    assert TRAPS[text] in str(error.value)


@pytest.mark.parametrize("text", MEANT)
def test_what_means_one_thing_is_read_so(text, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(text, encoding="utf-8")
    assert read_values([path]) == MEANT[text]


def test_every_fault_of_a_file_is_named_at_once():
    with pytest.raises(ConfigError, match="c has 3 errors") as error:
        parse("a: no\nb: {c: 010, c: 1}", "c")
    assert len(str(error.value).splitlines()) == 4


def test_later_files_and_overrides_change_what_they_name_and_no_more(tmp_path):
    for name, text in {"1": "a: {b: 1, c: [1]}\nd: 2", "2": "a: {c: [2]}"}.items():
        (tmp_path / name).write_text(text)
    merged = read_values([tmp_path / "1", tmp_path / "2"], ["a={e: 3}", "d=", "f=8/255"])
    assert merged == {"a": {"b": 1, "c": [2], "e": 3}, "d": None, "f": "8/255"}


@pytest.mark.parametrize(
    ("override", "said"), [("d=010", "--config d has 1 error"), ("a={b: no}", "a.b:")]
)
def test_overrides_are_read_by_the_same_rules(override, said):
    with pytest.raises(ConfigError) as error:
        read_values([], [override])
    assert said in str(error.value)


def test_merge_keys_make_the_same_experiment(tmp_path):
    values = yaml.safe_load(TINY.read_text())
    text = TINY.read_text().replace(
        "pgd: {type: pgd, norm: l2", "pgd: {type: pgd, <<: &norm {norm: l2}"
    )
    text = text.replace("noise: {type: noise, norm: l2", "noise: {type: noise, <<: *norm")
    (tmp_path / "c.yaml").write_text(text)
    assert read_config(tmp_path / "c.yaml") == check_config(values)


#: a change of tiny.yaml → part of the one error in every way in
EVERYWHERE = {
    "twice": ("batch_size: 50", "batch_size: 50\n  batch_size: 40", "models.batch_size: line"),
    "octal": ("images: 32", "images: 032", "attacks.images: line"),
    "false": ("    pgd: {", "    no: {", "attacks.methods.no: line"),
    "experiment": ("experiment: tiny", "experiment: my_run", "small letters, digits"),
}


@pytest.mark.parametrize("case", EVERYWHERE)
def test_every_way_in_gives_the_same_error_before_any_job(case, tmp_path):
    old, new, said = EVERYWHERE[case]
    path = tmp_path / "c.yaml"
    path.write_text(TINY.read_text().replace(old, new))
    with pytest.raises(ConfigError) as error:
        read_config(path)
    lines = str(error.value).splitlines()
    assert said in lines[-1]
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--dry-run",
        "--snakefile",
        str(REPO / "Snakefile"),
    ]
    done = subprocess.run(
        [*command, "--configfile", str(path)], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode != 0
    assert lines[-1] in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_config_of_snakemake_changes_the_default_experiment(tmp_path):
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "--cores", "1"]
    command += ["--snakefile", str(REPO / "Snakefile"), "--directory", str(REPO)]
    done = subprocess.run(
        [*command, "--config", "toy={steps: 1e2}"], capture_output=True, text=True
    )
    assert done.returncode != 0
    assert (
        "toy.steps: line 1: found 1e2, which YAML reads as text; write 100"
        in done.stdout + done.stderr
    )
    target = "results/other/toy/models.json"
    done = subprocess.run(
        [*command, target, "--config", "experiment=other", "toy={steps: 11}"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
