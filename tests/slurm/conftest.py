"""A real Slurm for each test that asks for one; a second to start, so that no test shares it."""

import os
from collections.abc import Iterator

import pytest

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
