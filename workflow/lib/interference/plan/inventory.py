"""Names of what an experiment has, in order: networks, layers, attacks and SAE types."""

from collections.abc import Iterable
from functools import cached_property
from itertools import product

from interference.config.attacks import ATTACKS, Shuffled, Transferred
from interference.config.model import Model, models_of, source_of
from interference.config.networks import Hub, Trained
from interference.config.schema import Config
from interference.config.values import DISPLACED, LAYERS, Layer
from interference.config.zoo import gates
from interference.plan.catalogue import BOOTSTRAP
from interference.plan.entries import Entry, Input, wildcards

#: Families of the table dose; those whose networks attacks pass between; those that the ruler measures.
SWEPT = ("dose", "frozen", "orthonormal", "shuffled", "width", "factorial")
SHARED = ("dose", "correlated")
KNOWN = ("dose", "factorial")


class Inventory:
    """What one experiment has; nothing of an arm that it lacks."""

    def __init__(self, config: Config):
        self.config = config

    @cached_property
    def models(self) -> dict[str, Model]:
        """Every network of the experiment by name, the clean baseline of each seed first."""
        return {model.name: model for model in models_of(self.config.models)}

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
        """Whether the experiment trains its networks; they come from files otherwise."""
        return isinstance(self.config.models, Trained)

    @property
    def training(self) -> Trained:
        """The config of networks that the experiment trains. Raises TypeError where it trains none."""
        if not isinstance(self.config.models, Trained):
            raise TypeError(f"{self.config.experiment} trains no networks")
        return self.config.models

    @property
    def pictures(self) -> bool:
        """Whether images are files of pictures, which may be corrupt."""
        return self.config.data is not None and self.config.data.pictures is not None

    @property
    def architectures(self) -> list[str]:
        """Architectures of the networks; each has figures of its own."""
        return self.config.models.architectures if self.config.models else []

    @property
    def parts(self) -> list[int]:
        """Parts of a layer's extraction that are jobs of their own; none where one job does it all."""
        count = self.config.activations.parts if self.config.activations else 1
        return list(range(count)) if count > 1 else []

    @property
    def has(self) -> set[str]:
        """What entries of the catalogue and their inputs may need: the arms; ``gates``, where the
        accuracies that the networks must have are known; ``least`` changes, ``structure`` of
        perturbations and their ``exchange``; families of canvases, ``transfer``, ``ruler`` and
        ``mount``."""
        attacks, canvas = self.config.attacks, self.config.canvas
        parts = {
            "least": attacks is not None and attacks.least is not None,
            "structure": attacks is not None and attacks.structure is not None,
            "exchange": attacks is not None and attacks.exchange is not None,
            "gates": isinstance(self.config.models, Hub),
            "transfer": canvas is not None and canvas.transfer is not None,
            "ruler": canvas is not None and canvas.ruler is not None,
            "mount": canvas is not None and canvas.mount is not None,
        }
        present = {name for name, here in parts.items() if here}
        return {*self.config.arms, *self.families, *present}

    @property
    def layers(self) -> list[Layer]:
        return list(self.config.activations.layers) if self.config.activations else []

    def next_layer(self, layer: Layer) -> Layer | None:
        """The next of the layers in the network's order; None of the last."""
        later = [name for name in LAYERS if name in self.layers]
        return next(iter(later[later.index(layer) + 1 :]), None)

    @property
    def attacks(self) -> list[str]:
        return list(self.config.attacks.methods) if self.config.attacks else []

    def attacked(self, attack: str) -> int:
        """How many images an attack is on: the first of the evaluation images."""
        method = self.config.attacks.methods[attack]
        if hasattr(method, "of"):
            return self.attacked(method.of)
        return getattr(method, "images", self.config.attacks.images)

    @property
    def probed(self) -> list[str]:
        """Attacks that are conditions of probes, which compare the same images: those on all of them."""
        return [name for name in self.attacks if self.attacked(name) == self.config.attacks.images]

    def source(self, model: str, attack: str) -> tuple[str, str] | None:
        """Network and attack whose adversarial images a control is made of; None of other methods."""
        method = self.config.attacks.methods[attack]
        match method:
            case Shuffled():
                return model, method.of
            case Transferred():
                network = source_of(self.models[model], self.models.values(), method.across)
                assert network is not None, "the config was checked"
                return network.name, method.of
        return None

    @property
    def sae_types(self) -> list[str]:
        return list(self.config.saes.types.named) if self.config.saes else []

    @property
    def peers(self) -> list[str]:
        """The SAE type that baselines are compared with, where there are baselines."""
        return [self.config.saes.baselines.type] if self.config.saes else []

    # canvases

    @property
    def regimes(self) -> list[str]:
        return list(self.config.canvas.regimes) if self.config.canvas else []

    @property
    def families(self) -> list[str]:
        """Families of networks whose features are flipped."""
        return list(self.config.canvas.families) if self.config.canvas else []

    @property
    def canvas_seeds(self) -> list[int]:
        return self.config.canvas.seeds if self.config.canvas else []

    @property
    def trained_families(self) -> list[str]:
        """Families of networks that are trained, flipped or not."""
        return self.config.canvas.trained if self.config.canvas else []

    def families_among(self, *names: str) -> list[str]:
        """The trained families among the names."""
        return [name for name in self.trained_families if name in names]

    # the preprint's rivals

    @property
    def trials(self) -> list[int]:
        """Seeds of the networks of the preprint's rivals."""
        return self.config.rivals.seeds if self.config.rivals else []

    # the attack that claims are about

    def controls(self) -> dict:
        """The norm of each condition, and its controls: the noise method of the same norm, and of the
        headline attack every other control of it, and activations that are displaced as far."""
        methods = self.config.attacks.methods
        noise = {m.norm: name for name, m in methods.items() if m.type == "noise"}
        norms = {name: methods[name].norm for name in self.probed}
        norms |= dict.fromkeys(DISPLACED, norms[self.headline])
        controls = {name: {"norm": norm, "noise": noise[norm]} for name, norm in norms.items()}
        controls[self.headline] |= {
            name: name for name in (*self._controls_of_headline, *DISPLACED)
        }
        return controls

    @property
    def _controls_of_headline(self) -> list[str]:
        """Methods that are controls of the headline attack, beside noise."""
        methods = self.config.attacks.methods
        return [
            name
            for name in self.probed
            if methods[name].type not in (*ATTACKS, "noise")
            and methods[name].norm == methods[self.headline].norm
            and getattr(methods[name], "of", self.headline) == self.headline
        ]

    @property
    def headline(self) -> str:
        """The attack that claims and probes are about: the first PGD, else the first attack, which a
        network can be attacked with behind a defence; without any, the first control."""

        def rank(name: str) -> int:
            kind = self.config.attacks.methods[name].type
            return 0 if kind == "pgd" else 1 if kind in ATTACKS else 2

        return min(self.probed, key=rank, default="") if self.config.attacks else ""

    def headline_attack(self) -> dict:
        """The attack that claims are about, at its middle epsilon, of an even number the upper."""
        epsilons = sorted(self.config.attacks.methods[self.headline].epsilons)
        return {"attack": self.headline, "epsilon": epsilons[len(epsilons) // 2]}

    @property
    def noise(self) -> str:
        """The noise of the headline attack's norm, its control at each epsilon."""
        return self.controls()[self.headline]["noise"] if self.config.attacks else ""

    # the catalogue

    def ways(self, path: str, **given: str) -> list[dict]:
        """Every way to fill a path's wildcards with what the experiment has, the last one fastest.

        given: wildcards that have one value alone.
        """
        names_of: dict[str, Iterable] = {
            "model": self.models,
            "architecture": self.architectures,
            "attack": self.attacks,
            "layer": self.layers,
            "type": self.sae_types,
            "peer": self.peers,
            "regime": self.regimes,
            "seed": self.canvas_seeds,
            "family": self.families,
            "swept": self.families_among(*SWEPT),
            "plain": self.families_among("dose"),
            "crossed": self.families_among("crossover"),
            "hardened": self.families_among("ladder"),
            "shared": self.families_among(*SHARED),
            "known": self.families_among(*KNOWN),
            "trial": self.trials,
        }
        kinds = wildcards(path)
        filled = product(*([given[kind]] if kind in given else names_of[kind] for kind in kinds))
        return [dict(zip(kinds, names, strict=True)) for names in filled]

    def paths(self, path: str, **given: str) -> list[str]:
        """The path with each way to fill its wildcards."""
        return [path.format(**which) for which in self.ways(path, **given)]

    def jobs(self, entry: Entry) -> list[dict[str, str]]:
        """Wildcards of each job of a table or figure; no job where the experiment lacks its arms."""
        wanted = self.has.intersection(entry.arms) and (
            entry.needs is None or entry.needs in self.has
        )
        return self.ways(entry.path) if wanted else []

    def inputs(self, entry: Entry) -> dict[str, Input]:
        """Inputs of a table or figure by name, without those of what the experiment lacks."""
        return {
            name: read
            for name, read in entry.inputs.items()
            if read.needs is None or read.needs in self.has
        }

    def fields(self, entry: Entry) -> dict:
        """What a table or figure reads of the config, by the names of its `settings`."""
        return {k: v for name in entry.settings for k, v in self.settings(name).items()}

    def settings(self, name: str) -> dict:
        """The fields of a spec that `Entry.settings` calls by one name."""
        if "networks" not in self.has and name not in BOOTSTRAP:
            return {}
        if name == "gates":
            return {"gates": gates(list(self.models))}
        if name == "controls":
            return {"controls": self.controls()}
        if name == "headline":
            return self.headline_attack()
        if name == "noise":
            return {"noise": self.noise}
        return {name: getattr(self.config.analysis, name)}
