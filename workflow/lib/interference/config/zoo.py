"""MadryLab's robust ImageNet networks (Salman et al. 2020): every file of the hub, with its accuracy.

Accuracies are clean top-1 on ImageNet's 50,000 validation images, from the tables of the repository's
page; those under AutoAttack are from RobustBench, on 5,000 of these images. The files of epsilon 0 are
the clean baselines of both norms.
"""

from dataclasses import dataclass

REPOSITORY = "madrylab/robust-imagenet-models"
#: Number of images that RobustBench attacks.
ROBUSTBENCH_IMAGES = 5000

_L2 = ("0", "0.01", "0.03", "0.05", "0.1", "0.25", "0.5", "1", "3", "5")
_LINF = ("0.5", "1.0", "2.0", "4.0", "8.0")  # over 255

#: Architecture, as files call it → percent at each radius of `_L2`, and at each of `_LINF`.
_EVERY_RADIUS = {
    "resnet18": (
        (69.79, 69.90, 69.24, 69.15, 68.77, 67.43, 65.49, 62.32, 53.12, 45.59),
        (66.13, 63.46, 59.63, 52.49, 42.11),
    ),
    "resnet50": (
        (75.80, 75.68, 75.76, 75.59, 74.78, 74.14, 73.16, 70.43, 62.83, 56.13),
        (73.73, 72.05, 69.10, 63.86, 54.53),
    ),
    "wide_resnet50_2": (
        (76.97, 77.25, 77.26, 77.17, 76.74, 76.21, 75.11, 73.41, 66.90, 60.94),
        (75.82, 74.65, 72.35, 68.41, 60.82),
    ),
    "wide_resnet50_4": (
        (77.91, 78.02, 77.87, 77.77, 77.64, 77.10, 76.52, 75.51, 69.67, 65.20),
        (),
    ),
}
#: Architecture, as files call it → percent at L2 radii 0 and 3, where there are no others.
_TWO_RADII = {
    "densenet": (77.37, 66.98),
    "mnasnet": (60.97, 41.83),
    "mobilenet": (65.26, 50.40),
    "resnext50_32x4d": (77.38, 66.25),
    "shufflenet": (64.25, 43.32),
    "vgg16_bn": (73.66, 57.19),
}
#: Architecture, as files call it → its name in torchvision, where that differs.
_TORCHVISION = {
    "densenet": "densenet161",
    "mnasnet": "mnasnet1_0",
    "mobilenet": "mobilenet_v2",
    "shufflenet": "shufflenet_v2_x1_0",
}
#: Name of a file → percent under AutoAttack at the training radius.
_AUTOATTACK = {
    "resnet18_linf_eps4.0": 25.32,
    "resnet50_linf_eps4.0": 34.96,
    "wide_resnet50_2_linf_eps4.0": 38.14,
}


@dataclass(frozen=True)
class Checkpoint:
    """A file of the hub.

    architecture: as torchvision calls it
    norm: clean, l2 or linf
    epsilon: training radius in pixel units [0, 1]
    clean_accuracy: share in [0, 1]
    autoattack: accuracy under AutoAttack, share in [0, 1]; None where it was not measured
    """

    file: str
    architecture: str
    norm: str
    epsilon: float
    clean_accuracy: float
    autoattack: float | None


def _checkpoint(kind: str, norm: str, radius: str, percent: float) -> tuple[str, Checkpoint]:
    name = f"{kind}_{norm}_eps{radius}"
    epsilon = float(radius) / (255 if norm == "linf" else 1)
    attacked = _AUTOATTACK.get(name)
    return name, Checkpoint(
        file=f"{name}.ckpt",
        architecture=_TORCHVISION.get(kind, kind),
        norm=norm if epsilon else "clean",
        epsilon=epsilon,
        clean_accuracy=round(percent / 100, 4),
        autoattack=attacked and round(attacked / 100, 4),
    )


#: Name of a file, without its suffix → the file.
CHECKPOINTS: dict[str, Checkpoint] = dict(
    [
        _checkpoint(kind, norm, radius, percent)
        for kind, norms in _EVERY_RADIUS.items()
        for norm, radii, percents in zip(("l2", "linf"), (_L2, _LINF), norms)
        for radius, percent in zip(radii, percents)
    ]
    + [
        _checkpoint(kind, "l2", radius, percent)
        for kind, percents in _TWO_RADII.items()
        for radius, percent in zip(("0", "3"), percents, strict=True)
    ]
)


def gates(names: list[str]) -> list[dict]:
    """Reported accuracies of checkpoints of the hub, one per row.

    reported: accuracy, share in [0, 1]; norm, epsilon, images: the attack, none for clean accuracy.
    """
    known = {name: CHECKPOINTS[name] for name in names}
    clean = [
        {"model": name, "source": "Salman et al. 2020", "reported": checkpoint.clean_accuracy}
        for name, checkpoint in known.items()
    ]
    attacked = [
        {
            "model": name,
            "source": "RobustBench",
            "reported": checkpoint.autoattack,
            "norm": checkpoint.norm,
            "epsilon": checkpoint.epsilon,
            "images": ROBUSTBENCH_IMAGES,
        }
        for name, checkpoint in known.items()
        if checkpoint.autoattack is not None
    ]
    return [*clean, *attacked]
