"""What an edit reruns, against a table written by hand: every config key and every module, alone.

A job is named `RULE/WILDCARDS` here; a pattern of the tables means the rule's every job, or those
that its wildcards pick. The tables say what *should* rerun, from what the numbers of a job depend
on; nothing in them is derived from the code that makes specs. What follows downstream of a changed
job is Snakemake's work and is checked by real dry runs in test_reruns.py.
"""

import ast
import copy
import json
import os
import re
import shutil
import subprocess
import sys
import typing
from fnmatch import fnmatch
from functools import cache

import pytest
from pydantic import BaseModel

from interference import provenance
from interference.config import catalogue
from interference.config import specs as specs_module
from interference.config.load import check_config
from interference.config.schema import Config
from interference.config.specs import Specs
from tests.support import REPO
from tests.support.checkout import chosen, forget_sources, rule_blocks

PACKAGE = REPO / "workflow" / "lib" / "interference"

#: An experiment in which every section has at least two of what it may have many of.
BASE = {
    "experiment": "matrix",
    "data": {
        "dataset": "fashion-mnist-subset",
        "root": None,
        "image_size": None,
        "pictures": None,
        "train": 400,
        "heldout": 60,
        "evaluation": 80,
        "seed": 0,
    },
    "models": {
        "source": "trained",
        "architecture": "resnet18",
        "stem": "imagenet",
        "epsilons": {"l2": [1.0], "linf": [0.1]},
        "seeds": [0],
        "batch_size": 50,
        "weight_decay": 0.0005,
        "momentum": 0.9,
        "trunk": {"epochs": 2, "learning_rate": 0.05},
        "finetune": {
            "epochs": 1,
            "learning_rate": 0.02,
            "attack": {"steps": 1, "relative_step": 1.25, "random_start": True},
        },
    },
    "attacks": {
        "images": 32,
        "seed": 0,
        "methods": {
            "fgsm": {"type": "fgsm", "norm": "l2", "epsilons": [0.5]},
            "pgd": {
                "type": "pgd",
                "norm": "l2",
                "epsilons": [0.25, 0.5, 1.0],
                "steps": 2,
                "relative_step": 0.5,
                "random_start": True,
            },
            "noise": {"type": "noise", "norm": "l2", "epsilons": [0.25, 0.5, 1.0]},
            "fgsm-linf": {"type": "fgsm", "norm": "linf", "epsilons": [0.5]},
            "noise-linf": {"type": "noise", "norm": "linf", "epsilons": [0.25, 0.5, 1.0]},
        },
    },
    "activations": {"layers": {"stem": 4, "layer2": 8}, "parts": 2, "keep": True, "seed": 0},
    "saes": {
        "seeds": [0],
        "decay_fraction": 0.2,
        "layers": {
            "stem": {"expansion_factor": 2, "rows": 3200, "batch_size": 64, "learning_rate": 0.002},
            "layer2": {
                "expansion_factor": 4,
                "rows": 6400,
                "batch_size": 128,
                "learning_rate": 0.002,
            },
        },
        "types": {
            "topk": {"k": [4, 8], "aux_k": 32, "aux_weight": 1.0, "dead_after": 640},
            "relu_l1": {"l1": [0.125, 0.5], "warmup_fraction": 0.05, "gradient_clip": 1.0},
            "batch_topk": {"k": [4, 8], "aux_k": 32, "aux_weight": 1.0, "dead_after": 640},
            "jumprelu": {
                "l0": [0.003, 0.03],
                "warmup_fraction": 0.05,
                "initial_threshold": 0.1,
                "bandwidth": 0.1,
            },
            "gated": {"l1": [0.125, 0.5], "warmup_fraction": 0.05},
            "matryoshka": {
                "k": [4, 8],
                "aux_k": 32,
                "aux_weight": 1.0,
                "dead_after": 640,
                "prefixes": [0.25, 1.0],
            },
        },
        "baselines": {"type": "topk", "k": [4]},
    },
    "analysis": {"confidence": 0.95, "resamples": 100, "seed": 0},
    "toy": {
        "features": 20,
        "hidden": 5,
        "densities": {"max": 1.0, "min": 0.2, "count": 3},
        "seeds": [0, 1],
        "steps": 100,
        "batch_size": 32,
        "learning_rate": 0.003,
        "weight_decay": 0.0,
        "adversarial": {
            "relative_epsilon": 0.1,
            "radius": "sample",
            "weight": 0.5,
            "attack": {"type": "gradient", "steps": 1, "relative_step": 1.0, "noise": 0.0},
        },
        "evaluation": {
            "samples": 256,
            "relative_epsilon": 0.1,
            "noise": 0.01,
            "pgd": {"starts": 1, "steps": 5, "relative_step": 0.5},
            "refit_samples": 64,
            "common_density": 0.4,
        },
        "geometry": {"densities": 2},
    },
}

#: The same with networks from files instead: of the hub, and one's own.
PICTURES = {
    "data.dataset": "image-folder",
    "data.root": "/pictures",
    "data.image_size": 32,
    "data.pictures": {"resize": 36, "corrupt": "refuse"},
}
CLEAN, ROBUST_NAME = "resnet18_l2_eps0", "resnet18_linf_eps4.0"
HUB = {
    "source": "hub",
    "folder": None,
    "revision": "main",
    "checkpoints": {CLEAN: None, ROBUST_NAME: None},
}
MINE = {
    "file": "/mine.pt",
    "sha256": None,
    "architecture": "resnet18",
    "norm": "clean",
    "epsilon": 0.0,
    "classes": 10,
    "mean": [0.5, 0.5, 0.5],
    "std": [0.25, 0.25, 0.25],
}
LARGER, ROBUST_FILE = {"architecture": "resnet50"}, {"norm": "l2", "epsilon": 1.0}
FILES = {
    "source": "files",
    "networks": {"mine": MINE, "larger": MINE | LARGER, "robust": MINE | ROBUST_FILE},
}

TABLES = (
    "accuracy_table",
    "saes_table",
    "matched_table",
    "baselines_table",
    "l0_table",
    "splice_table",
    "toy_table",
    "claims_table",
)
#: Figures of the geometry of toy models.
GRAPHS = ("toy_geometry_figure", "toy_interference_figure", "toy_densities_figure")
FIGURES = (
    "accuracy_figure",
    "fvu_figure",
    "matched_figure",
    "baselines_figure",
    "l0_figure",
    "splice_figure",
    "toy_figure",
    "toy_attacks_figure",
    "toy_elhage_figure",
    *GRAPHS,
    "toy_controls_figure",
)
TRAINING = ("trunk", "finetune")
#: Rules that run a network, so: read images and weights.
INFERENCE = (
    "adversarial_images",
    "activations_part",
    "activations",
    "attacked_activations",
    "splice",
)
#: Rules of networks that come from files.
CONVERTED = ("checkpoint", "predictions", "gates_table")
#: Rules that read a layer's rows off the network.
ROWS = ("activations_part", "activations")
#: Rules that attack toy models, and all that run them.
ATTACKED = ("toy_vulnerability", "toy_geometry")
TOY = ("toy_models", *ATTACKED)
BOOTSTRAPPED = ("saes_table", "matched_table", "baselines_table", "l0_table", "splice_table")
#: Rules that train SAEs.
FITS = ("saes", "baselines")
RULES = ("images", *TRAINING, *INFERENCE, *FITS, "l0", *TOY, *TABLES, *FIGURES)

ROBUST = ("finetune/l2-*", "finetune/linf-*")
PGD = ("adversarial_images/*/pgd",)

#: config key → (what the edit writes, jobs whose spec changes). The edit is a dict of further
#: keys where the one key alone is not valid. `*` stands for a name, `<type>` for an attack type.
CONFIG = {
    "experiment": ("other", ()),  # another results folder: nothing there to be stale
    "data.dataset": ({"data.dataset": "fashion-mnist", "data.root": "/fashion"}, ("images",)),
    "data.image_size": (32, ("images",)),
    "data.train": (401, ("images",)),
    "data.heldout": (61, ("images",)),
    "data.evaluation": (81, ("images",)),
    "data.seed": (1, ("images",)),
    "models.<trained>.stem": ("small", TRAINING),
    "models.<trained>.batch_size": (51, TRAINING),
    "models.<trained>.weight_decay": (0.001, TRAINING),
    "models.<trained>.momentum": (0.8, TRAINING),
    "models.<trained>.trunk.epochs": (1, ("trunk",)),
    "models.<trained>.trunk.learning_rate": (0.04, ("trunk",)),
    "models.<trained>.finetune.epochs": (2, ("finetune",)),
    "models.<trained>.finetune.learning_rate": (0.03, ("finetune",)),
    "models.<trained>.finetune.attack.steps": (2, ROBUST),
    "models.<trained>.finetune.attack.relative_step": (1.0, ROBUST),
    "models.<trained>.finetune.attack.random_start": (False, ROBUST),
    "models.<trained>.epsilons.l2": ([1.0, 3.0], ()),
    "models.<trained>.epsilons.linf": ([0.1, 0.2], ()),
    "models.<trained>.seeds": ([0, 1], ()),
    "attacks.images": (16, ("adversarial_images", "attacked_activations", "splice")),
    "attacks.seed": (1, ("adversarial_images",)),
    # A new first PGD is also the attack that claims are read at.
    "attacks.methods.*.<fgsm>.type": (
        {
            "attacks.methods.fgsm": {
                "type": "pgd",
                "norm": "l2",
                "epsilons": [0.5],
                "steps": 2,
                "relative_step": 0.5,
                "random_start": True,
            }
        },
        ("adversarial_images/*/fgsm", "claims_table"),
    ),
    "attacks.methods.*.<fgsm>.norm": (
        {"attacks.methods.fgsm.norm": "linf"},
        ("adversarial_images/*/fgsm", "l0_table"),
    ),
    "attacks.methods.*.<fgsm>.epsilons": (
        {"attacks.methods.fgsm.epsilons": [0.5, 1.0]},
        ("adversarial_images/*/fgsm",),
    ),
    "attacks.methods.*.<pgd>.type": (
        {"attacks.methods.pgd": {"type": "fgsm", "norm": "l2", "epsilons": [0.25, 0.5, 1.0]}},
        (*PGD, "claims_table"),
    ),
    "attacks.methods.*.<pgd>.norm": ({"attacks.methods.pgd.norm": "linf"}, (*PGD, "l0_table")),
    # Claims are read at the middle epsilon, 0.5 of three and 1.0 of the two.
    "attacks.methods.*.<pgd>.epsilons": (
        {"attacks.methods.pgd.epsilons": [0.25, 1.0]},
        (*PGD, "claims_table"),
    ),
    "attacks.methods.*.<pgd>.steps": ({"attacks.methods.pgd.steps": 3}, PGD),
    "attacks.methods.*.<pgd>.relative_step": ({"attacks.methods.pgd.relative_step": 0.4}, PGD),
    "attacks.methods.*.<pgd>.random_start": ({"attacks.methods.pgd.random_start": False}, PGD),
    # Noise is what the L0 table divides by, so two methods trade places.
    "attacks.methods.*.<noise>.type": (
        {
            "attacks.methods.noise": {"type": "fgsm", "norm": "l2", "epsilons": [1.0]},
            "attacks.methods.fgsm": {"type": "noise", "norm": "l2", "epsilons": [0.25, 0.5, 1.0]},
        },
        ("adversarial_images/*/noise", "adversarial_images/*/fgsm", "l0_table"),
    ),
    "attacks.methods.*.<noise>.norm": (
        {"attacks.methods.noise.norm": "linf", "attacks.methods.noise-linf.norm": "l2"},
        ("adversarial_images/*/noise", "adversarial_images/*/noise-linf", "l0_table"),
    ),
    "attacks.methods.*.<noise>.epsilons": (
        {"attacks.methods.noise.epsilons": [0.25, 0.5, 1.0, 4.0]},
        ("adversarial_images/*/noise",),
    ),
    "activations.layers.*": (
        {"activations.layers.stem": 3},
        ("activations/*/stem", "activations_part/*/stem/*"),
    ),
    "activations.parts": (1, ()),
    "activations.keep": (False, ()),  # the same rows, for a shorter time
    "activations.seed": (1, ROWS),
    "saes.seeds": ([0, 1], FITS),
    "saes.decay_fraction": (0.1, FITS),
    "saes.layers.*.expansion_factor": (
        {"saes.layers.stem.expansion_factor": 3},
        ("saes/*/stem/*", "baselines/*/stem"),
    ),
    "saes.layers.*.rows": (
        {"saes.layers.stem.rows": 3300},
        (
            "saes/*/stem/*",
            "baselines/*/stem",
        ),
    ),
    "saes.layers.*.learning_rate": (
        {"saes.layers.stem.learning_rate": 0.001},
        ("saes/*/stem/*", "baselines/*/stem"),
    ),
    "saes.layers.*.batch_size": (
        {"saes.layers.stem.batch_size": 32},
        (
            "saes/*/stem/*",
            "baselines/*/stem",
        ),
    ),
    "saes.types.topk.k": ([4], ("saes/*/topk",)),
    "saes.types.topk.aux_k": (16, ("saes/*/topk", "baselines")),
    "saes.types.topk.aux_weight": (0.5, ("saes/*/topk", "baselines")),
    "saes.types.topk.dead_after": (320, ("saes/*/topk", "baselines")),
    "saes.types.relu_l1.l1": ([0.125], ("saes/*/relu_l1",)),
    "saes.types.relu_l1.warmup_fraction": (0.1, ("saes/*/relu_l1",)),
    "saes.types.relu_l1.gradient_clip": (2.0, ("saes/*/relu_l1",)),
    "saes.types.batch_topk.k": ([4], ("saes/*/batch_topk",)),
    "saes.types.batch_topk.aux_k": (16, ("saes/*/batch_topk",)),
    "saes.types.batch_topk.aux_weight": (0.5, ("saes/*/batch_topk",)),
    "saes.types.batch_topk.dead_after": (320, ("saes/*/batch_topk",)),
    "saes.types.jumprelu.l0": ([0.003], ("saes/*/jumprelu",)),
    "saes.types.jumprelu.warmup_fraction": (0.1, ("saes/*/jumprelu",)),
    "saes.types.jumprelu.initial_threshold": (0.2, ("saes/*/jumprelu",)),
    "saes.types.jumprelu.bandwidth": (0.2, ("saes/*/jumprelu",)),
    "saes.types.gated.l1": ([0.125], ("saes/*/gated",)),
    "saes.types.gated.warmup_fraction": (0.1, ("saes/*/gated",)),
    "saes.types.matryoshka.k": ([4], ("saes/*/matryoshka",)),
    "saes.types.matryoshka.aux_k": (16, ("saes/*/matryoshka",)),
    "saes.types.matryoshka.aux_weight": (0.5, ("saes/*/matryoshka",)),
    "saes.types.matryoshka.dead_after": (320, ("saes/*/matryoshka",)),
    "saes.types.matryoshka.prefixes": ([0.5, 1.0], ("saes/*/matryoshka",)),
    "saes.baselines.<topk>.type": ({"saes.baselines.type": "batch_topk"}, ("baselines",)),
    "saes.baselines.<topk>.k": ({"saes.baselines.k": [8]}, ("baselines",)),
    "analysis.confidence": (0.9, ("accuracy_table", *BOOTSTRAPPED, "claims_table")),
    "analysis.resamples": (200, BOOTSTRAPPED),
    "analysis.seed": (1, BOOTSTRAPPED),
    "toy.features": (21, ("toy_models",)),
    "toy.hidden": (6, ("toy_models",)),
    "toy.densities.max": (0.9, ("toy_models",)),
    "toy.densities.min": (0.3, ("toy_models",)),
    "toy.densities.count": (4, ("toy_models",)),
    "toy.seeds": ([0], ("toy_models",)),
    "toy.steps": (101, ("toy_models",)),
    "toy.batch_size": (33, ("toy_models",)),
    "toy.learning_rate": (0.004, ("toy_models",)),
    "toy.adversarial.relative_epsilon": (0.2, ("toy_models",)),
    "toy.adversarial.weight": (0.4, ("toy_models",)),
    "toy.weight_decay": (0.01, ("toy_models",)),
    "toy.adversarial.radius": ("mean", ("toy_models",)),
    "toy.adversarial.attack.<gradient>.type": (
        {"toy.adversarial.attack": {"type": "analytic"}},
        ("toy_models",),
    ),
    "toy.adversarial.attack.<analytic>.type": (
        {"toy.adversarial.attack": {"type": "analytic"}},
        ("toy_models",),
    ),
    "toy.adversarial.attack.<gradient>.steps": (
        {"toy.adversarial.attack.steps": 2},
        ("toy_models",),
    ),
    "toy.adversarial.attack.<gradient>.relative_step": (
        {"toy.adversarial.attack.relative_step": 0.5},
        ("toy_models",),
    ),
    "toy.adversarial.attack.<gradient>.noise": (
        {"toy.adversarial.attack.noise": 0.01},
        ("toy_models",),
    ),
    "toy.evaluation.samples": (255, ("toy_vulnerability",)),
    "toy.evaluation.relative_epsilon": (0.2, ATTACKED),
    "toy.evaluation.noise": (0.02, ATTACKED),
    "toy.evaluation.pgd.starts": (2, ATTACKED),
    "toy.evaluation.pgd.steps": (6, ATTACKED),
    "toy.evaluation.pgd.relative_step": (0.4, ATTACKED),
    "toy.geometry.densities": (3, ("toy_geometry",)),
    "toy.evaluation.refit_samples": (65, ("toy_vulnerability",)),
    "toy.evaluation.common_density": (0.5, ("toy_vulnerability",)),
}
#: Keys that no edit of BASE alone can change, with a test of their own below.
ELSEWHERE = {"data.root", "data.pictures.resize", "data.pictures.corrupt",
             "models.<trained>.source", "models.<trained>.architecture"}  # fmt: skip

#: Of networks from files: config key → (the edit of models, jobs whose spec changes).
OF_ROBUST = (
    *(f"{rule}/robust" for rule in ("checkpoint", "predictions", *INFERENCE, *FITS, "l0")),
)
NETWORK = "models.<files>.networks.*"
FROM_FILES = {
    "models.<hub>.folder": (HUB | {"folder": "/there"}, ("checkpoint",)),
    "models.<hub>.revision": (HUB | {"revision": "v2"}, ("checkpoint",)),
    "models.<hub>.checkpoints.*": (
        HUB | {"checkpoints": {CLEAN: "0" * 64, ROBUST_NAME: None}},
        (f"checkpoint/{CLEAN}",),
    ),
    f"{NETWORK}.file": ({"file": "/its.pt"}, ("checkpoint/robust",)),
    f"{NETWORK}.sha256": ({"sha256": "0" * 64}, ("checkpoint/robust",)),
    f"{NETWORK}.classes": ({"classes": 11}, ("checkpoint/robust",)),
    f"{NETWORK}.mean": ({"mean": [0.4, 0.5, 0.5]}, ("checkpoint/robust",)),
    f"{NETWORK}.std": ({"std": [0.2, 0.25, 0.25]}, ("checkpoint/robust",)),
    # What names a network in every table.
    f"{NETWORK}.architecture": (LARGER, OF_ROBUST),
    f"{NETWORK}.norm": ({"norm": "linf"}, OF_ROBUST),
    f"{NETWORK}.epsilon": ({"epsilon": 2.0}, OF_ROBUST),
}
ELSEWHERE |= {*FROM_FILES, "models.<hub>.source", "models.<files>.source"}

NETWORKS = (*TRAINING, *INFERENCE)
#: module → jobs whose spec changes when its code does.
MODULES = {
    "compute": (*NETWORKS, *FITS, *TOY),
    "gpu": FITS,
    "store.files": RULES,
    "store.arrays": ("images", *NETWORKS, *FITS, "l0"),
    "store.tables": ("images", *NETWORKS, *FITS, "l0", *ATTACKED),
    "store.tensors": (*NETWORKS, *FITS, "l0", *TOY),
    "data.images": ("images",),
    "data.sources": ("images",),
    "data.dataset": ("images",),
    "data.fashion": ("images",),
    "data.idx": ("images",),
    "data.cifar": (),  # of datasets that this experiment does not read: tested below
    "data.folder": (),
    "data.listing": ("images",),
    "data.shards": (),
    "data.parquet": (),
    "data.webdataset": (),
    "data.decode": (),
    "data.pictures": (),
    "data.workers": (),
    "data.corrupt": ("images",),
    "data.subset": (),  # made the shipped files, once
    "data.labels": ("images", *NETWORKS),
    "data.read": NETWORKS,
    "models.network": NETWORKS,
    "models.architectures": NETWORKS,
    "models.feeding": NETWORKS,
    "models.checkpoint": (),  # of networks from files, which this experiment has not: tested below
    "models.unpickle": (),
    "models.hub": (),
    "models.matching": (),
    "models.mends": (),
    "models.clean": (),
    "store.stretch": NETWORKS,
    "store.space": ROWS,
    "models.predict": (*TRAINING, "adversarial_images"),
    "models.vision": NETWORKS,
    "models.train": TRAINING,
    "models.ranks": TRAINING,
    "models.sgd": TRAINING,
    "attacks.ascent": (*TRAINING, "adversarial_images"),  # adversarial training attacks
    "attacks.norms": (*TRAINING, "adversarial_images"),
    "attacks.craft": ("adversarial_images",),
    "attacks.methods.fgsm": ("adversarial_images/*/fgsm", "adversarial_images/*/fgsm-linf"),
    "attacks.methods.pgd": PGD,
    "attacks.methods.noise": ("adversarial_images/*/noise", "adversarial_images/*/noise-linf"),
    "activations.extract": ("activations",),
    "activations.parts": ROWS,
    "activations.forward": ROWS,
    "activations.shuffle": ROWS,
    "activations.standardise": (*ROWS, "attacked_activations", "splice"),
    "activations.attacked": ("attacked_activations",),
    "saes.adam": ("saes", "baselines"),
    "saes.baselines": ("baselines",),
    "saes.codes": (
        "baselines",
        "saes/*/topk",
        "saes/*/batch_topk",
        "saes/*/matryoshka",
        "saes/*/jumprelu",
    ),
    "saes.dictionary": ("saes", "baselines", "l0", "splice"),
    "saes.export": (),  # no job: a user's own command
    "saes.fit": ("saes", "baselines"),
    "saes.kernels": ("saes", "baselines", "l0", "splice"),
    "saes.metrics": ("saes", "baselines"),
    "saes.rows": ("saes", "baselines"),
    "saes.selection": ("saes", "baselines", "l0", "splice"),
    "saes.sparse": ("saes", "baselines"),
    "saes.spectrum": ("baselines",),
    "saes.stacked": ("saes", "baselines"),
    "saes.state": ("saes", "baselines"),
    "saes.substitutes": ("baselines",),
    # BatchTopK is TopK with another choice, Matryoshka is BatchTopK with another loss.
    "saes.types.topk": ("baselines", "saes/*/topk", "saes/*/batch_topk", "saes/*/matryoshka"),
    "saes.types.batch_topk": ("saes/*/batch_topk", "saes/*/matryoshka"),
    "saes.types.matryoshka": ("saes/*/matryoshka",),
    "saes.types.relu_l1": ("saes/*/relu_l1",),
    "saes.types.jumprelu": ("saes/*/jumprelu",),
    "saes.types.gated": ("saes/*/gated",),
    "toy.attacks.one_step": ATTACKED,
    "toy.attacks.analytic": ATTACKED,
    "toy.attacks.pgd": ATTACKED,
    "toy.attacks.trust_region": ATTACKED,
    "toy.attacks.every": ATTACKED,
    "toy.bound": ATTACKED,
    "toy.problem": ATTACKED,
    "toy.quadratic": ATTACKED,
    "toy.model": TOY,
    "toy.sampling": TOY,
    "toy.compiled": ("toy_models",),
    "toy.kernels": ("toy_models",),
    "toy.loops": ("toy_models",),
    "toy.stacked": ("toy_models",),
    "toy.tiles": ("toy_models",),
    "toy.state": ("toy_models",),
    "toy.train": ("toy_models",),
    "toy.evaluate": ("toy_vulnerability",),
    "toy.measures": ATTACKED,
    "toy.geometry": ("toy_geometry",),
    "toy.stack": ATTACKED,
    "toy.shrinkage": ("toy_vulnerability",),
    "analysis.l0": ("l0",),
    "analysis.splice": ("splice",),
    "analysis.frames": (*TABLES, *FIGURES),  # reads and writes tables
    "analysis.curves": ("saes_table", "matched_table", "baselines_table"),
    "analysis.statistics": ("accuracy_table", *BOOTSTRAPPED, "claims_table"),
    "analysis.shrinkage": ("toy_table", "claims_table"),
    "analysis.tables.accuracy": ("accuracy_table",),
    "analysis.tables.saes": ("saes_table",),
    "analysis.tables.matched": ("matched_table",),
    "analysis.tables.baselines": ("baselines_table",),
    "analysis.tables.gates": (),
    "analysis.tables.l0": ("l0_table",),
    "analysis.tables.splice": ("splice_table",),
    "analysis.tables.toy": ("toy_table",),
    "analysis.tables.claims": ("claims_table",),
    "analysis.figures.style": FIGURES,
    "analysis.figures.accuracy": ("accuracy_figure",),
    "analysis.figures.fvu": ("fvu_figure",),
    "analysis.figures.matched": ("matched_figure",),
    "analysis.figures.baselines": ("baselines_figure",),
    "analysis.figures.l0": ("l0_figure",),
    "analysis.figures.splice": ("splice_figure",),
    "analysis.figures.toy": ("toy_figure",),
    "analysis.figures.toy_attacks": ("toy_attacks_figure",),
    "analysis.figures.toy_elhage": ("toy_elhage_figure",),
    "analysis.figures.toy_geometry": ("toy_geometry_figure",),
    "analysis.figures.toy_interference": ("toy_interference_figure",),
    "analysis.figures.toy_densities": ("toy_densities_figure",),
    "analysis.figures.overlaps": GRAPHS,
    "analysis.figures.layout": GRAPHS,
    "analysis.figures.toy_controls": ("toy_controls_figure",),
}
#: The same of the experiment with checkpoints of the hub, where that says something else.
HUB_MODULES = {
    "models.checkpoint": ("checkpoint",),
    "models.unpickle": ("checkpoint",),
    "models.matching": ("checkpoint",),
    "models.hub": ("checkpoint", "predictions"),
    "models.mends": ("checkpoint", "predictions"),
    "models.clean": ("predictions",),
    "models.predict": ("predictions", "adversarial_images"),
    "models.architectures": ("checkpoint", "predictions", *INFERENCE),
    "models.train": (),
    "analysis.tables.gates": ("gates_table",),
}
#: These never touch a number: they read, plan, check, start and report.
NO_NUMBERS = ("config", "cli", "cluster", "provenance", "progress")


def jobs_of(values: dict) -> dict[str, str]:
    """The spec of every job of an experiment, by name, without what is upstream of it."""
    return {job: alone(spec) for job, spec in specs_of(values).items()}


def alone(spec: str) -> str:
    fields = json.loads(spec)
    fields.pop("inputs", None)
    return provenance.canonical(fields)


def specs_of(values: dict) -> dict[str, str]:
    """The spec of every job of an experiment, by name, as the rules ask for them."""
    specs = Specs(check_config(values))
    methods = values["attacks"]["methods"]
    jobs = {"images": specs.images()}
    for seed in values["models"].get("seeds", []):
        jobs[f"trunk/s{seed}"] = specs.trunk(seed)
    for model in specs.trained:
        jobs[f"finetune/{model}"] = specs.finetune(model)
    for model in specs.converted:
        jobs[f"checkpoint/{model}"] = specs.checkpoint(model)
        jobs[f"predictions/{model}"] = specs.predictions(model)
    for model in specs.models:
        jobs[f"splice/{model}"] = specs.splice(model)
        jobs[f"l0/{model}"] = specs.l0(model)
        jobs[f"attacked_activations/{model}"] = specs.attacked_activations(model)
        for attack in methods:
            jobs[f"adversarial_images/{model}/{attack}"] = specs.adversarial_images(model, attack)
        for layer in values["activations"]["layers"]:
            jobs[f"activations/{model}/{layer}"] = specs.activations(model, layer)
            for part in specs.parts:
                name = f"activations_part/{model}/{layer}/{part}"
                jobs[name] = specs.activations_part(model, layer, part)
            jobs[f"baselines/{model}/{layer}"] = specs.baselines(model, layer)
            for kind in values["saes"]["types"]:
                jobs[f"saes/{model}/{layer}/{kind}"] = specs.saes(model, layer, kind)
    jobs["toy_models"] = specs.toy_models()
    jobs["toy_vulnerability"] = specs.toy_vulnerability()
    jobs["toy_geometry"] = specs.toy_geometry()
    for table in catalogue.TABLES:
        if specs.jobs(table):
            jobs[table.rule] = specs.table(table.name)
    for figure in catalogue.FIGURES:
        for which in specs.jobs(figure):
            name = "/".join([figure.rule, *which.values()])
            jobs[name] = specs.figure(figure.name, **which)
    return jobs


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """Jobs that were there before and are there now, with another spec."""
    return {job for job in before.keys() & after.keys() if before[job] != after[job]}


def edited(edits: dict[str, object], base: dict = BASE) -> dict:
    """``base`` with dotted keys set to other values; None of `REMOVE` removes one."""
    values = copy.deepcopy(base)
    for key, value in edits.items():
        *sections, last = key.split(".")
        section = values
        for name in sections:
            section = section[name]
        if value is REMOVE:
            del section[last]
        else:
            assert section.get(last) != value, f"{key} is {value} already"
            section[last] = value
    return values


REMOVE = object()


NORMALISED, IMPORTS = cache(provenance.normalised), cache(provenance.imports)


@pytest.fixture(scope="module")
def base() -> dict[str, str]:
    assert provenance.ROOT == PACKAGE, "another checkout's package is installed here"
    return jobs_of(BASE)


@pytest.fixture(scope="module")
def hub() -> dict[str, str]:
    """Specs of the experiment with two checkpoints of the hub instead of trained networks."""
    return jobs_of(edited({**PICTURES, "models": HUB}))


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package that specs are computed from; a source is parsed once for all tests."""
    monkeypatch.setattr(provenance, "normalised", NORMALISED)
    monkeypatch.setattr(provenance, "imports", IMPORTS)
    root = tmp_path / "interference"
    shutil.copytree(PACKAGE, root, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(provenance, "ROOT", root)
    forget_sources()
    yield root
    forget_sources()


def modules_with_code() -> set[str]:
    """Dotted names, without the package's own, of modules that are not empty."""
    files = {path for path in PACKAGE.rglob("*.py") if path.read_text().strip()}
    return {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        for path in files
    }


def schema_keys(model: type[BaseModel], prefix: str = "") -> set[str]:
    """Every leaf key of a config, `*` for a name, `<type>` for a member of a tagged union."""
    keys: set[str] = set()
    for name, field in model.model_fields.items():
        keys |= _keys_of(field.annotation, f"{prefix}{name}")
    return keys


def _keys_of(annotation: object, path: str) -> set[str]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        tag = annotation.model_fields.get("type") or annotation.model_fields.get("source")
        tagged = f"{path}.<{typing.get_args(tag.annotation)[0]}>" if tag else path
        return schema_keys(annotation, f"{tagged}.")
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _keys_of(arguments[0], path)
    if origin is dict:
        return _keys_of(arguments[1], f"{path}.*")
    inner = [a for a in arguments if a is not type(None)]
    if origin is not list and any(
        "<" in key or key != path for a in inner for key in _keys_of(a, path)
    ):
        return set().union(*(_keys_of(a, path) for a in inner))
    return {path}


def test_the_tables_speak_of_every_rule_of_the_workflow():
    assert rule_blocks().keys() == {*RULES, *CONVERTED}


def test_the_base_experiment_has_jobs_of_every_rule_and_the_hubs_of_all_others(base, hub):
    assert {job.split("/")[0] for job in base} == set(RULES)
    assert {job.split("/")[0] for job in hub} == {*RULES, *CONVERTED} - set(TRAINING)


def test_the_config_table_holds_every_key_of_the_schema_and_no_other():
    assert schema_keys(Config) == set(CONFIG) | ELSEWHERE


def test_the_module_table_holds_every_module_that_has_code_and_no_other():
    numeric = {m for m in modules_with_code() if m.split(".")[0] not in NO_NUMBERS}
    assert numeric == set(MODULES)


@pytest.mark.parametrize("key", CONFIG)
def test_editing_a_config_key_changes_the_specs_of_exactly_these_jobs(key, base):
    value, patterns = CONFIG[key]
    edits = value if isinstance(value, dict) else {re.sub(r"<\w+>\.", "", key): value}
    after = jobs_of(edited(edits))
    assert changed(base, after) == chosen(base, *patterns)


@pytest.mark.parametrize("key", FROM_FILES)
def test_editing_a_key_of_networks_from_files_changes_the_specs_of_exactly_these_jobs(key):
    edit, patterns = FROM_FILES[key]
    before, after = (HUB, edit) if "<hub>" in key else (FILES, copy.deepcopy(FILES))
    if "<files>" in key:
        after["networks"]["robust"] |= edit
    base, then = (jobs_of(edited({**PICTURES, "models": models})) for models in (before, after))
    assert changed(base, then) == chosen(base, *patterns)


@pytest.mark.parametrize(
    "edit", [{"resize": 40}, {"corrupt": "skip"}], ids=lambda edit: next(iter(edit))
)
def test_editing_how_pictures_become_images_changes_only_images(edit, hub):
    pictures = PICTURES | {"data.pictures": PICTURES["data.pictures"] | edit}
    assert changed(hub, jobs_of(edited({**pictures, "models": HUB}))) == {"images"}


@pytest.mark.parametrize("module", MODULES)
def test_editing_a_module_changes_the_specs_of_exactly_these_jobs(module, base, package):
    path = package.joinpath(*module.split(".")).with_suffix(".py")
    path.write_text(path.read_text() + "\n_EDITED = 1\n")
    assert changed(base, jobs_of(BASE)) == chosen(base, *MODULES[module])


@pytest.mark.parametrize("module", HUB_MODULES)
def test_editing_a_module_of_checkpoints_changes_the_specs_of_exactly_these_jobs(
    module, hub, package
):
    path = package.joinpath(*module.split(".")).with_suffix(".py")
    path.write_text(path.read_text() + "\n_EDITED = 1\n")
    forget_sources()
    after = jobs_of(edited({**PICTURES, "models": HUB}))
    assert changed(hub, after) == chosen(hub, *HUB_MODULES[module])


def test_editing_what_touches_no_number_changes_no_spec(base, package):
    paths = [p for m in NO_NUMBERS for p in [package / f"{m}.py", *(package / m).rglob("*.py")]]
    present = [path for path in paths if path.is_file() and path.read_text().strip()]
    assert len(present) > 10
    for path in present:
        path.write_text(path.read_text() + "\n_EDITED = 1\n")
    assert jobs_of(BASE) == base


def with_comments_and_other_docstrings(source: str) -> str:
    """``source`` with a word more in every docstring, comments and blank lines in between."""
    lines = source.splitlines(keepends=True)
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if ast.get_docstring(node) is None:
            continue
        at = node.body[0].value.lineno - 1
        assert '"""' in lines[at]
        lines[at] = lines[at].replace('"""', '"""Reworded. ', 1)
    return "# A comment.\n\n\n" + "".join(lines) + "\n# Another.\n"


def test_a_comment_or_docstring_edit_of_every_module_changes_no_spec(base, package):
    reworded = 0
    for path in package.rglob("*.py"):
        source = path.read_text()
        if source.strip():
            path.write_text(with_comments_and_other_docstrings(source))
            reworded += path.read_text().count("Reworded.")
    assert reworded > 100
    assert jobs_of(BASE) == base


def test_a_docstring_where_there_was_none_changes_no_spec(base, package):
    path = package / "store" / "files.py"
    source = path.read_text()
    bare = "class Bare(Exception):\n    pass\n"
    path.write_text(source + bare)
    forget_sources()
    before = jobs_of(BASE)
    path.write_text(source + bare.replace("    pass", '    """Now it has one."""'))
    forget_sources()
    assert jobs_of(BASE) == before != base


def test_text_that_is_data_is_no_docstring():
    assert provenance.normalised("x = 'a'") != provenance.normalised("x = 'b'")
    function = "def f():\n    return {!r}\n"
    assert provenance.normalised(function.format("a")) != provenance.normalised(
        function.format("b")
    )


def test_two_swapped_numbers_of_the_code_change_a_spec(base, package):
    path = package / "toy" / "measures.py"
    source = path.read_text()
    path.write_text(source + "\n_PAIR = (1, 2)\n")
    forget_sources()
    before = jobs_of(BASE)
    path.write_text(source + "\n_PAIR = (2, 1)\n")
    forget_sources()
    assert changed(before, jobs_of(BASE)) == set(ATTACKED)


def test_two_swapped_numbers_of_the_config_change_a_spec(base):
    swap = {"toy.adversarial.relative_epsilon": 0.5, "toy.adversarial.weight": 0.1}
    assert changed(base, jobs_of(edited(swap))) == {"toy_models"}


def test_a_relative_import_is_refused(package):
    path = package / "toy" / "measures.py"
    path.write_text(path.read_text() + "\nfrom . import model\n")
    with pytest.raises(ValueError, match="relative imports"):
        jobs_of(BASE)


def test_an_import_inside_a_function_is_followed(base, package):
    path = package / "toy" / "measures.py"
    helper = package / "toy" / "helper.py"
    path.write_text(path.read_text() + "\ndef _late():\n    import interference.toy.helper\n")
    helper.write_text("A = 1\n")
    before = jobs_of(BASE)
    forget_sources()
    helper.write_text("A = 2\n")
    assert changed(before, jobs_of(BASE)) == set(ATTACKED)


def test_a_job_that_was_planned_with_other_code_refuses_to_run(base, tmp_path):
    spec = json.loads(base["toy_models"])
    stale = json.dumps({**spec, "code": {**spec["code"], "digest": "0" * 16}})
    verb = (
        "import sys; from interference.cli.main import main; sys.argv[0] = 'interference'; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", verb, "toy", "train", "--spec", stale, "--output", "models.json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: the code of interference.toy.train changed")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


# Keys that ask for a base of their own, and edits that make or take away jobs


def test_editing_the_root_of_a_dataset_changes_only_images():
    values = edited({"data.dataset": "cifar10", "data.root": "/here"})
    moved = edited({"data.root": "/there"}, values)
    assert changed(jobs_of(values), jobs_of(moved)) == {"images"}


def test_editing_the_architecture_changes_every_job_that_names_a_network(base):
    after = jobs_of(edited({"models.architecture": "resnet50"}))
    named = (*TRAINING, *INFERENCE, *FITS, "l0")
    assert changed(base, after) == chosen(base, *named)
    drawn = {"accuracy_figure", "baselines_figure", "splice_figure", "fvu_figure", "matched_figure"}
    gone = {job.replace("resnet18", "resnet50") for job in base.keys() - after.keys()}
    assert gone == after.keys() - base.keys() == chosen(after, *drawn)


@pytest.mark.parametrize(
    ("dataset", "reader", "others"),
    [
        ("fashion-mnist", "fashion", ("cifar", "folder", "decode", "workers")),
        ("cifar10", "cifar", ("fashion", "idx", "folder", "pictures")),
        ("cifar100", "cifar", ("fashion", "idx", "folder")),
        ("image-folder", "folder", ("fashion", "idx", "cifar", "parquet", "webdataset")),
        ("image-parquet", "parquet", ("folder", "webdataset")),
        ("image-webdataset", "webdataset", ("folder", "parquet")),
        ("image-folder", "decode", ()),
        ("image-folder", "pictures", ()),
        ("image-parquet", "workers", ()),
    ],
)
def test_editing_a_reader_changes_only_images_of_what_it_reads(dataset, reader, others, package):
    values = edited({"data.dataset": dataset, "data.root": "/data", "data.image_size": 32})
    if dataset.startswith("image-"):
        values["data"]["pictures"] = PICTURES["data.pictures"]
    before = jobs_of(values)
    for names, expected in ((others, set()), ((reader,), {"images"})):
        for name in names:
            path = package / "data" / f"{name}.py"
            path.write_text(path.read_text() + "\n_EDITED = 1\n")
        forget_sources()
        assert changed(before, jobs_of(values)) == expected


def test_other_bytes_in_the_shipped_images_change_only_images(base, tmp_path, monkeypatch):
    resources = tmp_path / "resources"
    (resources / "fashion-mnist-subset").mkdir(parents=True)
    (resources / "fashion-mnist-subset" / "SHA256SUMS").write_text("another sum\n")
    monkeypatch.setattr(specs_module, "RESOURCES", resources)
    assert changed(base, jobs_of(BASE)) == {"images"}


@pytest.mark.parametrize(
    ("edits", "new", "anew"),
    [
        ({"models.epsilons.l2": [1.0, 3.0]}, "*/l2-3-s0*", ()),
        ({"models.epsilons.linf": [0.1, 0.2]}, "*/linf-0.2-s0*", ()),
        ({"models.seeds": [0, 1]}, "*s1*", ()),
        (
            {
                "activations.layers.layer4": 1,
                "saes.layers.layer4": {
                    "expansion_factor": 2,
                    "rows": 3200,
                    "batch_size": 64,
                    "learning_rate": 0.002,
                },
            },
            "*/layer4*",
            ("attacked_activations",),  # of all layers, in one pass: cheap
        ),
    ],
    ids=["an l2 epsilon", "a linf epsilon", "a network seed", "a layer"],
)
def test_adding_makes_new_jobs_and_changes_no_spec_but_these(edits, new, anew, base):
    after = jobs_of(edited(edits))
    assert changed(base, after) == chosen(base, *anew)
    assert base.keys() - after.keys() == set()
    assert after.keys() - base.keys() == {job for job in after if fnmatch(job, new)} != set()


def test_removing_an_sae_type_removes_its_jobs_and_changes_no_spec(base):
    after = jobs_of(edited({"saes.types.relu_l1": REMOVE}))
    assert changed(base, after) == set()
    assert base.keys() - after.keys() == chosen(base, "saes/*/relu_l1", "matched_figure/*/relu_l1")


def test_adding_an_attack_changes_only_what_names_all_attacks(base):
    method = {"type": "fgsm", "norm": "l2", "epsilons": [1.0]}
    after = jobs_of(edited({"attacks.methods.more": method}))
    assert changed(base, after) == chosen(base, "attacked_activations", "l0_table")
    assert after.keys() - base.keys() == chosen(after, "adversarial_images/*/more")


def test_a_spec_names_its_fields_and_is_canonical_json():
    for job, text in specs_of(BASE).items():
        fields = json.loads(text)
        assert text == json.dumps(fields, sort_keys=True, separators=(",", ":")), job
        assert fields["code"]["roots"], job


def test_no_two_jobs_have_the_same_spec(base):
    assert len(set(base.values())) == len(base)
