"""Specs and code digests: why a job reruns, and only then.

A job's *spec* is one canonical JSON string: the slice of the config that the job reads, and
``code``, a digest of every module that can change its numbers. Snakemake compares the string
(as a rule's only param), the verb checks it, and the output carries it as metadata.

The digest covers the modules named as ``roots`` and everything of this package that they
import, transitively, read from source without importing anything. Source is normalised through
``ast`` without docstrings, so a comment, a docstring or a blank line changes nothing. A registry
that imports by name is not followed: the one SAE type or attack that a job names is a root.

This module and ``interference.config`` are all that a Snakefile imports of the package.
"""

import ast
import hashlib
import importlib
import json
import sys
from functools import cache
from pathlib import Path

PACKAGE = "interference"
ROOT = Path(__file__).parent
#: The one constant of what is outside every digest: these never touch a number.
EXEMPT = (f"{PACKAGE}.config", f"{PACKAGE}.provenance", f"{PACKAGE}.cli", f"{PACKAGE}.progress")


class InterferenceError(Exception):
    """A failure that a user can mend: the command prints its message, and no traceback."""


class StaleSpecError(InterferenceError):
    """The code that would run is not the code that the job was planned with."""


def canonical(value: object) -> str:
    """JSON with sorted keys and no spaces; equal values give equal strings."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(text: str) -> str:
    """First 16 hexadecimal digits of the SHA-256 of ``text``."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def is_exempt(module: str) -> bool:
    return any(module == name or module.startswith(name + ".") for name in EXEMPT)


def source_path(module: str) -> Path | None:
    """File of a module of this package, or None where there is no such module."""
    stem = ROOT.joinpath(*module.split(".")[1:])
    for path in (stem.with_suffix(".py"), stem / "__init__.py"):
        if module.split(".")[0] == PACKAGE and path.is_file():
            return path
    return None


def normalised(source: str) -> str:
    """``source`` without comments, docstrings and layout."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
            and isinstance(body[0].value.value, str)
        ):
            node.body = body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def imports(source: str) -> set[str]:
    """Modules of this package that ``source`` names in an import, wherever the import stands.

    Raises ValueError on a relative import, which the digest does not follow.
    """
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError("relative imports are not followed; write the whole name")
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if source_path(name) is not None}


@cache
def _module(module: str) -> tuple[str, frozenset[str]]:
    path = source_path(module)
    if path is None:
        raise ModuleNotFoundError(f"{module} is not a module of {PACKAGE}")
    source = path.read_text(encoding="utf-8")
    return digest(normalised(source)), frozenset(imports(source))


def closure(roots: tuple[str, ...]) -> list[str]:
    """The modules that the roots can reach, exempt ones left out, sorted."""
    seen: set[str] = set()
    queue = list(roots)
    while queue:
        module = queue.pop()
        if module not in seen and not is_exempt(module):
            seen.add(module)
            queue += _module(module)[1]
    return sorted(seen)


@cache
def code_digest(roots: tuple[str, ...]) -> str:
    """Digest of the code that the roots can reach."""
    return digest("\n".join(f"{name} {_module(name)[0]}" for name in closure(roots)))


def spec(roots: tuple[str, ...], **fields: object) -> str:
    """The canonical spec of a job whose numbers come from ``roots`` and ``fields``."""
    roots = tuple(sorted(roots))
    return canonical({**fields, "code": {"roots": roots, "digest": code_digest(roots)}})


def read_spec(text: str) -> dict:
    """A spec as a dict, after loading its roots and checking that they are the code it names.

    Raises StaleSpecError where the code on disk is another (a job that waited in a queue must not
    run newer code than its spec says, or its output would be taken for what it is not), and where
    a module of the package is loaded that the digest does not cover.
    """
    fields = json.loads(text)
    roots = tuple(fields["code"]["roots"])
    if code_digest(roots) != fields["code"]["digest"]:
        raise StaleSpecError(
            f"the code of {', '.join(roots)} changed after this job was planned; "
            "run snakemake again, and it will plan the job anew"
        )
    for root in roots:
        importlib.import_module(root)
    missed = uncovered(roots)
    if missed:
        raise StaleSpecError(f"{', '.join(missed)}: loaded, but not in the job's digest")
    return fields


def uncovered(roots: tuple[str, ...]) -> list[str]:
    """Modules of the package that are loaded, hold code, and are not in the digest of ``roots``."""
    covered = set(closure(roots))
    loaded = (name for name in sys.modules if name.startswith(PACKAGE + "."))
    return sorted(
        name
        for name in loaded
        if name not in covered
        and not is_exempt(name)
        and source_path(name).read_text(encoding="utf-8").strip()
    )
