"""Specs of all jobs: which slice of the config each reads, and which modules make its numbers.

One method per rule. A rule's spec changes exactly when something changes that can change its
output: a key that it reads, its code, or the spec of a job upstream. What reaches it through an input
file is not repeated here: each method names the specs of the jobs whose outputs the rule reads.
"""

from interference.config.values import Layer
from interference.plan.arms import code_of, templates
from interference.plan.catalogue import FIGURES, PAGE, TABLES
from interference.plan.entries import Entry
from interference.plan.networks import Networks
from interference.plan.once import once
from interference.provenance import spec

TABLES_BY_NAME = {table.name: table for table in TABLES}
FIGURES_BY_NAME = {figure.name: figure for figure in FIGURES}


class Specs(Networks):
    """Specs of all jobs of one experiment: here those of activations to probes, of tables and of figures."""

    # activations

    @once
    def extract(self, model: str, layer: Layer) -> str:
        return spec(
            ("interference.activations.extract",),
            [self.images(), self.network(model)],
            **self._rows_fields(model, layer),
        )

    @once
    def part(self, model: str, layer: Layer, part: int) -> str:
        """The spec of one of the jobs that share a layer's pass over the training images. Their number
        changes no byte of the rows, so the spec of the rows leaves it out."""
        return spec(
            ("interference.activations.part",),
            [self.images(), self.network(model)],
            **self._rows_fields(model, layer),
            part=part,
            parts=self.config.activations.parts,
        )

    def _rows_fields(self, model: str, layer: Layer) -> dict:
        return {
            "model": self.models[model].identity,
            "layer": layer,
            "positions": self.config.activations.layers[layer],
            "seed": self.config.activations.seed,
        }

    # saes

    @once
    def fit(self, model: str, layer: Layer, sae_type: str) -> str:
        return spec(
            ("interference.saes.fit", *code_of(sae_type)),
            [self.extract(model, layer)],
            **self._sae_fields(model, layer, sae_type),
        )

    @once
    def baselines(self, model: str, layer: Layer) -> str:
        """The spec of `fit` of the same type, with the sparsities of the baselines."""
        chosen = self.config.saes.baselines
        fields = self._sae_fields(model, layer, chosen.type)
        fields["settings"] |= {"k": chosen.k}
        return spec(
            ("interference.saes.baselines", *code_of(chosen.type)),
            [self.extract(model, layer)],
            **fields,
        )

    def _sae_fields(self, model: str, layer: Layer, sae_type: str) -> dict:
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
    def measure(self, model: str, layer: Layer) -> str:
        return spec(
            ("interference.probes.measure",),
            [
                self.images(),
                self.network(model),
                self.extract(model, layer),
                *(self.craft(model, attack) for attack in self.probed),
                *(self.fit(model, layer, sae_type) for sae_type in self.sae_types),
            ],
            model=self.models[model].identity,
            layer=layer,
            attacks=self.probed,
            types=self.sae_types,
            images=self.config.attacks.images,
            displaced=self.headline_attack(),
            seed=self.config.attacks.seed,
        )

    @once
    def intervene(self, model: str, layer: Layer) -> str:
        attack, following = self.headline_attack(), self.next_layer(layer)
        layers = [layer, *([following] if following else [])]
        return spec(
            ("interference.probes.intervene",),
            [
                self.images(),
                self.network(model),
                self.craft(model, attack["attack"]),
                *(self.extract(model, name) for name in layers),
                *(self.fit(model, name, t) for name in layers for t in self.sae_types),
            ],
            model=self.models[model].identity,
            layer=layer,
            next=following,
            types=self.sae_types,
            images=self.config.attacks.images,
            seed=self.config.attacks.seed,
            **attack,
        )

    @once
    def defend(self, model: str) -> str:
        """The spec of one job for all layers: its start costs more than one layer's work."""
        baselines, method = self.config.saes.baselines, self.config.attacks.methods[self.headline]
        return spec(
            ("interference.probes.defend", f"interference.attacks.methods.{method.type}"),
            self._of_peer(model),
            model=self.models[model].identity,
            layers=self.layers,
            type=baselines.type,
            k=baselines.k,
            method=method.settings,
            images=self.config.attacks.defence_images,
            seed=self.config.attacks.seed,
            **self.headline_attack(),
        )

    @once
    def gallery(self, model: str) -> str:
        """The spec of the SAEs that baselines stand beside: the first of their k, and the first seed."""
        saes = self.config.saes
        return spec(
            ("interference.probes.gallery",),
            [*self._of_peer(model), self.craft(model, self.noise)],
            model=self.models[model].identity,
            layers=self.layers,
            type=saes.baselines.type,
            sparsity=saes.baselines.k[0],
            sae_seed=saes.seeds[0],
            images=self.config.attacks.images,
            noise=self.noise,
            norm=self.config.attacks.methods[self.headline].norm,
            **self.headline_attack(),
        )

    def _of_peer(self, model: str) -> list[str]:
        """The specs upstream of a job about every layer's SAEs of the type that baselines have."""
        sae_type = self.config.saes.baselines.type
        return [
            self.images(),
            self.network(model),
            self.craft(model, self.headline),
            *(self.extract(model, layer) for layer in self.layers),
            *(self.fit(model, layer, sae_type) for layer in self.layers),
        ]

    # analysis

    @once
    def table(self, name: str) -> str:
        """The spec of one table of the catalogue."""
        table = TABLES_BY_NAME[name]
        roots = ("interference.analysis.frames", f"interference.analysis.tables.{name}")
        return spec(roots, self._upstream(table), table=name, **self.fields(table))

    @once
    def figure(self, name: str, /, **which: str) -> str:
        """The spec of one figure of the catalogue; ``which`` are its job's wildcards."""
        roots = ("interference.analysis.frames", f"interference.analysis.figures.{name}")
        figure = FIGURES_BY_NAME[name]
        upstream = self._upstream(figure, **which)
        return spec(roots, upstream, figure=name, **which, **self.fields(figure))

    @once
    def page(self) -> str:
        """The spec of the page. The config is in it as text, since the order of methods, layers and types
        says which are meant."""
        figures = {
            entry.name: [f"figures/{entry.file.format(**which)}" for which in self.jobs(entry)]
            for entry in FIGURES
        }
        return spec(
            ("interference.report.page",),
            self._upstream(PAGE),
            config=self.config.text,
            figures={name: paths for name, paths in figures.items() if paths},
            templates=templates(),
        )

    def _upstream(self, entry: Entry, /, **own: str) -> list[str]:
        """The specs of the jobs whose outputs a table or figure is made of; ``own`` are its wildcards."""
        return [
            self._job(read.step, which)
            for read in self.inputs(entry).values()
            for which in self.ways(read.path, **own)
        ]

    def _job(self, step: str, which: dict[str, str]) -> str:
        """The spec of one job of a step, a table or a figure; ``which`` are its wildcards."""
        name, _, kind = step.rpartition("_")
        if kind == "table":
            return self.table(name)
        return (
            self.figure(name, **which) if kind == "figure" else getattr(self, step)(*which.values())
        )
