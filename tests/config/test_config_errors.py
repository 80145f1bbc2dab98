"""Wrong configs: the message names the field, what was found, what is allowed and the mend."""

import copy
import datetime
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from interference.config.describe import schema
from interference.config.load import ConfigError, check_config, check_writable, read_config
from tests.support import REPO
from tests.support.networks import MINE

FILES = [
    REPO / "config.yaml",
    *sorted((REPO / "workflow" / "experiments").glob("*.yaml")),
    *sorted((REPO / "tests" / "experiments").glob("*.yaml")),
]
GOOD = yaml.safe_load((REPO / "config.yaml").read_text())
RIVALS = yaml.safe_load((REPO / "workflow/experiments/rivals.yaml").read_text())["rivals"]
MISSING = object()
NETWORKS = ("data", "models", "attacks", "activations", "saes")
COLOUR = GOOD["data"] | {
    "dataset": "cifar10",
    "root": "/c",
    "train": 40,
    "heldout": 8,
    "evaluation": 96,
}
ROBUST = MINE | {"norm": "linf", "epsilon": "4/255"}
OWN = {"source": "files", "networks": {"m": MINE, "r": ROBUST}}
FIVE_CLASSES = {"data/classes": 5, "data/evaluation": 1000}
HUB = {
    "source": "hub",
    "folder": "/c",
    "revision": "main",
    "checkpoints": {"resnet18_l2_eps0": "0" * 64},
}
FGSM = {"type": "fgsm", "norm": "l2", "epsilons": [0.5]}
ENSEMBLE = {**FGSM, "type": "strongest", "images": 9, "steps": 5, "restarts": 1, "targets": 3,
            "queries": 10}  # fmt: skip
SHUFFLED = {**FGSM, "type": "shuffled", "of": "fgsm"}
TRANSFERRED = {**FGSM, "type": "transferred", "of": "fgsm", "across": "seed"}
JUMPRELU = {"l0": [0.01], "warmup_fraction": 0.05, "initial_threshold": 0.1, "bandwidth": 0.1}
MATRYOSHKA = {**GOOD["saes"]["types"]["topk"], "prefixes": [0.5, 1.0]}


def rivals(section, **changes):
    """Rivals in the default config, with other values in one of their sections."""
    return {"rivals": {**RIVALS, section: {**RIVALS[section], **changes}}}


def changed(changes):
    """The default config with values put in, or taken out, at dotted paths."""
    values = copy.deepcopy(GOOD)
    for path, value in changes.items():
        *parents, last = path.split("/")
        node = values
        for part in parents:
            node = node[part]
        if value is MISSING:
            del node[last]
        else:
            node[last] = value
    return values


def message(changes):
    with pytest.raises(ConfigError) as error:
        check_config(changed(changes))
    return str(error.value)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_config_of_the_repository_is_valid(path):
    read_config(path)


WRONG = {
    # unknown keys, with the nearest spelling
    "section": ({"modles": 1}, ["modles: unknown key", "did you mean models?"]),
    "key": ({"data/trian": 1}, ["data.trian: unknown key", "allowed: dataset,", "mean train?"]),
    "deep key": (
        {"attacks/methods/pgd/stepz": 1},
        ["attacks.methods.pgd.stepz: unknown key", "did you mean steps?"],
    ),
    "key of a layer": (
        {"saes/layers/layer2/row": 1},
        ["saes.layers.layer2.row: unknown key", "did you mean rows?"],
    ),
    "key of a type": (
        {"saes/types/topk/aux_kk": 1},
        ["saes.types.topk.aux_kk: unknown key", "did you mean aux_k?"],
    ),
    "norm": ({"models/epsilons/l1": [1.0]}, ["models.epsilons.l1: unknown", "allowed: l2, linf"]),
    # choices
    "dataset": (
        {"data/dataset": "cifar-10"},
        ["data.dataset: found 'cifar-10' (text)", "allowed: fashion-mnist-subset,", "cifar10?"],
    ),
    "stem": (
        {"models/stem": "big"},
        ["models.stem: found 'big'", "allowed: imagenet, strided, small"],
    ),
    "attack type": (
        {"attacks/methods/pgd/type": "pdg"},
        [
            "attacks.methods.pgd.type: found 'pdg'",
            "allowed: fgsm, pgd, apgd, apgd_targeted, square, strongest, noise, shuffled, transferred",
            "mean pgd?",
        ],
    ),
    "attack without a type": (
        {"attacks/methods/pgd/type": MISSING},
        ["attacks.methods.pgd.type: ", "allowed: apgd, ", "pgd", "noise"],
    ),
    "layer": (
        {"activations/layers/layer5": 1},
        ["activations.layers: found 'layer5'", "stem, layer1, layer2, layer3, layer4"],
    ),
    # types
    "text for a number": (
        {"saes/layers/stem/learning_rate": "1e-3"},
        ["saes.layers.stem.learning_rate: found '1e-3' (text)", "valid number", "write 0.001"],
    ),
    "text for a whole number": ({"data/train": "1e3"}, ["data.train: found '1e3'", "write 1000"]),
    "word for a number": ({"data/train": "many"}, ["data.train: found 'many'", "valid integer"]),
    "bool for an int": ({"data/train": True}, ["data.train: found True", "valid integer"]),
    "bool for a float": ({"toy/learning_rate": True}, ["toy.learning_rate: found True"]),
    "float for an int": ({"data/train": 100.0}, ["data.train: found 100.0", "valid integer"]),
    "number for a bool": (
        {"attacks/methods/pgd/random_start": 1},
        ["attacks.methods.pgd.random_start: found 1", "valid boolean"],
    ),
    "number for a list": ({"models/seeds": 0}, ["models.seeds: found 0", "valid list"]),
    "number for a section": ({"toy": 3}, ["toy: found 3", "block of keys"]),
    "number for a method": ({"attacks/methods/pgd": 3}, ["attacks.methods.pgd: found 3", "block"]),
    "nothing for a section": ({"data": None}, ["data: found nothing", "block of keys"]),
    "nothing for toy models": ({"toy": None}, ["toy: found nothing", "block of keys"]),
    "nothing for a number": ({"data/train": None}, ["data.train: found nothing"]),
    "number for a name": (
        {"experiment": 3},
        ["experiment: found 3", "should be text; quote it: '3'"],
    ),
    "not a number": ({"toy/learning_rate": float("nan")}, ["toy.learning_rate: found nan"]),
    "infinity": ({"toy/learning_rate": float("inf")}, ["toy.learning_rate: found inf"]),
    # ranges
    "zero rate": (
        {"models/trunk/learning_rate": 0.0},
        ["models.trunk.learning_rate: found 0.0", "than 0"],
    ),
    "confidence": ({"analysis/confidence": 1.0}, ["analysis.confidence: found 1.0", "than 1"]),
    "momentum": ({"models/momentum": 1.0}, ["models.momentum: found 1.0", "less than 1"]),
    "fraction": ({"saes/decay_fraction": 1.1}, ["saes.decay_fraction: found 1.1", "equal to 1"]),
    "negative seed": ({"models/seeds": [0, -1]}, ["models.seeds.1: found -1", "equal to 0"]),
    "density": (
        {"toy/evaluation/common_density": 1.5},
        ["toy.evaluation.common_density: found 1.5", "equal to 1"],
    ),
    "resamples for a confidence": (
        {"analysis/confidence": 0.999},
        ["analysis.resamples: 1000 cannot tell", "0.001 of a confidence of 0.999", "write 2000"],
    ),
    "resamples": ({"analysis/resamples": 10}, ["analysis.resamples: found 10", "to 100"]),
    "name": (
        {"experiment": "../up"},
        ["experiment: found '../up'", "small letters, digits", "write up"],
    ),
    "underscore in a name": (
        {"experiment": "my_run"},
        ["found 'my_run'", "hyphens", "write my-run"],
    ),
    "date for a name": ({"experiment": datetime.date(2026, 1, 2)}, ["quote it: '2026-01-02'"]),
    "name of a method": (
        {"attacks/methods/A b": FGSM},
        ["attacks.methods.A b", "hyphens", "write a-b"],
    ),
    "name of a condition within a layer": (
        {"attacks/methods/displaced-random": FGSM},
        ["attacks.methods.displaced-random: in tables the name of activations", "rename it"],
    ),
    "name without a letter": ({"experiment": "__"}, ["experiment: found '__'", "names a folder"]),
    "hash": ({"models": OWN | {"networks": {"m": MINE | {"sha256": "abc"}}}}, ["64 hexadecimal"]),
    # pixels of 0 to 255 where pixels of 0 to 1 are meant
    "linf radius of an attack": (
        {"attacks/methods/pgd-linf/epsilons": [8.0], "attacks/methods/noise-linf/epsilons": [8.0]},
        [
            "attacks.methods.pgd-linf.epsilons: found 8; pixels are in [0, 1]",
            "write 8/255 (0.0313725)",
        ],
    ),
    "linf radius of training": (
        {"models/epsilons/linf": [4]},
        ["models.epsilons.linf: found 4;", "at most 1; write 4/255 (0.0156863)"],
    ),
    "l2 radius of an attack": (
        {"attacks/methods/fgsm/epsilons": [128], "attacks/methods/noise/epsilons": [128]},
        [
            "attacks.methods.fgsm.epsilons: found 128;",
            "of 1 x 28 x 28 are at most 28; write 128/255",
        ],
    ),
    "l2 radius of training": (
        {"models/epsilons/l2": [28.1]},
        ["models.epsilons.l2: found 28.1;", "at most 28"],
    ),
    "radius that is too large in both": (
        {"models/epsilons/linf": [300.0]},
        ["models.epsilons.linf: found 300;", "at most 1"],
    ),
    "radius of a file's network": (
        {
            "data": COLOUR,
            "models": OWN | {"networks": {"m": MINE, "r": ROBUST | {"epsilon": 4.0}}},
        },
        ["models.networks.r.epsilon: found 4;", "write 4/255 (0.0156863)"],
    ),
    "mean of a file's network": (
        {"models": OWN | {"networks": {"m": MINE | {"mean": [123.675, 116.28, 103.53]}}}},
        ["mean: found [123.675", "write [0.485, 0.456, 0.406] if pixels were 0 to 255"],
    ),
    "deviation of a file's network": (
        {"models": OWN | {"networks": {"m": MINE | {"std": [58.4, 57.1, 57.4]}}}},
        ["std: found [58.4", "above 0", "write [0.22902, 0.223922, 0.225098]"],
    ),
    # fractions
    "fraction for a rate": (
        {"models/trunk/learning_rate": "1/20"},
        ["models.trunk.learning_rate: found '1/20' (text)", "write 0.05"],
    ),
    "fraction of nothing": (
        {"models/epsilons/linf": ["8/0"]},
        ["found 8/0, which divides by zero"],
    ),
    "comma in a number": ({"toy/learning_rate": "0,5"}, ["found '0,5' (text)", "write 0.5"]),
    "no epsilons": ({"models/epsilons/l2": []}, ["models.epsilons.l2: found []", "at least 1"]),
    "no methods": ({"attacks/methods": {}}, ["attacks.methods", "at least 1"]),
    # combinations
    "epsilon twice": ({"models/epsilons/l2": [0.5, 1, 0.5]}, ["models.epsilons.l2: 0.5", "twice"]),
    "epsilon as int and float": ({"models/epsilons/l2": [1, 1.0]}, ["models.epsilons.l2", "twice"]),
    "seed twice": ({"toy/seeds": [2, 2]}, ["toy.seeds: 2 is there twice"]),
    "k too large": (
        {"saes/types/topk/k": [16, 32]},
        ["saes.types.topk.k: 32", "32 dimensions of layer1", "k < 32"],
    ),
    "k too large for a batch": (
        {"saes/types/batch_topk": {**GOOD["saes"]["types"]["topk"], "k": [8, 64]}},
        ["saes.types.batch_topk.k: 64", "64 dimensions of layer2", "k < 64"],
    ),
    "baselines of a type that is not there": (
        {"saes/baselines": {"type": "batch_topk", "k": [16]}},
        ["saes.baselines.type: batch_topk is not among the types", "topk, relu_l1; name one"],
    ),
    "baselines of a type without a k": (
        {"saes/baselines": {"type": "relu_l1", "k": [16]}},
        ["saes.baselines.type: found 'relu_l1'", "allowed: topk, batch_topk, matryoshka"],
    ),
    "baselines at a k that no SAE has": (
        {"saes/baselines": {"type": "topk", "k": [16, 5]}},
        ["saes.baselines.k: 5 is not in types.topk.k: [4, 8, 16, 24]", "of the same k"],
    ),
    "baselines at no k": ({"saes/baselines/k": []}, ["saes.baselines.k: found []", "at least 1"]),
    "baselines at a k twice": ({"saes/baselines/k": [16, 16]}, ["saes.baselines.k: 16", "twice"]),
    "no baselines": ({"saes/baselines": MISSING}, ["saes.baselines: missing"]),
    "an L1 type with a k": (
        {"saes/types/gated": {"l1": [0.1], "warmup_fraction": 0.05, "k": [4]}},
        ["saes.types.gated.k: unknown key", "allowed: l1, warmup_fraction"],
    ),
    "a threshold that is not above zero": (
        {"saes/types/jumprelu": {**JUMPRELU, "initial_threshold": 0.0}},
        ["saes.types.jumprelu.initial_threshold: found 0.0", "greater than 0"],
    ),
    "no bandwidth": (
        {"saes/types/jumprelu": {k: v for k, v in JUMPRELU.items() if k != "bandwidth"}},
        ["saes.types.jumprelu.bandwidth: missing"],
    ),
    "a misspelt type": (
        {"saes/types/jump_relu": JUMPRELU},
        ["jump_relu: unknown", "mean jumprelu?"],
    ),
    "prefixes that fall": (
        {"saes/types/matryoshka": {**MATRYOSHKA, "prefixes": [0.5, 0.25, 1.0]}},
        ["saes.types.matryoshka.prefixes: [0.5, 0.25, 1.0]: ", "must rise and end with 1.0"],
    ),
    "prefixes that leave latents out": (
        {"saes/types/matryoshka": {**MATRYOSHKA, "prefixes": [0.25, 0.5]}},
        ["saes.types.matryoshka.prefixes: [0.25, 0.5]: ", "end with 1.0"],
    ),
    "a prefix without a latent of its own": (
        {"saes/types/matryoshka": {**MATRYOSHKA, "prefixes": [0.5, 0.5001, 1.0]}},
        ["saes.types.matryoshka.prefixes: 0.5001 of the 256 latents of stem adds none"],
    ),
    "no SAE type": ({"saes/types": {}}, ["saes.types: no SAE type", "topk, relu_l1, batch_topk, "]),
    "empty SAE type": (
        {"saes/types": {"topk": None}},
        ["saes.types: no SAE type", "topk, relu_l1, batch_topk, "],
    ),
    "layer without rows": (
        {"saes/layers/layer2": MISSING},
        ["saes.layers: layer2 is missing", "every layer of activations.layers"],
    ),
    "rows without a layer": (
        {"activations/layers/layer2": MISSING},
        ["saes.layers.layer2: no activations.layers.layer2"],
    ),
    "few rows": (
        {"saes/layers/layer2/rows": 2559, "saes/layers/layer2/batch_size": 256},
        ["saes.layers.layer2.rows: 2559", "ten batches of 256"],
    ),
    "attack without noise": (
        {"attacks/methods/max": {**FGSM, "norm": "linf", "epsilons": [0.03, 0.7]}},
        [
            "attacks.methods.max.epsilons: linf 0.7 has no noise control",
            "add a method of type noise with norm linf and epsilon 0.7",
        ],
    ),
    "two noises": (
        {
            "attacks/methods/noise": {**FGSM, "type": "noise"},
            "attacks/methods/more": {**FGSM, "type": "noise"},
        },
        ["more are both l2 noise; keep one"],
    ),
    "an ensemble on more images": (
        {"attacks/methods/worst": {**ENSEMBLE, "images": 97}},
        ["attacks.methods.worst.images: found 97, but attacks.images is 96; write that or less"],
    ),
    "more targets than wrong classes": (
        {"attacks/methods/worst": {**ENSEMBLE, "targets": 10}},
        ["attacks.methods.worst: needs 11 classes, there are 10; write fewer targets"],
    ),
    "DLR of two classes": (
        {
            "models": {**OWN, "networks": {"m": {**MINE, "classes": 2}}},
            "data": COLOUR,
            "attacks/methods/auto": {
                **FGSM,
                "type": "apgd",
                "steps": 5,
                "restarts": 1,
                "loss": "dlr",
            },
        },
        ["attacks.methods.auto: needs 3 classes, there are 2;"],
    ),
    "restarts that are all the same": (
        {"attacks/methods/pgd/random_start": False, "attacks/methods/pgd/restarts": 2},
        ["attacks.methods.pgd.restarts: 2 starts", "write restarts: 1 or random_start: true"],
    ),
    "control of nothing": (
        {"attacks/methods/mixed": {**SHUFFLED, "of": "fgms"}},
        ["attacks.methods.mixed.of: found fgms, needs the name of an attack; allowed: fgsm, pgd"],
    ),
    "control of a control": (
        {"attacks/methods/mixed": {**SHUFFLED, "of": "mixed"}},
        ["attacks.methods.mixed.of: found mixed, needs the name of an attack"],
    ),
    "control of another norm": (
        {"attacks/methods/mixed": {**SHUFFLED, "of": "pgd-linf"}},
        ["attacks.methods.mixed.norm: found l2, but pgd-linf has linf"],
    ),
    "control of another epsilon": (
        {
            "attacks/methods/mixed": {**SHUFFLED, "epsilons": [0.7]},
            "attacks/methods/noise/epsilons": [0.5, 0.7, 1.0, 2.0],
        },
        [
            "attacks.methods.mixed.epsilons: found 0.7, which fgsm has not; add it there, or write some"
        ],
    ),
    "transfer across one seed": (
        {"attacks/methods/moved": TRANSFERRED},
        [
            "attacks.methods.moved.across: clean-s0 has no network of another seed; add a second seed"
        ],
    ),
    "transfer between networks of other classes": (
        {
            "models": {**OWN, "networks": {"m": MINE, "r": {**ROBUST, "classes": 100}}},
            "data": COLOUR,
            "attacks/methods/moved": {**TRANSFERRED, "across": "epsilon"},
        },
        [
            f"attacks.methods.moved: m tells {MINE['classes']} classes apart, and r, whose images it",
            "100; write networks of the same classes, or leave it out",
        ],
    ),
    "transfer across one epsilon": (
        {
            "models": {**OWN, "networks": {"m": MINE}},
            "data": COLOUR,
            "attacks/methods/moved": {**TRANSFERRED, "across": "epsilon"},
        },
        ["attacks.methods.moved.across: m has no network of another epsilon;"],
    ),
    "too many attacked": (
        {"attacks/images": 101, "data/evaluation": 100},
        ["attacks.images: 101 images", "data.evaluation has 100"],
    ),
    "more images to flip than to attack": (
        {"attacks/least/images": 97},
        ["attacks.least.images: found 97, but attacks.images is 96; write that or less"],
    ),
    "more perturbations to look at than there are": (
        {"attacks/structure": {"images": 97}},
        ["attacks.structure.images: found 97, but attacks.images is 96; write that or less"],
    ),
    "more images to exchange than to attack": (
        {"attacks/exchange": {"images": 97}},
        ["attacks.exchange.images: found 97, but attacks.images is 96; write that or less"],
    ),
    "attacks to exchange of one network": (
        {
            "attacks/exchange": {"images": 8},
            "models": {**OWN, "networks": {"m": MINE}},
            "data": COLOUR,
        },
        ["attacks.exchange: one network has no other to show attacks to; leave it out"],
    ),
    "more images to defend than to attack": (
        {"attacks/defence_images": 97},
        ["attacks.defence_images: found 97, but attacks.images is 96; write that or less"],
    ),
    "too many for training": (
        {"data/train": 11_001, "data/heldout": 1000},
        ["train + heldout: 11001 + 1000 images", "fashion-mnist-subset has 12000"],
    ),
    "too many for evaluation": ({"data/evaluation": 2001}, ["data.evaluation: 2001", "has 2000"]),
    "too many positions": (
        {"models/stem": "imagenet", "activations/layers/layer4": 2},
        ["activations.layers.layer4: 2 positions", "28 pixels has 1 there"],
    ),
    "width of an architecture that has one": (
        {"models/architecture": "vgg16_bn", "models/stem": "imagenet"},
        ["models.width: found 32, but vgg16_bn", "write null, or resnet18 and resnet50"],
    ),
    "stem of an architecture that has one": (
        {"models/architecture": "vgg16_bn", "models/stem": "strided"},
        ["models.stem: vgg16_bn has no strided stem", "write imagenet"],
    ),
    "narrow layers": (
        {"models/width": 8},
        ["saes.types.topk.k: 8 is not below the 8 dimensions of stem", "needs k < 8"],
    ),
    "root of an embedded dataset": ({"data/root": "x"}, ["data.root:", "write null"]),
    "dataset without a root": ({"data/dataset": "cifar10"}, ["data.root: cifar10 needs"]),
    "folder without a size": (
        {"data/dataset": "image-folder", "data/root": "x"},
        ["data.image_size: image-folder", "give one"],
    ),
    "densities": (
        {"toy/densities": {"max": 1.0, "min": 1.0, "count": 3}},
        ["toy.densities.min: 1 is not below max: 1"],
    ),
    "bottleneck": (
        {"toy/hidden": 100, "toy/features": 100},
        ["toy.hidden: 100 is not below features: 100"],
    ),
    "more densities shown than trained": (
        {"toy/geometry": {"densities": 11}},
        ["toy.geometry.densities: 11 to show, but densities.count trains 10"],
    ),
    "one density shown": (
        {"toy/geometry": {"densities": 1}},
        ["toy.geometry.densities: found 1", "greater than or equal to 2"],
    ),
    "attack named as the clean condition": ({"attacks/methods/clean": FGSM}, ["clean"]),
    # missing
    "missing section": (
        {"analysis": MISSING},
        ["analysis: missing", "config.yaml shows every key"],
    ),
    "one section of the networks": (
        {section: MISSING for section in (*NETWORKS[1:], "canvas")},
        [
            "models, attacks, activations, saes: missing, but found data;",
            "add what is missing",
            "remove data for an experiment without them",
        ],
    ),
    "no arm": (
        {section: MISSING for section in (*NETWORKS, "toy", "canvas")},
        [
            "toy: missing, and so are data, models,",
            "add toy (toy models)",
            "(networks), or several",
        ],
    ),
    "a misspelt section": (
        {"toys": GOOD["toy"], "toy": MISSING},
        ["toys: unknown key", "did you mean toy?"],
    ),
    # rivals
    "rivals without images": (
        {section: MISSING for section in (*NETWORKS, "canvas")} | {"rivals": RIVALS},
        ["data: missing, but found rivals, made of its images; add it"],
    ),
    "rivals of one seed": (
        {"rivals": RIVALS | {"seeds": [0]}},
        ["rivals.seeds", "2"],
    ),
    "a bottleneck as wide as its classes": (
        rivals("bottlenecks", widths=[2, 10]),
        [
            "rivals.bottlenecks.widths: 10 has no frame of 10 class vectors",
            "2, 3, 4, 5, 6, 7, 8, 9",
        ],
    ),
    "an odd bottleneck of an odd number of classes": (
        rivals("bottlenecks", classes=7, widths=[2, 3]),
        ["rivals.bottlenecks.widths: 3 has no frame of 7 class vectors", "write some of 2, 4, 6"],
    ),
    "more classes than there are": (
        rivals("abundance", classes=[2, 11]),
        ["rivals.abundance.classes: found 11, but there are 10; write that or less"],
    ),
    "a lesson of more classes than there are": (
        rivals("relearning", classes=11),
        ["rivals.relearning.classes: found 11, but there are 10; write that or less"],
    ),
    "a lesson of two classes, whose next is the other": (
        rivals("relearning", classes=2),
        ["rivals.relearning.classes", "3"],
    ),
    "a lesson in pixels of 255": (
        rivals("relearning", attack={"epsilon": 25.0, "steps": 2}),
        ["rivals.relearning.attack.epsilon: found 25", "at most 1", "write 0.0980392 if"],
    ),
    "more attacked images of rivals than there are": (
        rivals("bottlenecks", attack=RIVALS["bottlenecks"]["attack"] | {"images": 5000}),
        ["rivals.bottlenecks.attack.images: found 5000, but data.evaluation is", "or less"],
    ),
    "more images to show to other MLPs than there are": (
        rivals("overlap", attack=RIVALS["overlap"]["attack"] | {"images": 5000}),
        ["rivals.overlap.attack.images: found 5000", "data.evaluation is"],
    ),
    "an attack to show in pixels of 255": (
        rivals("overlap", attack=RIVALS["overlap"]["attack"] | {"epsilon": 25.0}),
        ["rivals.overlap.attack.epsilon: found 25", "at most 1", "write 0.0980392 if"],
    ),
    "a radius of rivals in pixels of 255": (
        rivals("abundance", epsilons=[8.0]),
        ["rivals.abundance.epsilons: found 8", "at most 1", "write 0.0313725 if"],
    ),
    # canvases
    "bottlenecks to mount and no networks": (
        {
            **{section: MISSING for section in NETWORKS if section != "data"},
            "canvas/mount": {
                "cells": 6,
                "doses": [1.0],
                "flips": {"pairs": 1, "steps": 1, "starts": 1},
            },
        },
        [
            "canvas.mount: found, but no networks to mount bottlenecks on",
            "add models, attacks, activations, saes, or leave mount out",
        ],
    ),
    "canvases without images": (
        {section: MISSING for section in NETWORKS},
        ["data: missing, but found canvas, made of its images; add it"],
    ),
    "a dose that makes no whole number of dimensions": (
        {"canvas/doses": [1.0, 7.0]},
        ["canvas.doses: 7 of 18 cells makes 2.57143 dimensions", "an integer, such as 6"],
    ),
    "a dose below one": (
        {"canvas/doses": [0.5, 1.0]},
        ["canvas.doses: 0.5 of 18 cells makes 36 dimensions", "at least 1", "such as 1"],
    ),
    "a mounted dose that makes no whole number of dimensions": (
        {
            "canvas/mount": {
                "cells": 12,
                "doses": [5.0],
                "flips": {"pairs": 1, "steps": 1, "starts": 1},
            }
        },
        ["canvas.mount.doses: 5 of 12 cells makes 2.4 dimensions", "such as 6"],
    ),
    "families without doses": (
        {"canvas/families": ["frozen"]},
        ["canvas.families: found frozen without dose", "add it"],
    ),
    "a family twice": (
        {"canvas/families": ["dose", "dose"]},
        ["canvas.families: dose is there twice"],
    ),
    "a crossover whose blocks are no canvas": (
        {"canvas/families": ["dose", "crossover"]},
        ["canvas.cells: 18, but the blocks of the family crossover make up 36", "leave"],
    ),
    "cells without a third": (
        {"canvas/cells": 16, "canvas/doses": [1.0, 2.0], "canvas/families": ["dose", "width"]},
        ["canvas.cells: 16 has no third, which the family width needs", "multiple of 3"],
    ),
    "a ladder without radii": (
        {"canvas/families": ["dose", "ladder"]},
        ["canvas.adversarial: the radii of the family ladder", "found the family alone"],
    ),
    "radii without a ladder": (
        {"canvas/adversarial": {"epsilons": [0.5], "steps": 1}},
        ["canvas.adversarial: the radii of the family ladder", "found adversarial alone"],
    ),
    "training radii on a scale of 255": (
        {
            "canvas/families": ["dose", "ladder"],
            "canvas/adversarial": {"epsilons": [255.0], "steps": 1},
        },
        [
            "canvas.adversarial.epsilons: found 255; pixels are in [0, 1]",
            "at most 59.397",
            "write 1 ",
        ],
    ),
    "more classes than the dataset has": (
        {"canvas/regimes/dense/classes": 11},
        ["canvas.regimes.dense.classes: found 11, but there are 10; write that or less"],
    ),
    "more classes of canvases than the experiment takes": (
        {**FIVE_CLASSES, "canvas/regimes/dense/classes": 6},
        ["canvas.regimes.dense.classes: found 6, but there are 5; write that or less"],
    ),
    "more classes of rivals than the experiment takes": (
        {**FIVE_CLASSES, **rivals("abundance", classes=[2, 6])},
        ["rivals.abundance.classes: found 6, but there are 5; write that or less"],
    ),
    "more targets than the experiment takes classes": (
        {
            "data/classes": 3,
            "data/train": 2000,
            "data/evaluation": 600,
            "attacks/methods/worst": ENSEMBLE,
        },
        ["attacks.methods.worst: needs 4 classes, there are 3; write fewer targets"],
    ),
    "classes that the dataset has not": (
        {"data/classes": 11},
        ["data.classes: found 11, but fashion-mnist-subset has 10; write fewer, or leave it out"],
    ),
    "a single class": ({"data/classes": 1}, ["data.classes: found 1", "2"]),
    "more images than some classes have": (
        {"data/classes": 3},
        ["train + heldout: 4000 + 600 images asked for", "has 3600 of its first 3 classes"],
    ),
    "more test images than some classes have": (
        {"data/classes": 5},
        ["evaluation: 2000 images asked for", "has 1000 of its first 5 classes"],
    ),
    "labels of another source": (
        {"data/labels": "random"},
        ["data.labels: found 'random' (text), allowed: shuffled"],
    ),
    "some classes of networks that tell all of ImageNet's apart": (
        {"data": COLOUR | {"classes": 5}, "models": HUB},
        ["data.classes: found 5, but hub networks tell all 1000 of ImageNet's apart"],
    ),
    "fewer classes than a network from elsewhere tells apart": (
        {"data": COLOUR | {"classes": 5}, "models": OWN},
        [
            "models.networks.m.classes: found 10, but data.classes is 5; write networks and data",
            "models.networks.r.classes: found 10",
        ],
    ),
    "labels that a network from elsewhere has not learned": (
        {"data": COLOUR | {"labels": "shuffled"}, "models": OWN},
        ["data.labels: found shuffled, but files networks have learned the dataset's"],
    ),
    "features that are always on": (
        {"canvas/regimes/dense/density": 1.0},
        ["canvas.regimes.dense.density: found 1.0", "less than 1"],
    ),
    "half of an odd side": (
        {"data/image_size": 27},
        ["canvas.halved: images of 27 pixels a side have no half; write false"],
    ),
    "transfer at a dose that no network has": (
        {"canvas/transfer": {"doses": [4.0], "pairs": 9}},
        ["canvas.transfer.doses: 4 is none of doses; write some of 1, 1.5, 2, 3"],
    ),
    "transfer to no other seed": (
        {"canvas/seeds": [0], "canvas/transfer": {"doses": [3.0], "pairs": 9}},
        ["canvas.transfer: found one seed, needs two"],
    ),
    "missing key": ({"data/seed": MISSING}, ["data.seed: missing"]),
    "missing key of a method": (
        {"attacks/methods/pgd/steps": MISSING},
        ["attacks.methods.pgd.steps: missing"],
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_config_is_explained(case):
    changes, expected = WRONG[case]
    text = message(changes)
    for words in expected:
        assert words in text
    assert "allowed: \n" not in text + "\n"


def test_a_key_that_is_no_text_is_explained():
    with pytest.raises(ConfigError, match="3: found 3, keys should be strings"):
        check_config(GOOD | {3: 4})


@pytest.mark.parametrize("section", ["experiment", "analysis"])
def test_each_section_of_every_experiment_is_asked_for(section):
    assert f"{section}: missing" in message({section: MISSING})


@pytest.mark.parametrize(
    ("arm", "absent"),
    [
        ("toy", (*NETWORKS, "canvas")),
        ("networks", ("toy", "canvas")),
        ("canvas", (*NETWORKS[1:], "toy")),
    ],
)
def test_an_experiment_may_have_one_arm(arm, absent):
    config = check_config(changed({section: MISSING for section in absent}))
    assert config.arms == [arm]
    assert {name for name in GOOD if getattr(config, name) is None} == set(absent)


@pytest.mark.parametrize("absent", list(itertools.combinations(NETWORKS[1:], 2)))
def test_networks_beside_canvases_need_all_sections_but_the_data_of_both(absent):
    text = message({section: MISSING for section in absent})
    present = ", ".join(name for name in NETWORKS[1:] if name not in absent)
    assert f"  {', '.join(absent)}: missing, but found {present};" in text
    assert text.startswith("the config has 1 error:")


@pytest.mark.parametrize("toy", [True, False])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_networks_with_sections_missing_are_refused(count, toy):
    for absent in itertools.combinations(NETWORKS, count):
        out = (*absent, "canvas") if toy else (*absent, "toy", "canvas")
        text = message({section: MISSING for section in out})
        present = ", ".join(section for section in NETWORKS if section not in absent)
        assert f"  {', '.join(absent)}: missing, but found {present};" in text
        assert f"remove {present} " in text
        assert text.startswith("the config has 1 error:")


def test_all_errors_are_told_at_once():
    text = message({"data/train": "many", "toy/hidden": 0, "models/stem": "big"})
    assert text.startswith("the config has 3 errors:\n")
    assert [line.split(":")[0] for line in text.splitlines()[1:]] == [
        "  data.train",
        "  models.stem",
        "  toy.hidden",
    ]


@pytest.mark.parametrize("values", [None, [], "text", 3])
def test_a_config_that_is_no_mapping_is_explained(values):
    with pytest.raises(ConfigError, match="needs sections such as data and models"):
        check_config(values)


def test_fractions_of_pixel_units_are_taken():
    fractions = {"pgd-linf": ["8/255", "16 / 255"], "noise-linf": ["16/255", "8/255"]}
    changes = {f"attacks/methods/{name}/epsilons": radii for name, radii in fractions.items()}
    config = check_config(changed(changes | {"models/epsilons/linf": ["2/255"]}))
    assert config.attacks.methods["pgd-linf"].epsilons == [8 / 255, 16 / 255]
    assert config.models.epsilons.linf == [2 / 255]
    small = {"activations/layers/layer3": 4, "activations/layers/layer4": 1}
    files = check_config(changed({"data": COLOUR, "models": OWN, **small}))
    assert files.models.networks["r"].epsilon == 4 / 255


def test_the_largest_radii_there_are_are_taken():
    methods = GOOD["attacks"]["methods"] | {
        "fgsm": {"type": "fgsm", "norm": "l2", "epsilons": [28.0]},
        "noise": {**GOOD["attacks"]["methods"]["noise"], "epsilons": [0.5, 1.0, 2.0, 28.0]},
    }
    check_config(changed({"attacks/methods": methods, "models/epsilons/linf": [1.0]}))


TEXTS = {
    "twice": (
        "a: 1\nb: {x: 1, x: 2}\n",
        "b.x: line 2: the key 'x' stands twice in its block, first at line 2",
    ),
    "twice at the top": ("a: 1\na: 2\n", "the key 'a' stands twice"),
    "empty": ("", "found nothing, needs sections"),
    "list": ("- 1\n", "needs sections"),
    "tabs": ("a:\n\t- 1\n", "is not YAML"),
    "open bracket": ("a: [1", "is not YAML"),
    "list as a key": ("? [1, 2]\n: 3\n", "a key is a word, found a block or list"),
    "a python object": ("!!python/object/apply:os.getcwd []\n", "is not YAML"),
    "not UTF-8": (b"\xff\xfe\x80", "is not"),
}


@pytest.mark.parametrize("case", TEXTS)
def test_a_file_that_is_no_config_is_explained(tmp_path, case):
    text, expected = TEXTS[case]
    path = tmp_path / "c.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError, match=expected):
        read_config(path)


def test_a_missing_file_is_explained(tmp_path):
    with pytest.raises(ConfigError, match=r"c\.yaml: there is no such file"):
        read_config(tmp_path / "c.yaml")


def test_a_folder_in_place_of_a_file_is_explained(tmp_path):
    with pytest.raises(ConfigError):
        read_config(tmp_path)


def command(*arguments):
    verb = (
        "import sys; from interference.cli.main import main; sys.argv[0] = 'interference'; main()"
    )
    return subprocess.run(
        [sys.executable, "-c", verb, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_line_tells_a_good_config_from_a_bad_one(tmp_path):
    good = command("config", "check", REPO / "config.yaml")
    assert (good.returncode, good.stderr) == (0, "")
    assert "results/fashion-mnist" in good.stdout

    path = tmp_path / "bad.yaml"
    path.write_text(yaml.safe_dump(changed({"data/trian": 1, "toy/hidden": 9999})))
    bad = command("config", "check", path)
    assert bad.returncode == 1
    assert bad.stdout == ""
    assert bad.stderr.startswith("error: the config has 2 errors:\n")
    assert "Traceback" not in bad.stderr


@pytest.mark.parametrize("case", ["section", "text for a number", "k too large", "missing key"])
def test_the_command_line_never_shows_a_traceback_for_a_config(tmp_path, monkeypatch, capsys, case):
    from interference.cli.main import main

    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump(changed(WRONG[case][0])))
    monkeypatch.setattr(sys, "argv", ["interference", "config", "check", str(path)])
    with pytest.raises(SystemExit) as end:
        main()
    text = capsys.readouterr().err
    assert end.value.code == 1
    assert text.startswith("error: ")
    assert " has 1 error:\n" in text or case == "k too large"
    assert "Traceback" not in text


def test_the_schema_is_json_and_names_every_section():
    assert list(json.loads(json.dumps(schema()))["properties"]) == [*GOOD, "rivals"]


def test_results_go_where_they_can_be_written(tmp_path):
    check_writable(tmp_path / "results" / "deep")
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="file is not a folder"):
        check_writable(tmp_path / "file" / "results")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="link is not a folder"):
        check_writable(tmp_path / "link")


def test_a_folder_without_permission_is_told(tmp_path):
    tmp_path.chmod(0o500)
    child = os.fork()  # root may write everywhere, so a child asks as somebody else
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setuid(65534)
            check_writable(Path("/") if os.geteuid() == 65534 else tmp_path / "results")
            os._exit(1)
        except ConfigError as error:
            os._exit(0 if "no permission" in str(error) else 2)
        finally:
            os._exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    tmp_path.chmod(0o700)
