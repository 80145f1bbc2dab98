"""Least changes of a classifier beside those of foolbox's DDN and FMN."""

import numpy as np
import pytest
import torch
from torch import nn

from interference.attacks.minimum import least
from interference.attacks.victim import Victim
from interference.data.read import read_split
from tests.support.peers import in_foolbox

pytestmark = pytest.mark.xdist_group("foolbox")  # whose process starts once, in one worker

STEPS = 50


@pytest.fixture(scope="module")
def taught(small_images):
    """A small convolutional classifier, images and what it takes them for."""
    images = read_split(small_images, "train")
    x = torch.from_numpy(images.pixels[:]).float() / 255
    labels = torch.from_numpy(images.labels)
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2), nn.ReLU(),
        nn.Flatten(), nn.Linear(72, 4),
    )  # fmt: skip
    optimiser = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(60):
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(x), labels).backward()
        optimiser.step()
    network.requires_grad_(False)
    return network, x, network(x).argmax(1)


def test_the_median_is_no_longer_than_foolboxs(taught, tmp_path):
    network, x, labels = taught
    torch.save((network, {"images": x, "labels": labels}), tmp_path / "classifier.pt")
    theirs = in_foolbox(tmp_path, STEPS)["classifier"]
    ours = least(Victim(network, labels), x, steps=STEPS).radius.numpy()
    assert np.isfinite(ours).all()
    ddn, fmn = (np.median(theirs[name]) for name in ("DDN", "FMN"))
    assert np.median(ours) <= 1.02 * min(ddn, fmn)
