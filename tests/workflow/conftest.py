"""The tiny experiment, run once in a copy of the workflow and shared by every test that needs it."""

import shutil
from collections.abc import Iterator

import pytest

from tests.support.checkout import Checkout


@pytest.fixture(scope="session")
def completed(tmp_path_factory) -> Iterator[Checkout]:
    """A copy in which the tiny experiment was run to its end on two cores."""
    checkout = Checkout.copy(tmp_path_factory.mktemp("completed"))
    where = checkout.run("python", "-c", "import interference; print(interference.__file__)")
    assert where.stdout.strip() == str(checkout.package / "__init__.py")
    done = checkout.snakemake("--cores", "2")
    assert done.returncode == 0, done.stdout
    yield checkout
    shutil.rmtree(checkout.folder.parent)


@pytest.fixture
def after_a_run(completed) -> Iterator[Checkout]:
    """The completed run; whatever a test edits in it is put back."""
    yield completed
    completed.restore()
