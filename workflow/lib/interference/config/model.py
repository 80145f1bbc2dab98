"""One network of an experiment, and which ones there are."""

from dataclasses import dataclass

from interference.config.networks import Files, Hub, Trained
from interference.config.zoo import CHECKPOINTS


@dataclass(frozen=True)
class Model:
    """One network: clean (epsilon 0), or trained against an L2 or Linf radius in pixel units.

    name: its folder: clean-s0, l2-0.5-s0; of networks that are not trained here, that of the file.
    seed: of its training, 0 where that was not here.
    """

    name: str
    architecture: str
    norm: str
    epsilon: float
    seed: int

    @classmethod
    def trained(cls, architecture: str, norm: str, epsilon: float, seed: int) -> "Model":
        """One that the experiment trains, and names by what it is trained against."""
        kind = norm if epsilon == 0 else f"{norm}-{epsilon_name(epsilon)}"
        return cls(f"{kind}-s{seed}", architecture, norm, epsilon, seed)

    @property
    def identity(self) -> dict:
        """Columns that name the network in every table."""
        return {
            "model": self.name,
            "model_architecture": self.architecture,
            "model_norm": self.norm,
            "model_epsilon": self.epsilon,
            "model_seed": self.seed,
        }


def epsilon_name(epsilon: float) -> str:
    """How a radius is written in a path: the shortest decimal that is the same number."""
    return repr(float(epsilon)).removesuffix(".0")


def networks(source: Trained | Hub | Files | None) -> list[Model]:
    """Every network of a config's section `models`, the clean baseline of each seed first."""
    if source is None:
        return []
    if source.source == "trained":
        return [
            Model.trained(source.architecture, norm, epsilon, seed)
            for seed in source.seeds
            for norm, epsilons in (("clean", [0.0]), *source.epsilons)
            for epsilon in sorted(epsilons or [])
        ]
    if source.source == "hub":
        found = {name: CHECKPOINTS[name] for name in source.checkpoints}
    else:
        found = source.networks
    return [Model(n, f.architecture, f.norm, f.epsilon, 0) for n, f in found.items()]
