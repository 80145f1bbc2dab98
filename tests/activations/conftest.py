"""A small image store and a network, written here by hand."""

import pytest
import torch

from interference.models.network import Network, load_network
from interference.store.files import sha256, write_json
from interference.store.tensors import write_tensors

torch.set_num_threads(1)  # as in the package: see compute.py


def written(path, width):
    """The manifest ``path`` of an untrained network with plausible BatchNorm statistics."""
    torch.manual_seed(0)
    build = {"architecture": "resnet18", "stem": "imagenet", "channels": 1, "classes": 4}
    build |= {"mean": [0.4], "std": [0.2], "width": width}
    network = Network(**build).train()
    with torch.no_grad():
        for _ in range(4):
            network(torch.rand(8, 1, 16, 16))
        network.body.bn1.weight[5] = 0.0  # a channel that never varies
        network.body.bn1.bias[5] = 1.0
    arrays = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    weights = path.with_suffix(".safetensors")
    write_tensors(weights, arrays, {})
    write_json(path, {"build": build, "sha256": sha256(weights)})
    return path


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """A network that is quickly read and run."""
    return written(tmp_path_factory.mktemp("model") / "m.json", 16)


@pytest.fixture
def wide_model(tmp_path):
    """One whose stem has rows of 256 bytes."""
    return written(tmp_path / "m.json", 64)


@pytest.fixture(scope="session")
def network(model):
    return load_network(model)
