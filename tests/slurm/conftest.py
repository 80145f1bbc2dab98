"""A real Slurm for each test that asks for one; a second to start, so that no test shares it."""

import os
from collections.abc import Iterator

import pytest

from tests.support import tiny
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
def by_slurm(slurm_is_here, completed, tmp_path_factory) -> tiny.BySlurm:
    """Part of the tiny experiment once more, in another folder; after the completed run, whose machine code
    it finds."""
    return tiny.run_by_slurm(tmp_path_factory.mktemp("by-slurm"))
