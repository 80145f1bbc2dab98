"""The spec of every job: which slice of the config it reads, and which modules make its numbers.

One method a rule. A rule's spec changes exactly when something changes that can change its
output: a key that it reads, its code, or the spec of a job upstream. What reaches it through an input
file is not repeated here: each method names the specs of the jobs whose outputs the rule reads.
"""

import hashlib
from pathlib import Path

from interference.config.facts import DATASETS, RESOURCES
from interference.config.inventory import Inventory
from interference.config.model import Model
from interference.config.once import once
from interference.config.zoo import CHECKPOINTS, REPOSITORY, gates
from interference.provenance import spec

#: Tables of networks that claims are read from; figures of graphs of toy models; and the table that a
#: figure shows where it is another than its name.
CLAIMED = ("accuracy", "matched", "baselines", "l0")
GRAPHS = ("toy_geometry", "toy_interference", "toy_densities")
FIGURE_TABLES = {"fvu": "saes", "toy_attacks": "toy", "toy_controls": "toy", "toy_elhage": "toy"}


class Specs(Inventory):
    """Specs of all jobs of one experiment."""

    # data

    @once
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

    @once
    def trunk(self, seed: int) -> str:
        return spec(
            ("interference.models.train",),
            [self.images()],
            network=self._network(),
            optimiser=self._optimiser(),
            schedule=self.config.models.trunk.model_dump(),
            attack=None,
            model=Model(
                f"trunk-s{seed}", self.config.models.architecture, "clean", 0.0, seed
            ).identity,
        )

    @once
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
            [self.images(), self.trunk(trained.seed)],
            network=self._network(),
            optimiser=self._optimiser(),
            schedule=finetune,
            attack=attack,
            model=trained.identity,
        )

    @once
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

    @once
    def predictions(self, model: str) -> str:
        return spec(
            ("interference.models.clean",),
            [self.images(), self.checkpoint(model)],
            model=self.models[model].identity,
        )

    def network(self, model: str) -> str:
        """The spec of the job that makes a network's weights."""
        return self.finetune(model) if self.trains else self.checkpoint(model)

    # attacks

    @once
    def adversarial_images(self, model: str, attack: str) -> str:
        method = self.config.attacks.methods[attack].model_dump()
        return spec(
            ("interference.attacks.craft", f"interference.attacks.methods.{method['type']}"),
            [self.images(), self.network(model)],
            model=self.models[model].identity,
            attack=attack,
            method=method,
            images=self.config.attacks.images,
            seed=self.config.attacks.seed,
        )

    # activations

    @once
    def activations(self, model: str, layer: str) -> str:
        return spec(
            ("interference.activations.extract",),
            [
                self.images(),
                self.network(model),
                *(self.activations_part(model, layer, part) for part in self.parts),
            ],
            model=self.models[model].identity,
            layer=layer,
            positions=self.config.activations.layers[layer],
            seed=self.config.activations.seed,
        )

    @once
    def activations_part(self, model: str, layer: str, part: int) -> str:
        """One of the parts that share a layer's pass over the training images; how many there are
        changes no byte of the rows, so their spec does not say."""
        return spec(
            ("interference.activations.parts",),
            [self.images(), self.network(model)],
            model=self.models[model].identity,
            layer=layer,
            positions=self.config.activations.layers[layer],
            seed=self.config.activations.seed,
            part=part,
            parts=self.config.activations.parts,
        )

    @once
    def attacked_activations(self, model: str) -> str:
        return spec(
            ("interference.activations.attacked",),
            [
                self.images(),
                self.network(model),
                *(self.activations(model, layer) for layer in self.layers),
                *(self.adversarial_images(model, attack) for attack in self.attacks),
            ],
            model=self.models[model].identity,
            layers=self.layers,
            attacks=self.attacks,
            images=self.config.attacks.images,
        )

    # saes

    @once
    def saes(self, model: str, layer: str, sae_type: str) -> str:
        return spec(
            ("interference.saes.fit", f"interference.saes.types.{sae_type}"),
            [self.activations(model, layer)],
            **self._sae_fields(model, layer, sae_type),
        )

    @once
    def baselines(self, model: str, layer: str) -> str:
        """As `saes` of the same type, with the sparsities that baselines are for."""
        chosen = self.config.saes.baselines
        fields = self._sae_fields(model, layer, chosen.type)
        fields["settings"] |= {"k": chosen.k}
        return spec(
            ("interference.saes.baselines", f"interference.saes.types.{chosen.type}"),
            [self.activations(model, layer)],
            **fields,
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

    @once
    def toy_models(self) -> str:
        toy = self.config.toy.model_dump(exclude={"evaluation", "geometry", "densities"})
        return spec(("interference.toy.train",), **toy, densities=self.config.toy.densities.values)

    @once
    def toy_vulnerability(self) -> str:
        evaluation = self.config.toy.evaluation.model_dump()
        return spec(("interference.toy.evaluate",), [self.toy_models()], **evaluation)

    @once
    def toy_geometry(self) -> str:
        inputs = {"samples", "refit_samples", "common_density"}
        attack = self.config.toy.evaluation.model_dump(exclude=inputs)
        return spec(
            ("interference.toy.geometry",),
            [self.toy_models()],
            **attack,
            **self.config.toy.geometry.model_dump(),
        )

    # analysis

    @once
    def l0(self, model: str) -> str:
        return spec(
            ("interference.analysis.l0",),
            [self.attacked_activations(model), *self._saes_of(model)],
            model=self.models[model].identity,
        )

    @once
    def splice(self, model: str) -> str:
        return spec(
            ("interference.analysis.splice",),
            [
                self.images(),
                self.network(model),
                *(self.activations(model, layer) for layer in self.layers),
                *self._saes_of(model),
            ],
            model=self.models[model].identity,
            images=self.config.attacks.images,
        )

    @once
    def table(self, name: str) -> str:
        """The spec of one table: accuracy, saes, matched, baselines, l0, splice, gates, toy or claims."""
        analysis, fields = self.config.analysis, {}
        networks = "networks" in self.config.arms
        if name != "toy" and networks:
            fields["confidence"] = analysis.confidence
        if name in ("saes", "matched", "baselines", "l0", "splice"):
            fields |= {"resamples": analysis.resamples, "seed": analysis.seed}
        if name == "gates":
            fields = {"gates": gates(list(self.models))}
        if name == "l0":
            fields["controls"] = self._controls()
        if name == "claims":
            fields |= {"arms": self.config.arms, **(self._headline_attack() if networks else {})}
        roots = ("interference.analysis.frames", f"interference.analysis.tables.{name}")
        return spec(roots, self._read_by_table(name), table=name, **fields)

    def _read_by_table(self, name: str) -> list[str]:
        """The specs of the jobs whose outputs a table is made of."""
        models, layers = self.models, self.layers
        if name == "accuracy":
            clean = self.finetune if self.trains else self.predictions
            return [
                *(clean(model) for model in models),
                *(self.adversarial_images(m, attack) for m in models for attack in self.attacks),
            ]
        if name in ("saes", "matched"):
            return [fitted for model in models for fitted in self._saes_of(model)]
        if name == "baselines":
            return [
                *(self.baselines(model, layer) for model in models for layer in layers),
                *(self.saes(m, n, peer) for m in models for n in layers for peer in self.peers),
            ]
        if name == "l0":
            return [self.l0(model) for model in models]
        if name == "splice":
            return [self.splice(model) for model in models]
        if name == "gates":
            return [self.table("accuracy"), self.images()]
        networks = [self.table(table) for table in CLAIMED if "networks" in self.config.arms]
        toy = [self.toy_vulnerability()] if "toy" in self.config.arms else []
        return toy if name == "toy" else networks + toy

    def _saes_of(self, model: str) -> list[str]:
        """The specs of every SAE job of a network."""
        return [
            self.saes(model, layer, sae_type)
            for layer in self.layers
            for sae_type in self.sae_types
        ]

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

    @once
    def figure(self, name: str, **which: str) -> str:
        """The spec of one figure; ``which`` names the architecture, layer, type or model it shows."""
        roots = ("interference.analysis.frames", f"interference.analysis.figures.{name}")
        if name in GRAPHS:
            shown = self.toy_geometry()
        else:
            shown = self.table(FIGURE_TABLES.get(name, name))
        return spec(roots, [shown], figure=name, **which)
