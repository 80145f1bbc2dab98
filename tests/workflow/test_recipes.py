"""The mechanical recipes of docs/developing.md, each followed in a copy of the tree: that is all it takes.

The copy holds what a run needs. After the edits, which touch the files that the recipe names and no
others, the dry run has the new jobs, the plan counts them, and the rules of the house hold.
"""

import re
import shutil
import subprocess
import sys

import pytest

from tests.support import REPO
from tests.support.checkout import TINY, Checkout, contents

pytestmark = pytest.mark.workflow

CONFIG = "workflow/lib/interference/config"
ANALYSIS = "workflow/lib/interference/analysis"
FIGURES, TABLES = (f"{ANALYSIS}/{kind}" for kind in ("figures", "tables"))
METHODS, TYPES = "workflow/lib/interference/attacks/methods", "workflow/lib/interference/saes/types"

FIGURE = '''"""How many networks are right about each attack."""

import pandas as pd
from matplotlib.figure import Figure

from interference.analysis.figures.style import grid


def draw(table: pd.DataFrame, which: dict) -> Figure:
    """table: accuracy; which: {"architecture"}."""
    figure, axes = grid(1, 1)
    axes.flat[0].bar(table["attack"], table["accuracy"])
    return figure
'''
TABLE = '''"""How many seeds each toy model's numbers rest on."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from interference.analysis.frames import read_frames


def build(spec: dict, toy: Sequence[Path]) -> pd.DataFrame:
    """One row per (training, density): seeds. toy: the measurements per seed."""
    frame = read_frames(toy)
    return frame.groupby(["training", "density"], as_index=False).agg(seeds=("seed", "nunique"))
'''
ATTACK = '''"""Gradient steps from the image itself."""

from interference.attacks.ascent import Ascent, ascend


def perturb(victim, x, *, norm, epsilon, steps, draws) -> Ascent:
    """``steps`` steps of 2.5 epsilon / steps. x: (n, ...) float32 in [0, 1]."""
    options = {"steps": steps, "relative_step": 2.5 / steps, "start": None, "keep_best": True}
    return ascend(victim.loss("log-odds"), x, norm=norm, epsilon=epsilon, **options)
'''
ATTACK_SECTION = '''class Walk(Attack):
    """Gradient steps from the image itself."""

    type: Literal["walk"]
    """Gradient steps from the image itself."""
    steps: Count
    """Gradient steps per image."""

    @property
    def gradients(self) -> float:
        return self.steps


Method = Annotated[Walk | '''
SAE = '''"""TopK without AuxK."""

from interference.config.saes import PlainTopK
from interference.saes.types import topk

SPARSITY = "k"
Settings = PlainTopK
UNIT_DECODER = True

parameters, dictionary = topk.parameters, topk.dictionary


def loss(p, x, k, settings, state):
    """mean_rows ‖x − x̂‖²: (M,)."""
    z = topk.top_k(x @ p["w_enc"].mT + p["b_enc"], k, settings)
    return topk.squared_error(x, z @ p["w_dec"] + p["b_dec"])
'''
SAE_SECTION = '''class PlainTopK(SaeType):
    """TopK without AuxK."""

    k: Annotated[list[Count], Field(min_length=1), AfterValidator(distinct)]
    """The sweep: active latents per row."""


class ReluL1(SaeType):'''

#: recipe → (files that it makes, by their text; edits, as what a file says and what it then says;
#: the same of the experiment; jobs that there are then)
RECIPES = {
    "figure": (
        {f"{FIGURES}/bars.py": FIGURE, "workflow/report/bars_figure.rst": "Accuracy by attack.\n"},
        {"workflow/lib/interference/plan/catalogue.py": (
            "FIGURES = (\n",
            'FIGURES = (\n    Figure("bars", {"table": table("accuracy")}, file="{architecture}/bars", category="Networks"),\n',
        )},
        None,
        {"bars_figure/resnet18"},
    ),
    "table": (
        {f"{TABLES}/seeds.py": TABLE, "workflow/report/seeds_table.rst": "Seeds of toy models.\n"},
        {"workflow/lib/interference/plan/catalogue.py": (
            "TABLES = (\n",
            'TABLES = (\n    Table("seeds", {"toy": Input("vulnerability", "toy/vulnerability.parquet")}, arms=("toy",)),\n',
        )},
        None,
        {"seeds_table"},
    ),
    "attack": (
        {f"{METHODS}/walk.py": ATTACK},
        {f"{CONFIG}/attacks.py": ("Method = Annotated[", ATTACK_SECTION)},
        ("    noise: {type: noise", "    walk: {type: walk, norm: l2, epsilons: [1.0], steps: 2}\n    noise: {type: noise"),
        {f"craft/{model}/walk" for model in ("clean-s0", "l2-1-s0")},
    ),
    "SAE type": (
        {f"{TYPES}/plain_topk.py": SAE},
        {
            f"{CONFIG}/saes.py": ("class ReluL1(SaeType):", SAE_SECTION),
            f"{CONFIG}/saes.py ": ("    gated: Gated | None = None", "    gated: Gated | None = None\n    plain_topk: PlainTopK | None = None"),
            f"{ANALYSIS}/frames.py": ('    "gated": "Gated",', '    "gated": "Gated",\n    "plain_topk": "plain TopK",'),
        },
        ("  baselines: {type: topk", "    plain_topk: {k: [4, 8]}\n  baselines: {type: topk"),
        {
            "matched_figure/resnet18/plain_topk", "fair_figure/resnet18/plain_topk",
            *(
                f"fit/{model}/{layer}/plain_topk"
                for model in ("clean-s0", "l2-1-s0")
                for layer in ("stem", "layer2")
            ),
        },
    ),
}  # fmt: skip


@pytest.fixture
def tree(tmp_path) -> Checkout:
    checkout = Checkout.copy(tmp_path)
    for path in ("tests/__init__.py", "tests/test_house.py", "tests/support/__init__.py"):
        (checkout.folder / path).parent.mkdir(exist_ok=True)
        shutil.copy2(REPO / path, checkout.folder / path)
    return checkout


def follow(recipe: str, tree: Checkout, planned: set[str]) -> set[str]:
    """Follow one recipe in a tree whose jobs are ``planned``; the jobs that there are then."""
    made, edits, of_experiment, jobs = RECIPES[recipe]
    before = contents(tree.folder / "workflow")
    for path, text in made.items():
        assert not (tree.folder / path).exists()
        (tree.folder / path).write_text(text)
    for path, (old, new) in edits.items():
        tree.replace(path.strip(), old, new)
    if of_experiment is not None:
        tree.replace(TINY, *of_experiment)
    after, touched = contents(tree.folder / "workflow"), {*made, *(path.strip() for path in edits)}
    assert {f"workflow/{path}" for path in after if before.get(path) != after[path]} == touched
    for path in touched:
        name = re.sub(r"(bars|seeds)(?=[_.])", "NAME", path.rpartition("/")[2])
        name = re.sub(r"(walk|plain_topk)(?=[_.])", "TYPE", name)
        assert name in section(recipe), f"{path} is not in the recipe"
    now = tree.plan().jobs
    assert now - planned == jobs, recipe
    return now


def section(recipe: str) -> str:
    """What docs/developing.md says of it."""
    said = (REPO / "docs" / "developing.md").read_text(encoding="utf-8")
    heading = f"## Add a{'n' if recipe[0] in 'aS' else ''} {recipe}\n"
    return said.partition(heading)[2].partition("\n## ")[0]


def test_recipes_name_all_that_they_take(tree):
    """One after the other in one tree, whose rules, plan and config then hold with all of them."""
    before = planned = tree.plan().jobs
    for recipe in RECIPES:
        planned = follow(recipe, tree, planned)
    plan = tree.run("interference", "plan", "--configfile", TINY)
    assert plan.returncode == 0, plan.stdout
    for job in planned - before:
        assert re.search(rf"\b{job.partition('/')[0]}\b", plan.stdout), plan.stdout
    schema = tree.run("interference", "config", "check", TINY)
    assert schema.returncode == 0, schema.stdout
    house = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist",
         "--rootdir", str(tree.folder), str(tree.folder / "tests" / "test_house.py")],
        cwd=tree.folder, env=tree.environment, capture_output=True, text=True,
    )  # fmt: skip
    assert house.returncode == 0, house.stdout
