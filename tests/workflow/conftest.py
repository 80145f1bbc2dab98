"""A copy of the package to edit, that specs are made from."""

import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from interference import provenance
from tests.support.checkout import forget_sources

NORMALISED, IMPORTS = cache(provenance.normalised), cache(provenance.imports)


def times(root: Path) -> dict[Path, int]:
    """When each source was written."""
    return {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()}


@pytest.fixture(scope="session")
def copied(tmp_path_factory) -> Path:
    """A copy of the package; its files have the times of those that they are copies of."""
    root = tmp_path_factory.mktemp("package") / "interference"
    shutil.copytree(provenance.ROOT, root, ignore=shutil.ignore_patterns("__pycache__"))
    return root


@pytest.fixture
def package(copied, monkeypatch) -> Iterator[Path]:
    """The copy, that specs are computed from; a source is parsed once for all tests, and what a test
    edits or adds is put back."""
    original, before = provenance.ROOT, times(copied)
    monkeypatch.setattr(provenance, "normalised", NORMALISED)
    monkeypatch.setattr(provenance, "imports", IMPORTS)
    monkeypatch.setattr(provenance, "ROOT", copied)
    forget_sources()
    yield copied
    forget_sources()
    for path, written in times(copied).items():
        if path not in before:
            path.unlink()
        elif written != before[path]:
            shutil.copy2(original / path.relative_to(copied), path)
