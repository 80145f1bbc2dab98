"""What an edit reruns, against tables written by hand: every config key and every module, alone.

The tables are in invalidation.yaml. They say what *should* rerun, from what the numbers of a job depend
on; nothing in them is derived from the code that makes specs. Here a job reruns where its own spec
changes; what follows downstream of it is in test_reruns.py.
"""

import ast
import copy
import json
import os
import re
import subprocess
import sys
import typing
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from interference import provenance
from interference.config.schema import Config
from interference.plan import arms as arms_module
from interference.plan.catalogue import FIGURES, TABLES
from tests.support import REPO
from tests.support.checkout import chosen, forget_sources, rule_blocks, with_code
from tests.support.networks import MINE
from tests.support.specs import REMOVE, Patterns, changed, edit, edited, jobs_of, specs_of
from tests.support.tables import DRAWN

pytestmark = pytest.mark.xdist_group("package")

PACKAGE = REPO / "workflow" / "lib" / "interference"
TABLE = yaml.safe_load(Path(__file__).with_name("invalidation.yaml").read_text(encoding="utf-8"))
PATTERNS = Patterns(TABLE["groups"])
CONFIG, FROM_FILES = TABLE["config"], TABLE["from_files"]

#: An experiment in which every section has at least two of what it may have many of.
BASE = yaml.safe_load((REPO / "tests" / "experiments" / "every.yaml").read_text(encoding="utf-8"))
#: The same with networks from files instead: of the hub, and one's own.
PICTURES = {
    "data.dataset": "image-folder",
    "data.root": "/pictures",
    "data.image_size": 32,
    "data.pictures": {"resize": 36, "corrupt": "refuse"},
}
HUB = {
    "source": "hub",
    "folder": None,
    "revision": "main",
    "checkpoints": {"resnet18_l2_eps0": None, "resnet18_linf_eps4.0": None},
}
FILES = {
    "source": "files",
    "networks": {
        "mine": MINE,
        "larger": MINE | {"architecture": "resnet50"},
        "robust": MINE | {"norm": "l2", "epsilon": 1.0},
    },
}
#: These never touch a number: they read, plan, check, start and report.
NO_NUMBERS = ("config", "plan", "cli", "cluster", "provenance", "progress")


#: Modules that hold code, all others, without the package's own name.
NUMERIC = sorted(
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    for path in PACKAGE.rglob("*.py")
    if path.read_text(encoding="utf-8").strip()
    and path.relative_to(PACKAGE).with_suffix("").parts[0] not in NO_NUMBERS
)


@pytest.fixture(scope="module")
def base() -> dict[str, str]:
    assert provenance.ROOT == PACKAGE, "another checkout's package is installed here"
    return jobs_of(BASE)


@pytest.fixture(scope="module")
def hub() -> dict[str, str]:
    """Specs of the experiment with two checkpoints of the hub instead of trained networks."""
    return jobs_of(edited({**PICTURES, "models": HUB}, BASE))


def but_the_page(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """Jobs that an edit of the config changes, without the page, which shows all of it and always is."""
    jobs = changed(before, after)
    assert "page" in jobs
    return jobs - {"page"}


def schema_keys(model: type[BaseModel], prefix: str = "") -> set[str]:
    """Every leaf key of a config, `*` for a name, `<type>` for a member of a tagged union."""
    keys: set[str] = set()
    for name, field in model.model_fields.items():
        keys |= _keys_of(field.annotation, f"{prefix}{name}")
    return keys


def _keys_of(annotation: object, path: str) -> set[str]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        tag = annotation.model_fields.get("type") or annotation.model_fields.get("source")
        words = typing.get_args(tag.annotation) if tag else ()
        tagged = f"{path}.<{words[0]}>" if len(words) == 1 else path
        return schema_keys(annotation, f"{tagged}.")
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _keys_of(arguments[0], path)
    if origin is dict:
        return _keys_of(arguments[1], f"{path}.*")
    inner = [a for a in arguments if a is not type(None)]
    if origin is not list and any(
        "<" in key or key != path for a in inner for key in _keys_of(a, path)
    ):
        return set().union(*(_keys_of(a, path) for a in inner))
    return {path}


def test_the_tables_speak_of_every_rule_of_the_workflow():
    assert rule_blocks().keys() == set(PATTERNS.flat(["RULES", "CONVERTED"]))


def test_the_base_experiment_has_jobs_of_every_rule_and_the_hubs_of_all_others(base, hub):
    rules, training = (set(PATTERNS.flat([group])) for group in ("RULES", "TRAINING"))
    assert {job.split("/")[0] for job in base} == rules
    assert {job.split("/")[0] for job in hub} == rule_blocks().keys() - training


def test_the_config_table_holds_every_key_of_the_schema_and_no_other():
    assert schema_keys(Config) == {*CONFIG, *FROM_FILES, *TABLE["elsewhere"]}


def test_the_module_table_has_no_line_of_a_module_that_is_gone():
    assert {*TABLE["modules"], *TABLE["hub_modules"]} <= set(NUMERIC)


@pytest.mark.parametrize("key", CONFIG)
def test_editing_a_config_key_changes_the_specs_of_exactly_these_jobs(key, base):
    line = CONFIG[key]
    edits = line["edit"] if "edit" in line else {re.sub(r"<\w+>\.", "", key): line["to"]}
    after = jobs_of(edited(edits, BASE))
    assert but_the_page(base, after) == PATTERNS.chosen(base, line["jobs"])


@pytest.mark.parametrize("key", FROM_FILES)
def test_editing_a_key_of_networks_from_files_changes_the_specs_of_exactly_these_jobs(key):
    edit, after = FROM_FILES[key]["edit"], copy.deepcopy(HUB if "<hub>" in key else FILES)
    (after if "<hub>" in key else after["networks"]["robust"]).update(edit)
    before = HUB if "<hub>" in key else FILES
    # the network of another architecture has none that another's images could come from
    of_networks = {} if "<hub>" in key else {"attacks.methods.transferred": REMOVE}
    base, then = (
        jobs_of(edited({**PICTURES, **of_networks, "models": models}, BASE))
        for models in (before, after)
    )
    assert but_the_page(base, then) == PATTERNS.chosen(base, FROM_FILES[key]["jobs"])


@pytest.mark.parametrize(
    "edit", [{"resize": 40}, {"corrupt": "skip"}], ids=lambda edit: next(iter(edit))
)
def test_editing_how_pictures_become_images_changes_only_images(edit, hub):
    pictures = PICTURES | {"data.pictures": PICTURES["data.pictures"] | edit}
    assert but_the_page(hub, jobs_of(edited({**pictures, "models": HUB}, BASE))) == {"images"}


def imported(module: str) -> set[str]:
    """Modules of the package that a module names in its imports, wherever these stand in it."""
    path = PACKAGE.joinpath(*module.split(".")).with_suffix(".py")
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name.removeprefix("interference.") for name in names} & set(NUMERIC)


@cache
def reached(module: str) -> frozenset[str]:
    """The module and all that it imports, directly or not."""
    seen, found = set(), {module}
    while found:
        seen |= found
        found = set().union(*map(imported, found)) - seen
    return frozenset(seen)


def expected(module: str, specs: dict[str, str]) -> set[str]:
    """Jobs that an edit of a module shall rerun: those of its line, or those that the rule says."""
    if module in TABLE["modules"]:
        return PATTERNS.chosen(specs, TABLE["modules"][module])
    for kind, entries in (("tables", TABLES), ("figures", FIGURES)):
        for entry in entries:
            if module == f"analysis.{kind}.{entry.name}":
                jobs = {job for job in specs if job.partition("/")[0] == entry.rule}
                return jobs | ({"page"} if module in reached("report.page") else set())
    return {
        job
        for job, spec in specs.items()
        for root in json.loads(spec)["code"]["roots"]
        if module in reached(root.removeprefix("interference."))
    }


@pytest.mark.parametrize("module", NUMERIC)
def test_editing_a_module_changes_the_specs_of_exactly_these_jobs(module, base, package):
    edit(package, module)
    assert changed(base, jobs_of(BASE)) == expected(module, base)


def test_editing_a_template_changes_the_page_alone(base, package):
    for path in (package / "report" / "templates").iterdir():
        before = jobs_of(BASE)
        path.write_text(path.read_text() + "\n")
        assert changed(before, jobs_of(BASE)) == {"page"}, path


@pytest.mark.parametrize("module", TABLE["hub_modules"])
def test_editing_a_module_of_checkpoints_changes_the_specs_of_exactly_these_jobs(
    module, hub, package
):
    edit(package, module)
    after = jobs_of(edited({**PICTURES, "models": HUB}, BASE))
    assert changed(hub, after) == PATTERNS.chosen(hub, TABLE["hub_modules"][module])


def test_the_rule_says_of_modules_that_have_a_line_what_the_line_says(base, monkeypatch):
    lines = TABLE["modules"]
    monkeypatch.setitem(TABLE, "modules", {})
    for module, jobs in lines.items():
        assert expected(module, base) == PATTERNS.chosen(base, jobs), module


def test_editing_what_touches_no_number_changes_no_spec(base, package):
    paths = [p for m in NO_NUMBERS for p in [package / f"{m}.py", *(package / m).rglob("*.py")]]
    present = [path for path in paths if path.is_file() and path.read_text().strip()]
    assert len(present) > 10
    for path in present:
        path.write_text(with_code(path.read_text()))
    assert jobs_of(BASE) == base


def with_comments_and_other_docstrings(source: str) -> str:
    """``source`` with a word more in every docstring, comments and blank lines in between."""
    lines = source.splitlines(keepends=True)
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if ast.get_docstring(node) is None:
            continue
        at = node.body[0].value.lineno - 1
        assert '"""' in lines[at]
        lines[at] = lines[at].replace('"""', '"""Reworded. ', 1)
    return "# A comment.\n\n\n" + "".join(lines) + "\n# Another.\n"


def test_a_comment_or_docstring_edit_of_every_module_changes_no_spec(base, package):
    reworded = 0
    for path in package.rglob("*.py"):
        source = path.read_text()
        if source.strip():
            path.write_text(with_comments_and_other_docstrings(source))
            reworded += path.read_text().count("Reworded.")
    assert reworded > 100
    assert jobs_of(BASE) == base


def test_a_docstring_where_there_was_none_changes_no_spec(base, package):
    path = package / "store" / "files.py"
    source = path.read_text()
    bare = "class Bare(Exception):\n    pass\n"
    path.write_text(source + bare)
    forget_sources()
    before = jobs_of(BASE)
    path.write_text(source + bare.replace("    pass", '    """Now it has one."""'))
    forget_sources()
    assert jobs_of(BASE) == before != base


def test_text_that_is_data_is_no_docstring():
    assert provenance.normalised("x = 'a'") != provenance.normalised("x = 'b'")
    function = "def f():\n    return {!r}\n"
    assert provenance.normalised(function.format("a")) != provenance.normalised(
        function.format("b")
    )


def test_two_swapped_numbers_of_the_code_change_a_spec(base, package):
    path = package / "toy" / "measures.py"
    source = path.read_text()
    path.write_text(source + "\n_PAIR = (1, 2)\n")
    forget_sources()
    before = jobs_of(BASE)
    path.write_text(source + "\n_PAIR = (2, 1)\n")
    forget_sources()
    assert changed(before, jobs_of(BASE)) == set(PATTERNS.flat(["ATTACKED"]))


def test_two_swapped_numbers_of_the_config_change_a_spec(base):
    swap = {"toy.adversarial.relative_epsilon": 0.5, "toy.adversarial.weight": 0.1}
    assert but_the_page(base, jobs_of(edited(swap, BASE))) == {"train"}


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"code":{"roots":["interference.toy.train"]}}']
)
def test_what_is_no_spec_is_refused_in_words(text):
    with pytest.raises(
        provenance.InterferenceError, match=r"--spec: found .*, needs the job's JSON"
    ):
        provenance.read_spec(text)


def test_a_relative_import_is_refused(package):
    path = package / "toy" / "measures.py"
    path.write_text(path.read_text() + "\nfrom . import model\n")
    with pytest.raises(ValueError, match="relative imports"):
        jobs_of(BASE)


def test_an_import_inside_a_function_is_followed(base, package):
    path = package / "toy" / "measures.py"
    helper = package / "toy" / "helper.py"
    path.write_text(path.read_text() + "\ndef _late():\n    import interference.toy.helper\n")
    helper.write_text("A = 1\n")
    before = jobs_of(BASE)
    forget_sources()
    helper.write_text("A = 2\n")
    assert changed(before, jobs_of(BASE)) == set(PATTERNS.flat(["ATTACKED"]))


def test_a_job_that_was_planned_with_other_code_refuses_to_run(base, tmp_path):
    spec = json.loads(base["train"])
    stale = json.dumps({**spec, "code": {**spec["code"], "digest": "0" * 16}})
    verb = (
        "import sys; from interference.cli.main import main; sys.argv[0] = 'interference'; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", verb, "toy", "train", "--spec", stale, "--output", "models.json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: the code of interference.toy.train changed")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


# Keys that ask for a base of their own, and edits that make or take away jobs


def test_editing_the_root_of_a_dataset_changes_only_images():
    values = edited({"data.dataset": "cifar10", "data.root": "/here"}, BASE)
    moved = edited({"data.root": "/there"}, values)
    assert but_the_page(jobs_of(values), jobs_of(moved)) == {"images"}


def test_editing_the_architecture_changes_every_job_that_names_a_network(base):
    after = jobs_of(edited({"models.architecture": "resnet50"}, BASE))
    named = ["NETWORKS", "FITS"]
    assert but_the_page(base, after) == PATTERNS.chosen(base, named)
    drawn = {f"{name}_figure" for name in (*DRAWN, "fvu", "matched", "fair")}
    gone = {job.replace("resnet18", "resnet50") for job in base.keys() - after.keys()}
    assert gone == after.keys() - base.keys() == chosen(after, *drawn)


@pytest.mark.parametrize(
    ("dataset", "reader", "others"),
    [
        ("fashion-mnist", "fashion", ("cifar", "folder", "decode", "workers")),
        ("cifar10", "cifar", ("fashion", "idx", "folder", "pictures")),
        ("cifar100", "cifar", ("fashion", "idx", "folder")),
        ("image-folder", "folder", ("fashion", "idx", "cifar", "parquet", "webdataset")),
        ("image-parquet", "parquet", ("folder", "webdataset")),
        ("image-webdataset", "webdataset", ("folder", "parquet")),
        ("image-folder", "decode", ()),
        ("image-folder", "pictures", ()),
        ("image-parquet", "workers", ()),
    ],
)
def test_editing_a_reader_changes_only_images_of_what_it_reads(dataset, reader, others, package):
    values = edited({"data.dataset": dataset, "data.root": "/data", "data.image_size": 32}, BASE)
    if dataset.startswith("image-"):
        values["data"]["pictures"] = PICTURES["data.pictures"]
    before = jobs_of(values)
    for names, expected in ((others, set()), ((reader,), {"images"})):
        for name in names:
            path = package / "data" / f"{name}.py"
            path.write_text(with_code(path.read_text()))
        forget_sources()
        assert changed(before, jobs_of(values)) == expected


def test_other_bytes_in_the_shipped_images_change_only_images(base, tmp_path, monkeypatch):
    resources = tmp_path / "resources"
    (resources / "fashion-mnist-subset").mkdir(parents=True)
    (resources / "fashion-mnist-subset" / "SHA256SUMS").write_text("another sum\n")
    monkeypatch.setattr(arms_module, "RESOURCES", resources)
    assert changed(base, jobs_of(BASE)) == {"images"}


LAYER = {"expansion_factor": 2, "rows": 3200, "batch_size": 64, "learning_rate": 0.002}


@pytest.mark.parametrize(
    ("edits", "new", "changes"),
    [
        ({"models.epsilons.l2": [1.0, 3.0]}, "*/l2-3-s0*", ["exchange"]),
        ({"models.epsilons.linf": [0.1, 0.2]}, "*/linf-0.2-s0*", ["exchange"]),
        ({"models.seeds": [0, 1]}, "*s1* trunk/1", ["exchange"]),
        # interventions in one layer count what wakes in the next; others are about all layers
        (
            {"activations.layers.layer4": 1, "saes.layers.layer4": LAYER},
            "*/layer4*",
            ["intervene/*/layer2", "defend", "gallery", "exchange"],
        ),
    ],
    ids=["an l2 epsilon", "a linf epsilon", "a network seed", "a layer"],
)
def test_adding_makes_new_jobs_and_changes_no_spec_but_of_what_is_about_all(
    edits, new, changes, base
):
    after = jobs_of(edited(edits, BASE))
    assert but_the_page(base, after) == chosen(base, *changes)
    assert base.keys() - after.keys() == set()
    added = {job for job in after for pattern in new.split() if fnmatch(job, pattern)}
    assert after.keys() - base.keys() == added != set()


def test_removing_an_sae_type_removes_its_jobs_and_changes_only_what_names_all_types(base):
    after = jobs_of(edited({"saes.types.relu_l1": REMOVE}, BASE))
    assert but_the_page(base, after) == chosen(base, "measure", "intervene")
    assert base.keys() - after.keys() == chosen(
        base, "fit/*/relu_l1", "matched_figure/*/relu_l1", "fair_figure/*/relu_l1"
    )


def test_adding_an_attack_changes_only_what_names_all_attacks(base):
    method = {"type": "fgsm", "norm": "l2", "epsilons": [1.0]}
    after = jobs_of(edited({"attacks.methods.more": method}, BASE))
    assert but_the_page(base, after) == chosen(base, "measure", "l0_table")
    assert after.keys() - base.keys() == chosen(after, "craft/*/more")


def test_a_spec_names_its_fields_and_is_canonical_json():
    for job, text in specs_of(BASE).items():
        fields = json.loads(text)
        assert text == json.dumps(fields, sort_keys=True, separators=(",", ":")), job
        assert fields["code"]["roots"], job


def test_no_two_jobs_have_the_same_spec(base):
    assert len(set(base.values())) == len(base)
