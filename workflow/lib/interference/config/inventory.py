"""What an experiment has: its networks, layers, attacks and SAE types, by name and in order."""

from functools import cached_property

from interference.config.model import Model, networks
from interference.config.schema import Config


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
