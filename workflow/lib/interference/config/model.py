"""Networks of an experiment, their names and order."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from interference.config.networks import Files, Hub, NetworkFile, Trained
from interference.config.zoo import CHECKPOINTS, Checkpoint


@dataclass(frozen=True)
class Model:
    """A network.

    name: name of its folder: clean-s0, l2-0.5-s0; of a network that is not trained here, of its file.
    architecture: a key of `facts.ARCHITECTURES`.
    norm: norm of the attack that it was trained against: l2, linf, or clean for none.
    epsilon: radius of that attack in pixel units [0, 1]; 0 for none.
    seed: seed of its training; 0 where it was not trained here.
    """

    name: str
    architecture: str
    norm: str
    epsilon: float
    seed: int

    @classmethod
    def trained(cls, architecture: str, norm: str, epsilon: float, seed: int) -> "Model":
        """A network that the experiment trains, named by its training."""
        kind = norm if epsilon == 0 else f"{norm}-{epsilon_name(epsilon)}"
        return cls(f"{kind}-s{seed}", architecture, norm, epsilon, seed)

    @property
    def identity(self) -> dict:
        """Columns that identify the network in every table."""
        return {
            "model": self.name,
            "model_architecture": self.architecture,
            "model_norm": self.norm,
            "model_epsilon": self.epsilon,
            "model_seed": self.seed,
        }


def source_of(model: Model, models: Iterable[Model], across: str) -> Model | None:
    """The network whose adversarial images another is shown; None where there is none.

    across: epsilon, the clean network of its seed, and for that the one of the middle epsilon (the lower
        of two) of the first norm; seed, the network of its training of the next seed, after the last the first.
    """
    of_architecture = [other for other in models if other.architecture == model.architecture]
    if across == "seed":
        alike = [m for m in of_architecture if (m.norm, m.epsilon) == (model.norm, model.epsilon)]
        following = alike[(alike.index(model) + 1) % len(alike)]
        return None if following == model else following
    of_seed = [other for other in of_architecture if other.seed == model.seed]
    robust = [other for other in of_seed if other.norm != "clean"]
    if model.norm != "clean":
        return next((other for other in of_seed if other.norm == "clean"), None)
    of_norm = sorted(
        (m for m in robust if m.norm == robust[0].norm), key=lambda other: other.epsilon
    )
    return of_norm[(len(of_norm) - 1) // 2] if of_norm else None


def epsilon_name(epsilon: float) -> str:
    """A radius as paths write it: the shortest decimal that is the same number."""
    return repr(float(epsilon)).removesuffix(".0")


def models_of(source: Trained | Hub | Files | None) -> list[Model]:
    """Every network of a config's section `models`, the clean baseline of each seed first."""
    if source is None:
        return []
    if isinstance(source, Trained):
        return [
            Model.trained(source.architecture, norm, epsilon, seed)
            for seed in source.seeds
            for norm, epsilons in (("clean", [0.0]), *source.epsilons)
            for epsilon in sorted(epsilons or [])
        ]
    files: Mapping[str, Checkpoint | NetworkFile] = (
        {name: CHECKPOINTS[name] for name in source.checkpoints}
        if isinstance(source, Hub)
        else source.networks
    )
    return [Model(n, f.architecture, f.norm, f.epsilon, 0) for n, f in files.items()]
