"""Checkpoints from outside: MadryLab's in their own format, one's own, and every kind of bad one."""

import os
import pickle
from pathlib import Path

import dill
import numpy as np
import pytest
import torch

from interference.models.convert import MEAN, STD
from interference.models.convert import run as convert
from interference.models.hub import CheckpointError
from interference.store.files import read_json, sha256
from tests.support.checkpoints import (
    IDENTITY,
    body,
    converted,
    entries,
    logits,
    narrow_resnet18,
    own,
    write,
)

pytestmark = pytest.mark.xdist_group("checkpoint")

torch.set_num_threads(1)


@pytest.fixture(scope="module", autouse=True)
def network():
    with narrow_resnet18():
        yield body()


@pytest.fixture(scope="module")
def theirs(network):
    return entries(network)


@pytest.fixture(scope="module")
def file(theirs, tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("hub") / "resnet18_l2_eps3.ckpt", theirs)


def madrylab(path: Path, **changes) -> dict:
    source = {"format": "madrylab", "architecture": "resnet18", "file": path.name,
              "folder": str(path.parent), "repository": "-", "revision": "main", "sha256": None}  # fmt: skip
    return {"model": IDENTITY, "checkpoint": source | changes}


@pytest.fixture(scope="module")
def x():
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before torch 1.6"])
def test_their_checkpoint_gives_the_network_that_was_saved(zipped, network, theirs, x, tmp_path):
    path = write(tmp_path / "resnet18_l2_eps3.ckpt", theirs, zipped=zipped)
    ours = converted(madrylab(path), tmp_path)
    torch.testing.assert_close(ours(x), logits(network, MEAN, STD, x))
    manifest = read_json(tmp_path / "out.json")
    assert manifest["source"] == {
        "file": path.name, "bytes": path.stat().st_size, "sha256": sha256(path),
    }  # fmt: skip
    assert manifest["build"]["classes"] == 10
    assert not ours.training
    assert not any(parameter.requires_grad for parameter in ours.parameters())


def test_a_network_in_one_more_module_and_an_accuracy_of_numpys_are_read(
    network, theirs, x, tmp_path
):
    wrapped = {
        key.replace("model.", "model.model.", 1): value for key, value in theirs["model"].items()
    }
    content = {**theirs, "model": wrapped, "nat_prec1": np.float64(69.79)}
    path = write(tmp_path / "resnet18_l2_eps3.ckpt", content)
    ours = converted(madrylab(path), tmp_path)
    torch.testing.assert_close(ours(x), logits(network, MEAN, STD, x))


def test_the_same_file_converts_to_the_same_bytes(file, tmp_path):
    for name in ("a", "b"):
        convert(madrylab(file), tmp_path / f"{name}.json")
    for suffix in (".json", ".safetensors"):
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def changed(theirs, **edits):
    """Their entries with keys of `model` set, or taken away by None."""
    model = dict(theirs["model"])
    for key, value in edits.items():
        model.pop(key, None)
        if value is not None:
            model[key] = value
    return {**theirs, "model": model}


WEIGHT = "layer1.0.conv1.weight"
BAD = {
    "truncated": (lambda t: t, {}, "is no checkpoint, or a damaged one"),
    "empty": (lambda t: t, {}, "is no checkpoint, or a damaged one"),
    "another hash": (lambda t: t, {"sha256": "0" * 64}, f"models asks for {'0' * 64}"),
    "another architecture": (
        lambda t: t,
        {"architecture": "resnet50"},
        "is no resnet50: it lacks .*; it is a resnet18: another file lies under this name",
    ),
    "no such file": (lambda t: t, {"file": "resnet18_l2_eps9.ckpt"}, "there is no such file"),
    "a missing key": (
        lambda t: changed(t, **{f"module.{p}model.{WEIGHT}": None for p in ("", "attacker.")}),
        {},
        f"is no resnet18: it lacks {WEIGHT}; fetch it again",
    ),
    "a key too many": (
        lambda t: changed(t, **{"module.extra.weight": torch.zeros(1)}),
        {},
        "holds module.extra.weight, which none of",
    ),
    "no second copy": (
        lambda t: {
            **t,
            "model": {k: v for k, v in t["model"].items() if "attacker.model" not in k},
        },
        {},
        r"no keys module.attacker.model.\*",
    ),
    "copies that differ": (
        lambda t: changed(t, **{f"module.attacker.model.{WEIGHT}": torch.zeros(16, 16, 3, 3)}),
        {},
        f"its two copies of the network differ in {WEIGHT}",
    ),
    "no normaliser": (
        lambda t: changed(t, **{"module.normalizer.new_std": None}),
        {},
        "lacks module.normalizer.new_std",
    ),
    "another normaliser": (
        lambda t: changed(t, **{"module.normalizer.new_mean": torch.full((3, 1, 1), 0.5)}),
        {},
        r"module.normalizer.new_mean is \[0.5, 0.5, 0.5\], ImageNet's is",
    ),
    "another shape": (
        lambda t: changed(
            t, **{f"module.{p}model.{WEIGHT}": torch.zeros(16, 16, 1, 1) for p in ("", "attacker.")}
        ),
        {},
        rf"{WEIGHT} is \(16, 16, 1, 1\), should be \(16, 16, 3, 3\)",
    ),
    "NaN": (
        lambda t: changed(
            t, **{f"module.{p}model.fc.bias": torch.full((10,), np.nan) for p in ("", "attacker.")}
        ),
        {},
        "fc.bias is not finite",
    ),
    "no model": (lambda t: {"state": 1}, {}, "has no entry `model`"),
    "no dict": (lambda t: [1], {}, "has no entry `model`"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_checkpoint_is_refused_for_what_it_is_and_leaves_nothing(case, theirs, tmp_path):
    change, source, message = BAD[case]
    folder = tmp_path / "hub"
    folder.mkdir()
    path = write(folder / "resnet18_l2_eps3.ckpt", change(theirs))
    if case == "truncated":
        path.write_bytes(path.read_bytes()[:-100_000])
    if case == "empty":
        path.write_bytes(b"")
    with pytest.raises(CheckpointError, match=message):
        convert(madrylab(path, **source), tmp_path / "out.json")
    assert sorted(tmp_path.iterdir()) == [folder]


class Command:
    """A pickle of it runs a command when it is loaded."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("form", ["zip", "before torch 1.6", "a pickle", "dill", "as a state dict"])
def test_a_checkpoint_that_would_run_a_command_is_refused_by_its_name_and_runs_nothing(
    form, theirs, tmp_path
):
    ran, path = tmp_path / "ran", tmp_path / "resnet18_l2_eps3.ckpt"
    content = {**theirs, "epoch": Command(ran)}
    if form in ("a pickle", "dill"):
        path.write_bytes((pickle if form == "a pickle" else dill).dumps({"epoch": Command(ran)}))
    else:
        write(path, content, zipped=form != "before torch 1.6")
    spec = own(path) if form == "as a state dict" else madrylab(path)
    with pytest.raises(CheckpointError) as refused:
        convert(spec, tmp_path / "out.json")
    assert not ran.exists()
    if form in ("zip", "before torch 1.6", "as a state dict"):
        assert "system, which is no part of weights: it was not loaded" in str(refused.value)
        assert "torch.save(model.state_dict(), FILE)" in str(refused.value)


def test_a_pinned_file_is_taken_and_the_log_says_how_to_pin_another(file, tmp_path, capsys):
    convert(madrylab(file), tmp_path / "out.json")
    told = capsys.readouterr().err
    assert f"{file.name} has SHA-256 {sha256(file)}: write it in models to pin it" in told
    convert(madrylab(file, sha256=sha256(file)), tmp_path / "pinned.json")
    assert "pin" not in capsys.readouterr().err


def test_halves_of_brains_floats_are_read_and_their_copies_compared(theirs, network, x, tmp_path):
    def halves(model):
        return {k: v.bfloat16() if v.is_floating_point() else v for k, v in model.items()}

    content = {**theirs, "model": halves(theirs["model"])}
    for where in ("normalizer", "attacker.normalize"):
        for name in ("mean", "std"):
            key = f"module.{where}.new_{name}"
            content["model"][key] = theirs["model"][key]
    ours = converted(madrylab(write(tmp_path / "resnet18_l2_eps3.ckpt", content)), tmp_path)
    torch.testing.assert_close(ours(x), logits(network, MEAN, STD, x), rtol=0.05, atol=0.05)


def test_one_copy_without_counters_is_not_the_other(theirs, tmp_path):
    model = {
        k: v
        for k, v in theirs["model"].items()
        if "attacker" not in k or not k.endswith("num_batches_tracked")
    }
    path = write(tmp_path / "resnet18_l2_eps3.ckpt", {**theirs, "model": model})
    with pytest.raises(CheckpointError, match=r"copies of the network differ in bn1\.num_bat"):
        convert(madrylab(path), tmp_path / "out.json")


def test_copies_without_counters_are_read_as_older_pytorch_saved_them(
    theirs, network, x, tmp_path, capsys
):
    model = {k: v for k, v in theirs["model"].items() if not k.endswith("num_batches_tracked")}
    path = write(tmp_path / "resnet18_l2_eps3.ckpt", {**theirs, "model": model})
    torch.testing.assert_close(
        converted(madrylab(path), tmp_path)(x), logits(network, MEAN, STD, x)
    )
    assert "is without 20 of the network's num_batches_tracked" in capsys.readouterr().err
