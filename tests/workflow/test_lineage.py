"""What an edit reruns with all that is downstream: a spec holds what its job is made from.

What should rerun is in reruns.yaml, written by hand. That Snakemake reruns just the jobs whose spec
changes is in test_reruns.py.
"""

import pytest
import yaml

from tests.support import REPO
from tests.support.checkout import TINY
from tests.support.specs import changed, edit, edited, specs_of
from tests.support.tiny import JOBS, RERUNS, picked

pytestmark = pytest.mark.xdist_group("package")

EXPERIMENT = yaml.safe_load((REPO / TINY).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def specs() -> dict[str, str]:
    return specs_of(EXPERIMENT)


def test_the_tiny_experiment_has_these_jobs(specs):
    assert specs.keys() == JOBS


@pytest.mark.parametrize("module", RERUNS["modules"])
def test_editing_a_module_changes_all_that_is_downstream_and_no_more(module, specs, package):
    edit(package, module)
    assert changed(specs, specs_of(EXPERIMENT)) == picked(*RERUNS["modules"][module])


@pytest.mark.parametrize("section", RERUNS["config"])
def test_editing_the_config_changes_all_that_is_downstream_and_no_more(section, specs):
    line = RERUNS["config"][section]
    after = specs_of(edited(line["edit"], EXPERIMENT))
    assert changed(specs, after) == picked(*line["jobs"])
