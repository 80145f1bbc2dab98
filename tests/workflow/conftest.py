"""A copy of the package to edit, that specs are made from."""

import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from interference import provenance
from tests.support.checkout import forget_sources

NORMALISED, IMPORTS = cache(provenance.normalised), cache(provenance.imports)


@pytest.fixture
def package(tmp_path, monkeypatch) -> Iterator[Path]:
    """A copy of the package that specs are computed from; a source is parsed once for all tests."""
    monkeypatch.setattr(provenance, "normalised", NORMALISED)
    monkeypatch.setattr(provenance, "imports", IMPORTS)
    root = tmp_path / "interference"
    shutil.copytree(provenance.ROOT, root, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(provenance, "ROOT", root)
    forget_sources()
    yield root
    forget_sources()
