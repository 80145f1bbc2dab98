"""What foolbox's minimum-norm attacks find. Run by the Python of .venv-peers, where it is installed:

    .venv-peers/bin/python tests/support/in_foolbox.py FOLDER STEPS

Of each FOLDER/NAME.pt, a network and pairs to flip, or a classifier, images and labels, NAME.npz gets the L2 radius of every pair by each
attack, with so many gradients per pair; inf where it flips none. Both attacks start at a scale of the
radii that are looked for, 0.3: from 1, their default, FMN's radii are twice as long.
"""

import sys
from pathlib import Path

import foolbox
import numpy as np
import torch
from torch import Tensor, nn

SCALE = 0.3


class TwoClasses(nn.Module):
    """Canvases → logits of *as it is* and *flipped*, (P, 2); cells that may not change stay."""

    def __init__(self, network: nn.Module, pairs: dict[str, Tensor]):
        super().__init__()
        self.network, self.images = network, pairs["images"]
        self.feature, self.threshold = pairs["feature"][:, None], pairs["threshold"]
        self.cells = pairs["cells"][:, :, None, None, None]
        self.labels = torch.zeros(len(self.images), dtype=torch.int64)
        with torch.no_grad():
            self.side = self.over(self.images).sign()

    def over(self, images: Tensor) -> Tensor:
        return self.network(images).gather(1, self.feature).squeeze(1) - self.threshold

    def masked(self, images: Tensor) -> Tensor:
        return torch.where(self.cells, images, self.images)

    def forward(self, images: Tensor) -> Tensor:
        margin = self.side * self.over(self.masked(images))
        return torch.stack([margin, -margin], 1)


class Classifier(nn.Module):
    """A classifier as it is, which may change its images anywhere."""

    def __init__(self, network: nn.Module, given: dict[str, Tensor]):
        super().__init__()
        self.network, self.images, self.labels = network, given["images"], given["labels"]

    def masked(self, images: Tensor) -> Tensor:
        return images

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images)


def radii(network: nn.Module, given: dict[str, Tensor], steps: int) -> dict[str, np.ndarray]:
    """Return the radius of every pair or image by attack: (P,) each."""
    classes = (Classifier if "labels" in given else TwoClasses)(network, given).eval()
    model = foolbox.PyTorchModel(classes, bounds=(0, 1), device="cpu")
    attacks = {
        "DDN": foolbox.attacks.DDNAttack(steps=steps, init_epsilon=SCALE),
        "FMN": foolbox.attacks.L2FMNAttack(steps=steps, max_stepsize=SCALE),
    }
    labels = classes.labels
    found = {}
    for name, attack in attacks.items():
        images = classes.masked(attack(model, classes.images, labels, epsilons=None)[0])
        with torch.no_grad():
            flipped = classes(images).argmax(1) != labels
        radius = (images - classes.images).flatten(1).norm(dim=1)
        found[name] = torch.where(flipped, radius, torch.inf).numpy()
    return found


if __name__ == "__main__":
    torch.manual_seed(0)
    for path in sorted(Path(sys.argv[1]).glob("*.pt")):
        network, given = torch.load(path, weights_only=False)
        np.savez(path.with_suffix(".npz"), **radii(network, given, int(sys.argv[2])))
