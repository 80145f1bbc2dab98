"""stub"""

from dataclasses import dataclass

REPOSITORY = "madrylab/robust-imagenet-models"


@dataclass(frozen=True)
class Checkpoint:
    file: str
    architecture: str
    norm: str
    epsilon: float
    clean_accuracy: float | None
    autoattack: dict | None = None


CHECKPOINTS = {}
for e, a in zip(
    "0 0.01 0.03 0.05 0.1 0.25 0.5 1 3 5".split(),
    [69.79, 69.90, 69.24, 69.15, 68.77, 67.43, 65.49, 62.32, 53.12, 45.59],
):
    n = f"resnet18_l2_eps{e}"
    CHECKPOINTS[n] = Checkpoint(
        n + ".ckpt", "resnet18", "clean" if e == "0" else "l2", float(e), a / 100
    )
for e, a in zip("0.5 1.0 2.0 4.0 8.0".split(), [66.13, 63.46, 59.63, 52.49, 42.11]):
    n = f"resnet18_linf_eps{e}"
    CHECKPOINTS[n] = Checkpoint(n + ".ckpt", "resnet18", "linf", float(e) / 255, a / 100)
