"""The spec of every job: which slice of the config it reads, and which modules make its numbers.

One method a rule. A rule's spec changes exactly when something changes that can change its
output: a key that it reads, its code, or the spec of a job upstream. What reaches it through an input
file is not repeated here: each method names the specs of the jobs whose outputs the rule reads.
"""

import hashlib
from pathlib import Path

from interference.config.facts import DATASETS, RESOURCES
from interference.config.model import Model
from interference.config.zoo import CHECKPOINTS, REPOSITORY, gates
from interference.plan.catalogue import FIGURES, TABLES, Entry
from interference.plan.inventory import Inventory
from interference.plan.once import once
from interference.provenance import spec

TABLES_BY_NAME = {table.name: table for table in TABLES}
FIGURES_BY_NAME = {figure.name: figure for figure in FIGURES}


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
            ("interference.models.trunk",),
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
            ("interference.models.finetune",),
            [self.images(), self.trunk(trained.seed)],
            network=self._network(),
            optimiser=self._optimiser(),
            schedule=finetune,
            attack=attack,
            model=trained.identity,
        )

    @once
    def convert(self, model: str) -> str:
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
            ("interference.models.convert",),
            model=converted.identity,
            checkpoint={**file, "architecture": converted.architecture},
        )

    def network(self, model: str) -> str:
        """The spec of the job that makes a network's weights."""
        return self.finetune(model) if self.trains else self.convert(model)

    @once
    def predict(self, model: str) -> str:
        return spec(
            ("interference.models.predict",),
            [self.images(), self.network(model)],
            model=self.models[model].identity,
        )

    # attacks

    @once
    def craft(self, model: str, attack: str) -> str:
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
    def extract(self, model: str, layer: str) -> str:
        return spec(
            ("interference.activations.extract",),
            [self.images(), self.network(model)],
            model=self.models[model].identity,
            layer=layer,
            positions=self.config.activations.layers[layer],
            seed=self.config.activations.seed,
        )

    @once
    def part(self, model: str, layer: str, part: int) -> str:
        """One of the parts that share a layer's pass over the training images; how many there are
        changes no byte of the rows, so their spec does not say."""
        return spec(
            ("interference.activations.part",),
            [self.images(), self.network(model)],
            model=self.models[model].identity,
            layer=layer,
            positions=self.config.activations.layers[layer],
            seed=self.config.activations.seed,
            part=part,
            parts=self.config.activations.parts,
        )

    # saes

    @once
    def fit(self, model: str, layer: str, sae_type: str) -> str:
        return spec(
            ("interference.saes.fit", f"interference.saes.types.{sae_type}"),
            [self.extract(model, layer)],
            **self._sae_fields(model, layer, sae_type),
        )

    @once
    def baselines(self, model: str, layer: str) -> str:
        """As `fit` of the same type, with the sparsities that baselines are for."""
        chosen = self.config.saes.baselines
        fields = self._sae_fields(model, layer, chosen.type)
        fields["settings"] |= {"k": chosen.k}
        return spec(
            ("interference.saes.baselines", f"interference.saes.types.{chosen.type}"),
            [self.extract(model, layer)],
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

    # probes

    @once
    def measure(self, model: str, layer: str) -> str:
        return spec(
            ("interference.probes.measure",),
            [
                self.images(),
                self.network(model),
                self.extract(model, layer),
                *(self.craft(model, attack) for attack in self.attacks),
                *(self.fit(model, layer, sae_type) for sae_type in self.sae_types),
            ],
            model=self.models[model].identity,
            layer=layer,
            attacks=self.attacks,
            types=self.sae_types,
            images=self.config.attacks.images,
        )

    # toy

    @once
    def train(self) -> str:
        toy = self.config.toy.model_dump(exclude={"evaluation", "geometry", "densities"})
        return spec(("interference.toy.train",), **toy, densities=self.config.toy.densities.values)

    @once
    def vulnerability(self) -> str:
        evaluation = self.config.toy.evaluation.model_dump()
        return spec(("interference.toy.vulnerability",), [self.train()], **evaluation)

    @once
    def geometry(self) -> str:
        inputs = {"samples", "refit_samples", "common_density"}
        attack = self.config.toy.evaluation.model_dump(exclude=inputs)
        return spec(
            ("interference.toy.geometry",),
            [self.train()],
            **attack,
            **self.config.toy.geometry.model_dump(),
        )

    # analysis

    @once
    def table(self, name: str) -> str:
        """The spec of one table of the catalogue."""
        table = TABLES_BY_NAME[name]
        roots = ("interference.analysis.frames", f"interference.analysis.tables.{name}")
        fields = {k: v for setting in table.settings for k, v in self.settings(setting).items()}
        return spec(roots, self._upstream(table), table=name, **fields)

    @once
    def figure(self, name: str, **which: str) -> str:
        """The spec of one figure of the catalogue; ``which`` are its job's wildcards."""
        roots = ("interference.analysis.frames", f"interference.analysis.figures.{name}")
        return spec(roots, self._upstream(FIGURES_BY_NAME[name]), figure=name, **which)

    def _upstream(self, entry: Entry) -> list[str]:
        """The specs of the jobs whose outputs a table or figure is made of."""
        return [
            self._job(files.step, *which.values())
            for files in self.inputs(entry).values()
            for which in self.ways(files.path)
        ]

    def _job(self, step: str, *which: str) -> str:
        table = step.removesuffix("_table")
        return getattr(self, step)(*which) if table == step else self.table(table)

    def settings(self, name: str) -> dict:
        """What a table reads of the config under one name of the catalogue."""
        if "networks" not in self.config.arms:
            return {}
        if name == "gates":
            return {"gates": gates(list(self.models))}
        if name == "controls":
            return {"controls": self._controls()}
        if name == "headline":
            return self._headline_attack()
        return {name: getattr(self.config.analysis, name)}

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
