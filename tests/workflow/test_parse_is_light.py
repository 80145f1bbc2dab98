"""What a Snakefile imports of the package is light: each Slurm job parses the workflow twice."""

import json
import os
import subprocess
import sys

import pytest

from tests.support import REPO

#: Libraries that compute, store or draw.
HEAVY = {
    "altair",
    "matplotlib",
    "numba",
    "numpy",
    "pandas",
    "PIL",
    "pyarrow",
    "safetensors",
    "scipy",
    "torch",
    "torchvision",
    "tqdm",
    "typer",
    "zarr",
}
#: All that the rules import of the package.
IMPORTED = (
    "config.load",
    "plan.catalogue",
    "plan.entries",
    "plan.jobs",
    "plan.outputs",
    "plan.specs",
    "provenance",
)


def loaded_by(code: str) -> set[str]:
    """Top-level names in `sys.modules` after ``code`` in a bare interpreter."""
    code += "\nimport json, sys\nprint(json.dumps(sorted({m.split('.')[0] for m in sys.modules})))"
    environment = {**os.environ, "PYTHONPATH": str(REPO / "workflow" / "lib")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("module", IMPORTED)
def test_importing_what_rules_import_loads_nothing_heavy(module):
    loaded = loaded_by(f"import interference.{module}")
    assert "interference" in loaded
    assert loaded & HEAVY == set()


def test_making_every_spec_and_the_plan_loads_nothing_heavy():
    code = f"""
from pathlib import Path
from interference.plan.catalogue import FIGURES, TABLES
from interference.config.load import check_writable, read_config
from interference.plan.jobs import describe
from interference.plan.specs import Specs
for path in {[str(REPO / "config.yaml"), str(REPO / "tests/experiments/tiny.yaml")]}:
    config = read_config(path)
    specs = Specs(config)
    describe(config)
    check_writable("results")
    specs.images(), specs.trunk(0), specs.train(), specs.vulnerability(), specs.geometry()
    specs.learn("dose", "dense", 0), specs.flip("dose", "dense", 0), specs.table("dose")
    for model in specs.models:
        specs.finetune(model), specs.predict(model), specs.defend(model), specs.gallery(model)
        specs.least(model)
        [specs.craft(model, attack) for attack in specs.attacks]
        for layer in specs.layers:
            specs.extract(model, layer), specs.baselines(model, layer)
            specs.measure(model, layer), specs.intervene(model, layer)
            [specs.fit(model, layer, t) for t in specs.sae_types]
    [specs.table(table.name) for table in TABLES for _ in specs.jobs(table)]
    specs.page()
    [specs.figure(figure.name, **which) for figure in FIGURES for which in specs.jobs(figure)]
"""
    assert loaded_by(code) & HEAVY == set()


def test_the_rules_import_only_the_config_and_provenance_of_the_package():
    lines = [
        line.strip()
        for path in [REPO / "Snakefile", *(REPO / "workflow" / "rules").glob("*.smk")]
        for line in path.read_text().splitlines()
        if line.strip().startswith(("import ", "from ")) and "interference" in line
    ]
    modules = {line.split()[1].removeprefix("interference.") for line in lines}
    assert modules
    assert modules <= set(IMPORTED)
