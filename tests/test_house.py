"""The shape of the house: a room imports only from rooms upstream, and a step is one word everywhere."""

import ast
import importlib
import inspect
import re
from pathlib import Path

import pytest

import interference
from interference.plan.catalogue import PAGE
from interference.plan.specs import Specs
from interference.plan.steps import ROOMS, STEPS
from tests.support import REPO

PACKAGE = Path(interference.__path__[0])
#: Upstream first. Attack algorithms stand below models, which are trained against them.
FLOORS = [
    ("provenance", "progress", "compute", "gpu", "prefetch", "store", "kernels"),
    ("config",),
    ("plan",),
    (
        "attacks.norms",
        "attacks.ascent",
        "attacks.losses",
        "attacks.victim",
        "attacks.draws",
        "attacks.auto",
        "attacks.minimum",
        "attacks.matching",
        "attacks.source",
        "attacks.spectrum",
        "attacks.kinship",
        "attacks.methods",
    ),
    ("data",),
    ("models",),
    ("attacks",),
    ("activations",),
    ("saes",),
    ("probes",),
    ("toy",),
    ("canvas",),
    ("rivals",),
    ("analysis",),
    ("report",),
    ("library", "cluster"),
    ("cli",),
]
MODULES = sorted(
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    for path in PACKAGE.rglob("*.py")
    if path.name != "__init__.py"
)


def floor(module: str) -> int:
    """The floor of a module: the first whose names include it."""
    for level, names in enumerate(FLOORS):
        if any(module == name or module.startswith(name + ".") for name in names):
            return level
    raise AssertionError(f"{module} stands in no room")


def imported(module: str) -> set[str]:
    """Modules of the package that a module names in its imports, read from its source."""
    tree = ast.parse(
        PACKAGE.joinpath(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8")
    )
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    own = {name.removeprefix("interference.") for name in names if name.startswith("interference.")}
    return own & set(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_a_room_imports_only_from_upstream(module):
    for other in imported(module):
        assert floor(other) <= floor(module), f"{module} imports {other}, which is downstream"


def test_toy_and_the_image_rooms_do_not_know_each_other():
    rooms = {"data", "models", "attacks", "activations", "saes", "probes", "toy"}
    for module in MODULES:
        used = {name.split(".")[0] for name in imported(module)} & rooms
        if module.startswith("toy."):
            assert used <= {"toy"}
        elif module.split(".")[0] in rooms:
            assert "toy" not in used


def test_canvases_know_of_the_image_rooms_no_activations_or_probes_and_networks_where_they_are_mounted():
    for module in MODULES:
        used = {name.split(".")[0] for name in imported(module)}
        if module.startswith("canvas."):
            assert not used & {"activations", "probes", "toy"}
            assert "models" not in used or module == "canvas.mount"
        elif module.split(".")[0] not in ("analysis", "report", "cli"):
            assert "canvas" not in used


def test_there_are_no_import_cycles():
    seen: dict[str, int] = {}

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " → ".join([*path, module])
        if module not in seen:
            for other in imported(module):
                visit(other, (*path, module))
            seen[module] = 1

    for module in MODULES:
        visit(module, ())


def rules(room: str) -> dict[str, str]:
    """The rules of a room by name: their text."""
    text = (REPO / "workflow" / "rules" / f"{room}.smk").read_text(encoding="utf-8")
    return dict(re.findall(r"^rule (\w+):\n(.*?)(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL))


def work(step) -> dict[str, inspect.Parameter]:
    """The arguments of a step's function."""
    module = importlib.import_module(f"interference.{step.room}.{step.name}")
    assert module.run.__module__ == module.__name__, "run is another module's"
    return dict(inspect.signature(module.run).parameters)


@pytest.mark.parametrize("room", [room for room in ROOMS if room != "analysis"])
def test_the_rules_of_a_room_are_its_steps(room):
    assert [*rules(room)] == [step.name for step in STEPS if step.room == room]
    assert (PACKAGE / room).is_dir()


def test_rooms_have_a_file_of_rules_each():
    files = {path.stem for path in (REPO / "workflow" / "rules").glob("*.smk")}
    assert files == {*ROOMS, "common"}


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_a_step_is_one_word_of_rule_verb_module_spec_and_folders(step):
    text = rules(step.room)[step.name]
    assert re.findall(r"\binterference (\w+ \w+) --spec", text) == [f"{step.room} {step.name}"]
    assert f"{{LOGS}}/{step.room}/{step.name}/" in text
    assert f"{{BENCHMARKS}}/{step.room}/{step.name}/" in text
    assert re.findall(r"\bspecs\.(\w+)\(", text.partition("params:")[2]) == [step.name]
    roots = re.search(r"interference\.\w+\.\w+", inspect.getsource(getattr(Specs, step.name)))
    assert roots[0] == f"interference.{step.room}.{step.name}"


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_a_rule_gives_a_step_its_inputs_under_their_names(step):
    shell = rules(step.room)[step.name].partition("shell:")[2]
    if "{params.inputs}" in shell:  # which has the names of the catalogue
        assert {*PAGE.inputs} == work(step).keys() - {"spec", "output"}
        return
    given = re.findall(r"--(\w+) \{(\w+)\.(\w+)(?::q)?\}", shell)
    assert {name for name, _, _ in given} == {*work(step)}
    for name, kind, value in given:
        if name == "output":  # whose name says what it is
            assert kind == "output"
        else:
            assert (kind, value) == ("params" if name in ("spec", "workers") else "input", name)


def test_inits_of_rooms_are_empty_and_files_are_read_in_one_sitting():
    for path in PACKAGE.rglob("*.py"):
        lines = path.read_text(encoding="utf-8").splitlines()
        if path.name == "__init__.py" and path.parent != PACKAGE:  # which opens results
            assert lines == [], path
        assert len(lines) <= 350, f"{path} has {len(lines)} lines"


def without_encoding(call: ast.Call) -> bool:
    """Whether a call reads or writes text, or starts a process that does, in the locale's letters."""
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    if name in ("run", "Popen", "check_output"):
        return "text" in given or "universal_newlines" in given
    if name in ("read_text", "write_text"):
        return "encoding" not in given
    if name != "open" or getattr(getattr(call.func, "value", None), "id", "") in (
        "os",
        "tarfile",
        "Image",
    ):
        return False
    place = 0 if isinstance(call.func, ast.Attribute) else 1
    mode = given.get("mode", call.args[place] if len(call.args) > place else ast.Constant("r"))
    return "b" not in getattr(mode, "value", "") and "encoding" not in given


@pytest.mark.parametrize("module", MODULES)
def test_text_is_utf_8_whatever_the_locale_says(module):
    tree = ast.parse(PACKAGE.joinpath(*module.split(".")).with_suffix(".py").read_text("utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert [call.lineno for call in calls if without_encoding(call)] == []
