"""Machine code on disk: taken up again while nothing that it was made of has changed, and only then."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import interference
from tests.support.checkout import Checkout

#: Calls a function of the room, and says where its source is and whether its machine code was on disk.
CALL = """
import numpy as np
from interference.kernels import dense
dense.relu_rows(np.ones((2, 3), np.float32), np.ones(3, np.float32))
print(dense.__file__, sum(dense.relu_rows.stats.cache_hits.values()))
"""
PACKAGE = Path(interference.__path__[0])
#: A function of the room, one elsewhere that it becomes part of, and one that has nothing to do with it.
FILES = {
    "kernels/shared.py": """
from interference.kernels.compile import inner

@inner
def shared(x):
    return x + 1
""",
    "saes/caller.py": """
from interference.kernels.compile import cached
from interference.kernels.shared import shared

@cached
def function(x):
    return 10 * shared(x)
""",
    "saes/other.py": """
from interference.kernels.compile import cached

@cached
def function(x):
    return x - 1
""",
}
#: What each function gives, and whether its machine code was on disk; and the folder.
PROGRAM = """
import json
from interference.saes import caller, other
found = {}
for module in (caller, other):
    value = module.function(1)
    found[module.__name__.split(".")[-1]] = value, sum(module.function.stats.cache_hits.values())
from numba.core import config
print(json.dumps([found, str(caller.function._cache.cache_path), config.CACHE_DIR]))
"""


@pytest.fixture
def package(tmp_path):
    """A copy of the package with three files more."""
    copy = tmp_path / "lib" / "interference"
    for part in ("kernels", "saes"):
        (copy / part).mkdir(parents=True)
        (copy / part / "__init__.py").touch()
    for name in ("__init__.py", "provenance.py", "kernels/compile.py"):
        shutil.copy(PACKAGE / name, copy / name)
    for name, text in FILES.items():
        (copy / name).write_text(text)
    return copy


def run(package, **variables):
    """What the program finds in a process of its own, as a notebook would: no verb settles anything."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_")}
    environment |= {"PYTHONPATH": str(package.parent), **variables}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found, folder, others = json.loads(done.stdout)
    return {name: tuple(value) for name, value in found.items()}, Path(folder), others


def test_a_warm_call_compiles_nothing(package):
    cold, folder, _ = run(package)
    assert cold == {"caller": (20, 0), "other": (0, 0)}
    assert folder.is_relative_to(package / "kernels" / "__pycache__")
    assert run(package)[:2] == ({"caller": (20, 1), "other": (0, 1)}, folder)


def test_an_edit_in_the_room_compiles_all_that_it_may_be_part_of(package):
    run(package)
    shared = package / "kernels" / "shared.py"
    before = shared.read_text()
    shared.write_text(before.replace("x + 1", "x + 2"))
    assert run(package)[0] == {"caller": (30, 0), "other": (0, 0)}
    shared.write_text(before)  # what was compiled before is still there
    assert run(package)[0] == {"caller": (20, 1), "other": (0, 1)}


def test_an_edit_elsewhere_compiles_that_file_again(package):
    run(package)
    (package / "saes" / "other.py").write_text(FILES["saes/other.py"].replace("x - 1", "x - 2"))
    assert run(package)[0] == {"caller": (20, 1), "other": (-1, 0)}


def test_a_comment_in_the_room_compiles_nothing(package):
    run(package)
    (package / "kernels" / "shared.py").write_text("# why\n" + FILES["kernels/shared.py"])
    assert run(package)[0] == {"caller": (20, 1), "other": (0, 1)}


def test_where_the_package_cannot_be_written_machine_code_is_in_the_users_caches(package, tmp_path):
    (package / "kernels" / "__pycache__").write_text("not a folder: a package that is read only")
    caches = {"XDG_CACHE_HOME": str(tmp_path / "caches")}
    _, folder, _ = run(package, **caches)
    assert folder.is_relative_to(tmp_path / "caches" / "interference")
    assert run(package, **caches)[0] == {"caller": (20, 1), "other": (0, 1)}


def test_a_users_folder_is_followed_and_stays_that_of_other_code(package, tmp_path):
    _, folder, others = run(package, NUMBA_CACHE_DIR=str(tmp_path / "mine"))
    assert folder.is_relative_to(tmp_path / "mine")
    assert folder.parent != tmp_path / "mine"  # below it, by the digest
    assert others == str(tmp_path / "mine")


COMPILED = {"cached", "inner", "fast_cached", "fast_inner"}


def compiled_functions(tree):
    """The functions of a module that are compiled, by the decorators of the room."""
    return [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and any(isinstance(d, ast.Name) and d.id in COMPILED for d in node.decorator_list)
    ]


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_compiled_code_is_made_of_its_own_file_and_of_the_room(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    if "kernels" not in path.parts:
        named = {alias.name for node in imports for alias in node.names}
        named |= {getattr(node, "module", None) for node in imports}
        assert not {"numba", "llvmlite"} & {str(name).partition(".")[0] for name in named}
    elsewhere = {
        alias.asname or alias.name: node.module
        for node in imports
        if isinstance(node, ast.ImportFrom) and node.module.startswith("interference.")
        for alias in node.names
        if not node.module.startswith("interference.kernels.")
    }
    for function in compiled_functions(tree):
        used = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
        assert not used & elsewhere.keys(), f"{function.name} is compiled with another file's code"


def test_copies_of_the_workflow_find_what_this_clone_compiled(tmp_path):
    subprocess.run([sys.executable, "-c", CALL], check=True)
    checkout = Checkout.copy(tmp_path)
    said = checkout.run("python", "-c", CALL).stdout.strip()
    assert said == f"{checkout.package / 'kernels' / 'dense.py'} 1"
