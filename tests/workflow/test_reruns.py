"""What really reruns after a whole run: dry runs of Snakemake over the completed tiny experiment.

Expected jobs are written by hand, in two sets: where it starts, the jobs that rerun because their own
spec changed and nothing upstream of them did, and what follows, all that is downstream of these. A
dry run cannot know that a rebuilt file will have the same bytes, so it names everything downstream,
and gives a new input as the reason even where the spec changed too (all changed specs stand in
test_invalidation_matrix.py). Every edit is undone after its test.
"""

import os
import time

import pytest
import yaml

from tests.support.checkout import (
    NETWORK_SECTIONS,
    PACKAGE,
    TINY,
    Checkout,
    Plan,
    chosen,
    with_code,
    without,
)
from tests.support.tiny import (
    AFTER_ATTACKS,
    AFTER_BASELINES,
    AFTER_L0,
    AFTER_OTHERS,
    AFTER_SAES,
    AFTER_SPLICE,
    AFTER_TOY,
    FIGURES,
    FITS,
    JOBS,
    NETWORKS,
    TOY,
    TOY_CURVES,
    TOY_FIGURES,
    TOY_GRAPHS,
)

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]

#: module of the package → (where it starts, what follows)
MODULE_EDITS = {
    "store/tensors.py": (
        ("trunk", "toy_models"),
        (*NETWORKS[1:], *FITS, "splice", *AFTER_ATTACKS, *AFTER_SAES, *TOY),
    ),
    "data/fashion.py": (("images",), (*NETWORKS, *FITS, "splice", *AFTER_ATTACKS, *AFTER_SAES)),
    "models/train.py": (("trunk",), (*NETWORKS[1:], *FITS, "splice", *AFTER_ATTACKS, *AFTER_SAES)),
    "attacks/craft.py": (("adversarial_images",), AFTER_ATTACKS),
    "attacks/methods/noise.py": (("adversarial_images/*/noise",), AFTER_ATTACKS),
    "activations/attacked.py": (("attacked_activations",), ("l0", *AFTER_L0)),
    "activations/standardise.py": (
        ("activations_part",),
        ("activations", "attacked_activations", *FITS, "l0", "splice", *AFTER_SAES),
    ),
    "saes/fit.py": (FITS, ("l0", "splice", *AFTER_SAES)),
    "saes/substitutes.py": (("baselines",), AFTER_BASELINES),
    "saes/types/relu_l1.py": (("saes/*/relu_l1",), ("l0", "splice", *AFTER_OTHERS)),
    "toy/measures.py": (
        ("toy_vulnerability", "toy_geometry"),
        ("toy_table", *TOY_FIGURES, "claims_table"),
    ),
    "toy/geometry.py": (("toy_geometry",), TOY_GRAPHS),
    "analysis/l0.py": (("l0",), AFTER_L0),
    "analysis/splice.py": (("splice",), AFTER_SPLICE),
    "analysis/tables/matched.py": (("matched_table",), ("matched_figure", "claims_table")),
    "analysis/tables/baselines.py": (("baselines_table",), ("baselines_figure", "claims_table")),
    "analysis/figures/style.py": (FIGURES, ()),
    "analysis/figures/fvu.py": (("fvu_figure",), ()),
}

#: what the config says → what it is edited to, where it starts, what follows
CONFIG_EDITS = {
    "data": (
        "heldout: 60",
        "heldout: 61",
        ("images",),
        (*NETWORKS, *FITS, "splice", *AFTER_ATTACKS, *AFTER_SAES),
    ),
    "models": (
        "relative_step: 1.25",
        "relative_step: 1.0",
        ("finetune/l2-1-s0",),
        (
            "adversarial_images/l2-1-s0",
            "activations_part/l2-1-s0",
            "activations/l2-1-s0",
            "attacked_activations/l2-1-s0",
            "saes/l2-1-s0",
            "baselines/l2-1-s0",
            "l0/l2-1-s0",
            "splice/l2-1-s0",
            "accuracy_table",
            "accuracy_figure",
            *AFTER_SAES,
        ),
    ),
    "attacks": (
        "noise: {type: noise, norm: l2, epsilons: [1.0, 2.0]}",
        "noise: {type: noise, norm: l2, epsilons: [1.0, 2.0, 4.0]}",
        ("adversarial_images/*/noise",),
        AFTER_ATTACKS,
    ),
    "activations": (
        "layers: {stem: 4, layer2: 8}",
        "layers: {stem: 5, layer2: 8}",
        ("activations_part/*/stem/*",),
        # its statistics are new: of both layers, since one job makes both
        (
            "attacked_activations",
            "activations/*/stem",
            "baselines/*/stem",
            "saes/*/stem/*",
            "l0",
            "splice",
            *AFTER_SAES,
        ),
    ),
    "saes": (
        "aux_weight: 1.0",
        "aux_weight: 0.5",
        ("saes/*/topk", "baselines"),
        ("l0", "splice", *AFTER_SAES),
    ),
    "baselines": (
        "baselines: {type: topk, k: [8]}",
        "baselines: {type: topk, k: [4]}",
        ("baselines",),
        AFTER_BASELINES,
    ),
    "analysis": (
        "resamples: 100",
        "resamples: 101",
        ("saes_table", "matched_table", "baselines_table", "l0_table", "splice_table"),
        (
            "fvu_figure",
            "matched_figure",
            "baselines_figure",
            "l0_figure",
            "splice_figure",
            "claims_table",
        ),
    ),
    "toy": (
        "steps: 100",
        "steps: 101",
        ("toy_models",),
        (*AFTER_TOY, "claims_table"),
    ),
    # Params that Snakemake compares as a set of values, names dropped, would see no change here.
    "two swapped numbers": (
        "relative_epsilon: 0.1\n    radius: sample\n    weight: 0.5",
        "relative_epsilon: 0.5\n    radius: sample\n    weight: 0.1",
        ("toy_models",),
        (*AFTER_TOY, "claims_table"),
    ),
}


def assert_reruns(plan: Plan, starts: tuple[str, ...], follows: tuple[str, ...]) -> None:
    """The plan holds exactly the jobs of both, and the first's reason is their own spec."""
    assert plan.starts == chosen(JOBS, *starts)
    assert plan.jobs == chosen(JOBS, *starts, *follows)


def test_the_tiny_experiment_runs_every_rule_and_these_jobs(after_a_run):
    assert after_a_run.plan("--forceall").jobs == JOBS


def test_right_after_a_run_there_is_nothing_to_do(after_a_run):
    assert after_a_run.plan().jobs == set()


def test_touching_modules_config_and_manifests_reruns_nothing(after_a_run):
    folder, now = after_a_run.folder, time.time()
    touched = [
        folder / TINY,
        folder / "config.yaml",
        folder / "Snakefile",
        *(folder / "workflow").rglob("*.smk"),
        *after_a_run.package.rglob("*.py"),
        *(path for path in after_a_run.results.rglob("*.json") if ".zarr/" not in str(path)),
    ]
    assert len(touched) > 80
    times = {path: path.stat() for path in touched}
    try:
        for path in touched:
            os.utime(path, (now, now))
        assert after_a_run.plan().jobs == set()
    finally:
        for path, stat in times.items():
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_a_comment_in_modules_rules_and_config_reruns_nothing(after_a_run):
    for path in ("store/files.py", "saes/types/topk.py", "models/train.py", "toy/model.py"):
        after_a_run.write(f"{PACKAGE}/{path}", lambda text: text + "\n# A comment.\n")
    after_a_run.write("workflow/rules/saes.smk", lambda text: "# A comment.\n" + text)
    after_a_run.write(TINY, lambda text: "# A comment.\n" + text)
    assert after_a_run.plan().jobs == set()


def test_other_docstrings_rerun_nothing(after_a_run):
    for path in ("store/files.py", "saes/types/topk.py", "models/train.py", "toy/model.py"):
        after_a_run.write(f"{PACKAGE}/{path}", lambda text: text.replace('"""', '"""Reworded. ', 1))
    assert after_a_run.plan().jobs == set()


def test_cores_threads_and_memory_rerun_nothing(after_a_run):
    arguments = ["--cores", "1", "--set-threads", "saes=2", "toy_models=2"]
    arguments += ["--set-resources", "saes:mem_mb=9000", "finetune:mem_mb=123", "images:runtime=7"]
    assert after_a_run.plan(*arguments).jobs == set()


@pytest.mark.parametrize("path", MODULE_EDITS)
def test_editing_a_module_reruns_exactly_these_jobs(path, after_a_run):
    after_a_run.write(f"{PACKAGE}/{path}", with_code)
    assert_reruns(after_a_run.plan(), *MODULE_EDITS[path])


@pytest.mark.parametrize("room", CONFIG_EDITS)
def test_editing_the_config_reruns_exactly_these_jobs(room, after_a_run):
    old, new, starts, follows = CONFIG_EDITS[room]
    after_a_run.replace(TINY, old, new)
    assert_reruns(after_a_run.plan(), starts, follows)


def test_a_module_edit_that_arrives_with_an_old_time_still_reruns(after_a_run):
    after_a_run.write(f"{PACKAGE}/attacks/methods/pgd.py", with_code, old_time=True)
    assert_reruns(after_a_run.plan(), ("adversarial_images/*/pgd",), AFTER_ATTACKS)


def test_a_config_edit_that_arrives_with_an_old_time_still_reruns(after_a_run):
    after_a_run.replace(TINY, "samples: 64", "samples: 63", old_time=True)
    assert_reruns(
        after_a_run.plan(), ("toy_vulnerability",), ("toy_table", *TOY_CURVES, "claims_table")
    )


def test_adding_a_training_epsilon_retrains_no_network_that_there_is(after_a_run):
    after_a_run.replace(TINY, "epsilons: {l2: [1.0]}", "epsilons: {l2: [1.0, 3.0]}")
    plan = after_a_run.plan()
    new = {job.replace("l2-1-s0", "l2-3-s0") for job in JOBS if "l2-1-s0" in job}
    collecting = ("accuracy_table", "accuracy_figure", *AFTER_SAES)
    tables = ("accuracy", "saes", "matched", "baselines", "l0", "splice")
    assert plan.starts == {f"{table}_table" for table in tables}  # what they are made from is more
    assert plan.jobs == new | chosen(JOBS, *collecting)


def test_an_sae_type_that_the_experiment_leaves_out_is_not_in_its_plan(after_a_run):
    relu_l1 = "    relu_l1: {l1: [0.125, 0.5], warmup_fraction: 0.05, gradient_clip: 1.0}\n"
    after_a_run.replace(TINY, relu_l1, "")
    planned = after_a_run.plan("--forceall")
    assert planned.jobs == {job for job in JOBS if "relu_l1" not in job}


@pytest.mark.parametrize(
    ("sections", "jobs"),
    [
        (NETWORK_SECTIONS, {*TOY, "claims_table"}),
        (("toy",), JOBS - set(TOY)),
    ],
    ids=["toy models alone", "networks alone"],
)
def test_an_arm_that_the_experiment_leaves_out_is_not_in_its_plan(sections, jobs, after_a_run):
    left = without(yaml.safe_load((after_a_run.folder / TINY).read_text()), sections)
    after_a_run.write(TINY, lambda text: yaml.safe_dump(left, sort_keys=False))
    assert after_a_run.plan("--forceall").jobs == jobs
    # of what was made with both arms, only the claims are about both
    assert after_a_run.plan().jobs == {"claims_table"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("k: [4, 8]", "k: [8, 64]", ["saes.types.topk.k: 64 is not below the 64 dimensions of stem"]),
        ("resamples: 100", "resample: 100", ["analysis.resample: unknown key", "did you mean resamples?"]),
        ("seeds: [0, 1]", "seeds: zero", ["toy.seeds: found 'zero' (text)"]),
        ("  evaluation: {samples", "  evaluations: {samples", ["toy.evaluation: missing", "2 errors"]),
    ],
    ids=["across sections", "a typing error", "another type", "two errors at once"],
)  # fmt: skip
def test_a_wrong_config_ends_in_one_message(old, new, said, after_a_run):
    after_a_run.replace(TINY, old, new)
    done = after_a_run.snakemake("--dry-run")
    assert done.returncode != 0
    assert "Traceback" not in done.stdout
    assert all(part in done.stdout for part in said), done.stdout
    assert done.stdout.count(said[0]) == 1


def test_a_file_where_results_should_go_ends_in_one_message(tmp_path):
    checkout = Checkout.copy(tmp_path)
    (checkout.folder / "results").write_text("in the way\n")
    done = checkout.snakemake("--cores", "1")
    assert done.returncode != 0
    assert "Traceback" not in done.stdout
    said = f"results cannot be written: {checkout.folder / 'results'} is not a folder"
    assert done.stdout.count(said) == 1
    assert (checkout.folder / "results").read_text() == "in the way\n"
