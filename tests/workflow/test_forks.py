"""Verbs that are forks do what verbs do: tests/support/forks.py."""

import os
import subprocess
from contextlib import suppress

import pytest

from tests.support import forks
from tests.support.checkout import TINY, Checkout
from tests.support.waiting import wait_until


@pytest.fixture
def checkout(tmp_path) -> Checkout:
    return Checkout.copy(tmp_path)


def test_it_says_and_ends_as_one_that_works_by_itself(checkout):
    (checkout.folder / "wrong.yaml").write_text("experiment: ε\n", encoding="utf-8")
    for config, status in (("wrong.yaml", 1), (TINY, 0), ("missing.yaml", 1)):
        command = ("interference", "config", "check", config)
        alone, *others = (
            checkout.run(*command, forking=forking) for forking in (False, True, True)
        )
        assert alone.returncode == status
        for other in others:
            assert (other.returncode, other.stdout) == (alone.returncode, alone.stdout)
    forked = ["forked" in record for record in checkout.recorded()]
    assert (forked.count(True), forked.count(False)) == (5, 3 + 1), "the first works by itself"


def test_it_ends_with_who_asked_for_it(checkout):
    command = ("interference", "config", "check")
    assert checkout.run(*command, TINY, forking=True).returncode == 0
    os.mkfifo(checkout.folder / "endless.yaml")
    asking = subprocess.Popen(
        [*command, "endless.yaml"],
        cwd=checkout.folder,
        env={**checkout.environment, **forks.variables(checkout.records.parent)},
    )

    def written_to() -> int | None:
        with suppress(OSError):  # nobody reads
            return os.open(checkout.folder / "endless.yaml", os.O_WRONLY | os.O_NONBLOCK)

    def gone() -> bool:
        try:
            os.write(pipe, b"#")
        except BrokenPipeError:
            return True
        return False

    pipe = wait_until(written_to, "it reads")
    assert not gone()
    asking.kill()
    wait_until(gone, "nobody reads any more")
    os.close(pipe)
    assert asking.wait() == -9
