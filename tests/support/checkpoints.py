"""Stand-ins for MadryLab's checkpoints, in the exact format of the library that wrote them.

robustness' `train.py` saves, with dill, a dict of the state dict of its `AttackerModel` in
`DataParallel`, and of what training needs to go on (MadryLab/robustness, `train_model`).
"""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import dill
import pytest
import torch
from torch import Tensor, nn

from interference.models.architectures import ARCHITECTURES, build
from interference.models.convert import MEAN, STD
from interference.models.convert import run as convert
from interference.models.network import Network, load_network

IDENTITY = {"model": "resnet18_l2_eps3", "model_architecture": "resnet18", "model_norm": "l2",
            "model_epsilon": 3.0, "model_seed": 0}  # fmt: skip


class Normaliser(nn.Module):
    """robustness' `InputNormalize`."""

    def __init__(self, mean, std):
        super().__init__()
        self.register_buffer("new_mean", torch.tensor(mean)[..., None, None])
        self.register_buffer("new_std", torch.tensor(std)[..., None, None])


class AttackerModel(nn.Module):
    """Its modules and their names: the network and its normaliser, twice."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.normalizer = Normaliser(MEAN, STD)
        self.model = network
        self.attacker = nn.Module()
        self.attacker.normalize = Normaliser(MEAN, STD)
        self.attacker.model = network


@contextmanager
def narrow_resnet18() -> Iterator[None]:
    """Let resnet18 be a network of its names and a quarter of its channels: 3 MB for 45."""
    with pytest.MonkeyPatch.context() as patch:
        narrow = replace(
            ARCHITECTURES["resnet18"], build=lambda classes: build("resnet18", classes, 16)
        )
        patch.setitem(ARCHITECTURES, "resnet18", narrow)
        yield


def body(architecture: str = "resnet18", classes: int = 10, seed: int = 0) -> nn.Module:
    """A network with random weights and batch statistics."""
    torch.manual_seed(seed)
    network = ARCHITECTURES[architecture].build(classes)
    for name, buffer in network.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(std=0.1)  # more, and no ReLU would let anything through
        elif name.endswith("running_var"):
            buffer.uniform_(0.5, 1.5)
    return network


def entries(network: nn.Module) -> dict:
    """What `train.py` saves after an epoch of mixed-precision training with a stepped rate."""
    parallel = nn.DataParallel(AttackerModel(network))
    sgd = torch.optim.SGD(parallel.parameters(), 0.1, momentum=0.9, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.StepLR(sgd, step_size=30)
    for parameter in parallel.parameters():
        parameter.grad = torch.zeros_like(parameter)
    sgd.step()
    schedule.step()
    return {
        "model": parallel.state_dict(),
        "optimizer": sgd.state_dict(),
        "schedule": schedule.state_dict(),
        "epoch": 90,
        "amp": OrderedDict(loss_scaler0={"loss_scale": 65536.0, "unskipped": 1234}),
        "nat_prec1": torch.tensor(69.79),
        "adv_prec1": torch.tensor(0.0),
    }


def write(path: Path, content: object, *, zipped: bool = True) -> Path:
    """Save as robustness does; ``zipped`` is torch's format since 1.6, else the one before."""
    torch.save(content, path, pickle_module=dill, _use_new_zipfile_serialization=zipped)
    return path


def own(path: Path, **changes) -> dict:
    source = {"format": "state_dict", "architecture": "resnet18", "file": str(path), "sha256": None,
              "classes": 10, "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.4]}  # fmt: skip
    return {"model": IDENTITY, "checkpoint": source | changes}


def converted(spec: dict, folder: Path) -> Network:
    convert(spec, folder / "out.json")
    return load_network(folder / "out.json")


def logits(network: nn.Module, mean: list[float], std: list[float], x: Tensor) -> Tensor:
    """What a network of torchvision's makes of pixels, normalised by hand."""
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (mean, std))
    with torch.no_grad():
        return network.eval()((x - mean) / std)
