"""Specs and code digests: why a job reruns, and only then.

A job's *spec* is a canonical JSON string: the slice of the config that the job reads, ``code``, a
digest of every module that can change its numbers, and ``inputs``, a digest of the specs of the jobs
that make its inputs, and so of all that is upstream. Snakemake compares the string (as a rule's only
param), the verb checks it, and every output carries it as metadata: outputs of equal specs are equal.

The digest covers the modules named as ``roots`` and everything of this package that they
import, transitively, read from source without importing anything. Source is normalised through
``ast`` without docstrings, so a comment, a docstring or a blank line changes nothing. A registry
that imports by name is not followed: the one SAE type or attack that a job names is a root.

This module, ``interference.config`` and ``interference.plan`` are all that a Snakefile imports of the package.
"""

import ast
import hashlib
import importlib
import importlib.util
import json
import sys
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from pathlib import Path

PACKAGE = "interference"
ROOT = Path(__file__).parent
#: What may begin with a docstring.
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
#: Modules outside every digest: they never touch a number.
EXEMPT = tuple(
    f"{PACKAGE}.{name}" for name in ("config", "plan", "provenance", "progress", "cluster", "cli")
)


class InterferenceError(Exception):
    """A failure that a user can mend: the command prints its message, and no traceback."""


class StaleSpecError(InterferenceError):
    """The code that would run differs from the code that the job was planned with."""


def canonical(value: object) -> str:
    """JSON with sorted keys and no spaces; equal values give equal strings."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(text: str) -> str:
    """First 16 hexadecimal digits of the SHA-256 of ``text``."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def is_exempt(module: str) -> bool:
    """Whether a module is outside every digest. The package itself is: it only opens results."""
    return module == PACKAGE or any(
        module == name or module.startswith(name + ".") for name in EXEMPT
    )


def source_path(module: str) -> Path | None:
    """The file of a module of this package; None where there is no such module."""
    package, *parts = module.split(".")
    if package != PACKAGE:
        return None
    stem = ROOT.joinpath(*parts)
    for path in (stem.with_suffix(".py"), stem / "__init__.py"):
        if path.is_file():
            return path
    return None


def foreign_path(module: str) -> Path | None:
    """The file of a module that Python finds, which is not imported; None where there is none."""
    top, *parts = module.split(".")
    found = importlib.util.find_spec(top)
    if found is None or found.origin is None:
        return None
    if not parts:
        return Path(found.origin)
    for folder in found.submodule_search_locations or []:
        stem = Path(folder, *parts)
        for path in (stem.with_suffix(".py"), stem / "__init__.py"):
            if path.is_file():
                return path
    return None


def normalised(source: str) -> str:
    """The syntax tree of ``source`` as one line, without comments, docstrings and layout.

    The same under every Python that can parse it. ``ast.unparse`` and ``ast.dump`` are not: quotes of
    f-strings and fields that are empty come and go with Python's version.
    """
    return _syntax(_parsed(source))


@lru_cache(maxsize=1)
def _parsed(source: str) -> ast.Module:
    """The syntax tree of ``source``, for those who read it one after the other."""
    return ast.parse(source)


def _syntax(node: object) -> str:
    """A syntax tree as text: kinds of nodes and their fields, without docstrings and empty ones."""
    if isinstance(node, list):
        return f"[{','.join(map(_syntax, node))}]"
    if not isinstance(node, ast.AST):
        return ascii(node)  # printable letters are more in newer Pythons
    if isinstance(node, ast.JoinedStr):  # how its text is cut up is Python's own affair
        return f"JoinedStr({_syntax(_joined(node.values))})"
    if isinstance(node, ast.Constant) and node.value is None:
        return "Constant(None)"
    values = vars(node)
    if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
        values = {**values, "body": node.body[1:] or [ast.Pass()]}
    fields = [
        f"{name}={_syntax(value)}"
        for name in _meaningful(node._fields)
        if (value := values.get(name)) is not None and value != []
    ]
    return f"{type(node).__name__}({','.join(fields)})"


@cache
def _meaningful(fields: tuple[str, ...]) -> list[str]:
    """Fields of a node that say what is computed: `kind` says u"…", `type_comment` is a comment."""
    return sorted(set(fields) - {"kind", "type_comment"})


def _joined(values: list[ast.expr]) -> list[ast.expr]:
    """The parts of an f-string, with neighbouring texts joined and empty ones left out."""
    parts: list[ast.expr] = []
    for value in values:
        if not isinstance(value, ast.Constant):
            parts.append(value)
        elif parts and isinstance(parts[-1], ast.Constant):
            parts[-1] = ast.Constant(str(parts[-1].value) + str(value.value))  # both are texts
        elif value.value:
            parts.append(value)
    return parts


def imports(source: str) -> set[str]:
    """Modules of this package that ``source`` imports, at its top or within a function.

    Raises ValueError for a relative import, which the digest does not follow.
    """
    names: set[str] = set()
    for node in _statements(_parsed(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            if node.level or node.module is None:
                raise ValueError("relative imports are not followed; write the whole name")
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if source_path(name) is not None}


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """The statements of a syntax tree, wherever they stand in it; a quarter of its nodes."""
    for name in ("body", "orelse", "finalbody", "handlers", "cases"):
        for inner in getattr(node, name, ()):
            yield inner
            yield from _statements(inner)


@cache
def _module(module: str) -> tuple[str, frozenset[str]]:
    """The digest of a module's own code, and the modules that it imports."""
    path = source_path(module)
    if path is None:
        raise ModuleNotFoundError(f"{module} is not a module of {PACKAGE}")
    source = path.read_text(encoding="utf-8")
    return digest(normalised(source)), frozenset(imports(source))


def closure(roots: tuple[str, ...]) -> list[str]:
    """Modules that the roots import, directly or not, and the roots; sorted, without exempt ones."""
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
    """Digest of the code of the roots and of all that they import."""
    return digest("\n".join(f"{name} {_module(name)[0]}" for name in closure(roots)))


def spec(roots: tuple[str, ...], inputs: Iterable[str] = (), **fields: object) -> str:
    """The canonical spec of a job.

    roots: the modules that make its numbers.
    inputs: specs of the jobs whose outputs it reads.
    fields: what it reads of the config, and its wildcards.
    """
    roots = tuple(sorted(roots))
    upstream = {"inputs": digest("\n".join(sorted(set(inputs))))} if inputs else {}
    code = {"roots": roots, "digest": code_digest(roots)}
    return canonical({**fields, **upstream, "code": code})


def read_spec(text: str) -> dict:
    """Parse a spec, load its roots, and check that they are the code that it names.

    Raises InterferenceError where it is no spec; StaleSpecError where the code on disk differs (a job
    that waited in a queue must not run newer code than its spec says, or its output would be taken
    for what it is not), and where a module of the package is loaded that the digest does not cover.
    """
    try:
        fields = json.loads(text)
        roots, planned = tuple(fields["code"]["roots"]), fields["code"]["digest"]
    except (ValueError, KeyError, TypeError):
        raise InterferenceError(
            f"--spec: found {text[:40]!r}, needs the job's JSON, as `snakemake -p` prints it"
        ) from None
    if code_digest(roots) != planned:
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
    """Loaded modules of the package that hold code and are not in the digest of ``roots``."""
    covered = set(closure(roots))
    loaded = [name for name in sys.modules if name.startswith(PACKAGE + ".")]
    others = {name: source_path(name) for name in loaded if name not in covered}
    return sorted(
        name
        for name, path in others.items()
        if path is not None and not is_exempt(name) and path.read_text(encoding="utf-8").strip()
    )
