"""A small image store and a network, written here by hand."""

import numpy as np
import pytest
import torch

from interference.data.labels import labels_sha256
from interference.models.network import Network, load_network
from interference.store.arrays import writing
from interference.store.files import sha256, write_json
from interference.store.tables import write_table
from interference.store.tensors import write_tensors

torch.set_num_threads(1)  # as in the package: see compute.py


@pytest.fixture(scope="session")
def small_images(tmp_path_factory):
    """The manifest of 40 training, 10 held-out and 10 evaluation images of 16 pixels, 4 classes."""
    rng = np.random.default_rng(0)
    manifest = tmp_path_factory.mktemp("images") / "images.json"
    labels = np.arange(60) % 4
    pixels = rng.integers(0, 256, (60, 1, 16, 16)) // 2 + 30 * labels[:, None, None, None]
    with writing(manifest.with_suffix(".zarr"), pixels.shape, "uint8") as writer:
        writer.append(pixels)
    write_table(manifest.with_suffix(".parquet"), {"image": np.arange(60), "label": labels})
    content = {
        "spec": {},
        "array": writer.manifest(),
        "labels_sha256": labels_sha256(labels),
        "splits": {"train": [0, 40], "heldout": [40, 50], "evaluation": [50, 60]},
        "classes": 4,
        "class_names": list("abcd"),
        "mean": [0.4],
        "std": [0.2],
    }
    write_json(manifest, content)
    return manifest


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """The manifest's path of an untrained network with plausible BatchNorm statistics."""
    torch.manual_seed(0)
    build = {"architecture": "resnet18", "stem": "imagenet", "channels": 1, "classes": 4}
    build |= {"mean": [0.4], "std": [0.2]}
    network = Network(**build).train()
    with torch.no_grad():
        for _ in range(4):
            network(torch.rand(8, 1, 16, 16))
        network.resnet.bn1.weight[5] = 0.0  # a channel that never varies
        network.resnet.bn1.bias[5] = 1.0
    path = tmp_path_factory.mktemp("model") / "m.json"
    arrays = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    weights = path.with_suffix(".safetensors")
    write_tensors(weights, arrays, {})
    write_json(path, {"build": build, "sha256": sha256(weights)})
    return path


@pytest.fixture(scope="session")
def network(model):
    return load_network(model)
