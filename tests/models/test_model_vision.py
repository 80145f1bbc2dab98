"""Torchvision comes without torch's compiler, and the compiler still works when it is asked for.

That no job loads the compiler is shown by jobs that ran: test_verbs_and_digests.py.
"""

import json
import os
import subprocess
import sys

import pytest

from tests.support import REPO

pytestmark = pytest.mark.xdist_group("vision")  # of which one worker loads torch once more

#: Torchvision's one operator that asks whether a device can compile: the mean of a plain image is 3.
OPERATOR = """
import torch
boxes = [torch.tensor([[0.0, 0.0, 4.0, 4.0]])]
pooled = torchvision.ops.roi_align(torch.full((1, 1, 8, 8), 3.0), boxes, 2)
assert pooled.shape == (1, 1, 2, 2) and bool((pooled == 3).all())
"""
COMPILER = """
import torch._dynamo
assert Path(torch._dynamo.utils.__file__).is_file()
assert torch.compile(lambda x: x + 1, backend="eager")(torch.ones(2)).tolist() == [2, 2]
asked = sys.modules["torchvision.ops.roi_align"].is_compile_supported
assert asked("cpu") == torch._dynamo.utils.is_compile_supported("cpu")
"""
#: A torchvision that takes more of the compiler than the stand-in has, in one of two ways.
OTHER_VERSION = """
class Another:
    def find_spec(self, name, path=None, target=None):
        if name == "torchvision.ops.poolers":
            {takes}

sys.meta_path.insert(0, Another())
"""


#: Runs what each line says in a fork of an interpreter that has loaded torch, and says how it ended.
SERVER = """
import json, os, sys
from pathlib import Path
import torch
for line in sys.stdin:
    if not (child := os.fork()):
        exec(json.loads(line))
        sys.exit()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    errors = tmp_path_factory.mktemp("vision") / "errors.txt"
    with errors.open("w") as file, subprocess.Popen(
        [sys.executable, "-c", SERVER], env={**os.environ, "PYTHONPATH": str(REPO / "workflow" / "lib")},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file, text=True,
    ) as process:  # fmt: skip
        yield process, errors
        process.stdin.close()


@pytest.fixture
def python(server):
    """Run code in an interpreter of its own, and see it end well."""
    process, errors = server

    def run(code: str) -> None:
        print(json.dumps(code), file=process.stdin, flush=True)
        assert process.stdout.readline() == "0\n", errors.read_text()

    return run


def test_the_operator_and_the_compiler_work_afterwards(python):
    python("from interference.models.vision import torchvision" + OPERATOR + COMPILER)


def test_the_compiler_may_have_been_imported_before(python):
    python(
        "import torch._dynamo\nbefore = torch._dynamo.utils\n"
        "from interference.models.vision import torchvision" + OPERATOR + COMPILER + "\n"
        "assert torch._dynamo.utils is before is sys.modules['torch._dynamo.utils']"
    )


@pytest.mark.parametrize(
    "takes",
    ["from torch._dynamo.utils import counters", "import torch._dynamo.utils; torch._dynamo.utils.counters",
     "import torch._dynamo; torch._dynamo.graph_break"],
    ids=["another name", "an attribute", "the package"],
)  # fmt: skip
def test_a_torchvision_that_takes_more_of_the_compiler_gets_it(takes, python):
    python(
        OTHER_VERSION.format(takes=takes) + "from interference.models.vision import torchvision"
        "\nassert 'torch._dynamo' in sys.modules" + OPERATOR + COMPILER
    )
