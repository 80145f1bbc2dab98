"""What an experiment has: its networks, layers, attacks and SAE types, by name and in order."""

from functools import cached_property
from itertools import product

from interference.config.model import Model, networks
from interference.config.schema import Config
from interference.plan.catalogue import Entry, Files, wildcards


class Inventory:
    """What one experiment has; of an arm that it lacks, nothing."""

    def __init__(self, config: Config):
        self.config = config

    @cached_property
    def models(self) -> dict[str, Model]:
        """Every network of the experiment by name, the clean baseline of each seed first."""
        return {model.name: model for model in networks(self.config.models)}

    @property
    def trained(self) -> list[str]:
        """Networks that the experiment trains."""
        return list(self.models) if self.trains else []

    @property
    def converted(self) -> list[str]:
        """Networks that come from a file."""
        return [] if self.trains else list(self.models)

    @property
    def trains(self) -> bool:
        return self.config.models is not None and self.config.models.source == "trained"

    @property
    def pictures(self) -> bool:
        """Whether images are files of pictures, which may be corrupt."""
        return self.config.data is not None and self.config.data.pictures is not None

    @property
    def architectures(self) -> list[str]:
        """Those of the networks; each has figures of its own."""
        return self.config.models.architectures if self.config.models else []

    @property
    def parts(self) -> list[int]:
        """The parts of a layer's extraction that are jobs of their own: none where one job does it."""
        count = self.config.activations.parts if self.config.activations else 1
        return list(range(count)) if count > 1 else []

    @property
    def gated(self) -> bool:
        """Whether accuracies are known that the networks' must be."""
        return self.config.models is not None and self.config.models.source == "hub"

    @property
    def layers(self) -> list[str]:
        return list(self.config.activations.layers) if self.config.activations else []

    @property
    def attacks(self) -> list[str]:
        return list(self.config.attacks.methods) if self.config.attacks else []

    @property
    def sae_types(self) -> list[str]:
        return list(self.config.saes.types.named) if self.config.saes else []

    @property
    def peers(self) -> list[str]:
        """The SAE type that baselines stand beside, where there are any."""
        return [self.config.saes.baselines.type] if self.config.saes else []

    # the catalogue

    def ways(self, path: str) -> list[dict[str, str]]:
        """Every way to fill the wildcards of a path with what the experiment has, the last fastest."""
        has = {
            "model": self.models,
            "architecture": self.architectures,
            "attack": self.attacks,
            "layer": self.layers,
            "type": self.sae_types,
            "peer": self.peers,
        }
        names = wildcards(path)
        filled = product(*(has[name] for name in names))
        return [dict(zip(names, values, strict=True)) for values in filled]

    def paths(self, path: str) -> list[str]:
        """The path for each way to fill its wildcards."""
        return [path.format(**which) for which in self.ways(path)]

    def jobs(self, entry: Entry) -> list[dict[str, str]]:
        """The wildcards of each job of a table or figure; no job where the experiment lacks its arm."""
        there = set(entry.arms) & set(self.config.arms) and (self.gated or not entry.gated)
        return self.ways(entry.path) if there else []

    def inputs(self, entry: Entry) -> dict[str, Files]:
        """A table's or figure's inputs by name, without those of an arm that the experiment lacks."""
        return {
            name: files
            for name, files in entry.inputs.items()
            if files.arm is None or files.arm in self.config.arms
        }
