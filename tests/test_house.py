"""The shape of the house: a room imports only from rooms upstream, and there are no cycles."""

import ast
from pathlib import Path

import pytest

import interference

PACKAGE = Path(interference.__path__[0])
#: Upstream first. Attack algorithms stand below models, which are trained against them.
FLOORS = [
    ("provenance", "progress", "compute", "gpu", "prefetch", "store"),
    ("config",),
    ("plan",),
    ("attacks.norms", "attacks.ascent", "attacks.methods"),
    ("data",),
    ("models",),
    ("attacks",),
    ("activations",),
    ("saes",),
    ("probes",),
    ("toy",),
    ("analysis",),
    ("cluster",),
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


def test_package_inits_are_empty_and_files_are_read_in_one_sitting():
    for path in PACKAGE.rglob("*.py"):
        lines = path.read_text(encoding="utf-8").splitlines()
        if path.name == "__init__.py":
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
