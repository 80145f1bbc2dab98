"""A real Slurm for each test that asks for one; a second to start, so that no test shares it."""

import os
from collections.abc import Iterator

import pytest

from tests.support import tiny
from tests.support.checkout import Checkout
from tests.support.slurm.cluster import Cluster, missing, running


@pytest.fixture(scope="session")
def slurm_is_here() -> None:
    """Skip where this machine cannot start a cluster; in continuous integration, fail."""
    if lacking := missing():
        refuse = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        refuse(f"no test cluster: this machine lacks {'; '.join(lacking)}")


@pytest.fixture
def cluster(slurm_is_here) -> Iterator[Cluster]:
    """Three idle nodes, each with 16 CPUs, 64 GB and 2 GPUs of its own claim."""
    with running() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def on_cores(slurm_is_here, tmp_path_factory) -> Checkout:
    """A copy in which part of the tiny experiment ran on two cores, once for all workers."""
    return tiny.completed_once(tmp_path_factory, *tiny.PART)


@pytest.fixture(scope="session")
def by_slurm(on_cores, tmp_path_factory) -> tiny.BySlurm:
    """The same part in another folder, by Slurm; after it, whose machine code it finds."""
    return tiny.run_by_slurm(tmp_path_factory.mktemp("by-slurm"))
