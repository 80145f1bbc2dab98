"""The spec of every job: which slice of the config it reads, and which modules make its numbers.

One method a rule. A rule's spec changes exactly when something changes that can change its
output; what reaches it through an input file is not repeated here.
"""

import hashlib
from functools import cached_property
from pathlib import Path

from interference.config.facts import DATASETS, RESOURCES
from interference.config.model import Model, networks
from interference.config.schema import Config
from interference.config.zoo import CHECKPOINTS, REPOSITORY, ROBUSTBENCH_IMAGES
from interference.provenance import spec


class Specs:
    """Specs of all jobs of one experiment."""

    def __init__(self, config: Config):
        self.config = config

    # What there is

    @cached_property
    def models(self) -> dict[str, Model]:
        """Every network of the experiment by name, the clean baseline of each seed first."""
        return {model.name: model for model in networks(self.config.models)}

    @property
    def trained(self) -> list[str]:
        """Networks that the experiment trains."""
        return list(self.models) if self._trains else []

    @property
    def converted(self) -> list[str]:
        """Networks that come from a file."""
        return [] if self._trains else list(self.models)

    @property
    def _trains(self) -> bool:
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

    # data

    def images(self) -> str:
        data = self.config.data.model_dump()
        known, files = DATASETS[data["dataset"]], None
        if known.embedded:
            checksums = RESOURCES / data["dataset"] / "SHA256SUMS"
            files = hashlib.sha256(checksums.read_bytes()).hexdigest()[:16]
        else:
            data["root"] = str(Path(data["root"]).expanduser())
        return spec(("interference.data.images", known.reader), data=data, checksums=files)

    # models

    def _network(self) -> dict:
        models = self.config.models
        return {"architecture": models.architecture, "stem": models.stem}

    def _optimiser(self) -> dict:
        models = self.config.models
        return {
            "batch_size": models.batch_size,
            "weight_decay": models.weight_decay,
            "momentum": models.momentum,
        }

    def trunk(self, seed: int) -> str:
        return spec(
            ("interference.models.train",),
            network=self._network(),
            optimiser=self._optimiser(),
            schedule=self.config.models.trunk.model_dump(),
            attack=None,
            model=Model(
                f"trunk-s{seed}", self.config.models.architecture, "clean", 0.0, seed
            ).identity,
        )

    def finetune(self, model: str) -> str:
        finetune = self.config.models.finetune.model_dump()
        attack = finetune.pop("attack")
        trained = self.models[model]
        if trained.epsilon == 0:
            attack = None
        else:
            attack |= {"norm": trained.norm, "epsilon": trained.epsilon}
        return spec(
            ("interference.models.train",),
            network=self._network(),
            optimiser=self._optimiser(),
            schedule=finetune,
            attack=attack,
            model=trained.identity,
        )

    def checkpoint(self, model: str) -> str:
        """What a file holds and must be; a folder on this machine is part of it, a cache is not."""
        source, converted = self.config.models, self.models[model]
        if source.source == "hub":
            file = {
                "format": "madrylab",
                "repository": REPOSITORY,
                "revision": source.revision,
                "folder": source.folder and str(Path(source.folder).expanduser()),
                "file": CHECKPOINTS[model].file,
                "sha256": source.checkpoints[model],
            }
        else:
            own = source.networks[model].model_dump(exclude={"norm", "epsilon", "architecture"})
            file = {"format": "state_dict", **own, "file": str(Path(own["file"]).expanduser())}
        return spec(
            ("interference.models.checkpoint",),
            model=converted.identity,
            checkpoint={**file, "architecture": converted.architecture},
        )

    def predictions(self, model: str) -> str:
        return spec(("interference.models.clean",), model=self.models[model].identity)

    # attacks

    def adversarial_images(self, model: str, attack: str) -> str:
        method = self.config.attacks.methods[attack].model_dump()
        return spec(
            ("interference.attacks.craft", f"interference.attacks.methods.{method['type']}"),
            model=self.models[model].identity,
            attack=attack,
            method=method,
            images=self.config.attacks.images,
            seed=self.config.attacks.seed,
        )

    # activations

    def activations(self, model: str, layer: str) -> str:
        return spec(
            ("interference.activations.extract",),
            model=self.models[model].identity,
            layer=layer,
            positions=self.config.activations.layers[layer],
            seed=self.config.activations.seed,
        )

    def activations_part(self, model: str, layer: str, part: int) -> str:
        """One of the parts that share a layer's pass over the training images; how many there are
        changes no byte of the rows, so their spec does not say."""
        return spec(
            ("interference.activations.parts",),
            model=self.models[model].identity,
            layer=layer,
            positions=self.config.activations.layers[layer],
            seed=self.config.activations.seed,
            part=part,
            parts=self.config.activations.parts,
        )

    def attacked_activations(self, model: str) -> str:
        return spec(
            ("interference.activations.attacked",),
            model=self.models[model].identity,
            layers=self.layers,
            attacks=self.attacks,
            images=self.config.attacks.images,
        )

    # saes

    def saes(self, model: str, layer: str, sae_type: str) -> str:
        return spec(
            ("interference.saes.fit", f"interference.saes.types.{sae_type}"),
            **self._sae_fields(model, layer, sae_type),
        )

    def baselines(self, model: str, layer: str) -> str:
        """As `saes` of the same type, with the sparsities that baselines are for."""
        chosen = self.config.saes.baselines
        fields = self._sae_fields(model, layer, chosen.type)
        fields["settings"] |= {"k": chosen.k}
        return spec(
            ("interference.saes.baselines", f"interference.saes.types.{chosen.type}"), **fields
        )

    def _sae_fields(self, model: str, layer: str, sae_type: str) -> dict:
        saes = self.config.saes
        return {
            "model": self.models[model].identity,
            "layer": layer,
            "type": sae_type,
            "settings": getattr(saes.types, sae_type).model_dump(),
            "training": {
                "decay_fraction": saes.decay_fraction,
                **saes.layers[layer].model_dump(),
            },
            "seeds": saes.seeds,
        }

    # toy

    def toy_models(self) -> str:
        toy = self.config.toy.model_dump(exclude={"evaluation", "geometry", "densities"})
        return spec(("interference.toy.train",), **toy, densities=self.config.toy.densities.values)

    def toy_vulnerability(self) -> str:
        return spec(("interference.toy.evaluate",), **self.config.toy.evaluation.model_dump())

    def toy_geometry(self) -> str:
        inputs = {"samples", "refit_samples", "common_density"}
        attack = self.config.toy.evaluation.model_dump(exclude=inputs)
        return spec(
            ("interference.toy.geometry",), **attack, **self.config.toy.geometry.model_dump()
        )

    # analysis

    def l0(self, model: str) -> str:
        return spec(("interference.analysis.l0",), model=self.models[model].identity)

    def splice(self, model: str) -> str:
        return spec(
            ("interference.analysis.splice",),
            model=self.models[model].identity,
            images=self.config.attacks.images,
        )

    def table(self, name: str) -> str:
        """The spec of one table: accuracy, saes, matched, baselines, l0, splice, gates, toy or claims."""
        analysis, fields = self.config.analysis, {}
        networks = "networks" in self.config.arms
        if name != "toy" and networks:
            fields["confidence"] = analysis.confidence
        if name in ("saes", "matched", "baselines", "l0", "splice"):
            fields |= {"resamples": analysis.resamples, "seed": analysis.seed}
        if name == "gates":
            fields = {"gates": self._gates()}
        if name == "l0":
            fields["controls"] = self._controls()
        if name == "claims":
            fields |= {"arms": self.config.arms, **(self._headline_attack() if networks else {})}
        roots = ("interference.analysis.frames", f"interference.analysis.tables.{name}")
        return spec(roots, table=name, **fields)

    def _gates(self) -> list[dict]:
        """Accuracies that are known of the hub's checkpoints, and on how many images."""
        known = {name: CHECKPOINTS[name] for name in self.models if self.gated}
        gates = [
            {"model": name, "source": "Salman et al. 2020", "reported": checkpoint.clean_accuracy}
            for name, checkpoint in known.items()
        ]
        gates += [
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
        return gates

    def _controls(self) -> dict:
        """Each attack's norm and the noise method of the same norm."""
        methods = self.config.attacks.methods
        noise = {m.norm: name for name, m in methods.items() if m.type == "noise"}
        return {n: {"norm": m.norm, "noise": noise[m.norm]} for n, m in methods.items()}

    def _headline_attack(self) -> dict:
        """The attack that claims are read at: the first PGD (else the first), its middle epsilon."""
        methods = self.config.attacks.methods
        name = next((n for n, m in methods.items() if m.type == "pgd"), next(iter(methods)))
        epsilons = sorted(methods[name].epsilons)
        return {"attack": name, "epsilon": epsilons[len(epsilons) // 2]}

    def figure(self, name: str, **which: str) -> str:
        """The spec of one figure; ``which`` names the architecture, layer, type or model it shows."""
        roots = ("interference.analysis.frames", f"interference.analysis.figures.{name}")
        return spec(roots, figure=name, **which)
