"""Specs of the jobs that make networks and attack them.

`plan.specs` says what a spec is.
"""

from interference.config.canvas import mounted, regime_of
from interference.config.model import Model
from interference.config.networks import Files, Hub
from interference.plan.arms import Arms
from interference.plan.once import once
from interference.provenance import spec


class Networks(Arms):
    """Specs of networks of one experiment, and of attacks on them."""

    # models

    def _training_fields(self) -> dict:
        """What the training of trunks and of their copies has in common."""
        return {
            "network": self.training.model_dump(include={"architecture", "stem", "width"}),
            "optimiser": self.training.model_dump(
                include={"batch_size", "weight_decay", "momentum"}
            ),
        }

    @once
    def trunk(self, seed: int) -> str:
        return spec(
            ("interference.models.trunk",),
            [self.images()],
            **self._training_fields(),
            schedule=self.training.trunk.model_dump(),
            attack=None,
            model=Model(f"trunk-s{seed}", self.training.architecture, "clean", 0.0, seed).identity,
        )

    @once
    def finetune(self, model: str) -> str:
        schedule = self.training.finetune.model_dump()
        attack = schedule.pop("attack")
        network = self.models[model]
        if network.epsilon == 0:
            attack = None
        else:
            attack |= {"norm": network.norm, "epsilon": network.epsilon}
        return spec(
            ("interference.models.finetune",),
            [self.images(), self.trunk(network.seed)],
            **self._training_fields(),
            schedule=schedule,
            attack=attack,
            model=network.identity,
        )

    @once
    def convert(self, model: str) -> str:
        source, network = self.config.models, self.models[model]
        assert isinstance(source, Hub | Files)
        checkpoint = {**source.checkpoint(model), "architecture": network.architecture}
        return spec(("interference.models.convert",), model=network.identity, checkpoint=checkpoint)

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

    @once
    def mount(self, model: str, regime: str) -> str:
        canvas, network = self.config.canvas, self.models[model]
        return spec(
            ("interference.canvas.mount",),
            [self.images(), self.network(model)],
            model=network.identity,
            regime=regime_of(canvas, "mounted", regime),
            halved=False,
            family="mounted",
            seed=network.seed,
            members=mounted(canvas.mount),
            trunk=canvas.trunk.model_dump(exclude={"features"}),
            training=canvas.training.model_dump(),
            flips=canvas.mount.flips.model_dump(),
        )

    # attacks

    @once
    def craft(self, model: str, attack: str) -> str:
        method, source = self.config.attacks.methods[attack], self.source(model, attack)
        upstream = [self.craft(*source)] if source else []
        return spec(
            ("interference.attacks.craft", f"interference.attacks.methods.{method.type}"),
            [self.images(), self.network(model), *upstream],
            model=self.models[model].identity,
            attack=attack,
            method=method.settings,
            classes=method.classes,
            source=source and {"model": source[0], "attack": source[1]},
            images=self.attacked(attack),
            seed=self.config.attacks.seed,
        )

    @once
    def least(self, model: str) -> str:
        return spec(
            ("interference.attacks.least",),
            [self.images(), self.network(model), self.predict(model)],
            model=self.models[model].identity,
            **self.config.attacks.least.model_dump(),
        )

    @once
    def structure(self, model: str) -> str:
        headline = self.headline_attack()
        return spec(
            ("interference.attacks.structure",),
            [self.images(), self.network(model), self.craft(model, headline["attack"])],
            model=self.models[model].identity,
            norm=self.config.attacks.methods[headline["attack"]].norm,
            seed=self.config.attacks.seed,
            **self.config.attacks.structure.model_dump(),
            **headline,
        )

    @once
    def exchange(self) -> str:
        headline = self.headline_attack()
        return spec(
            ("interference.attacks.exchange",),
            [
                self.images(),
                *(self.network(model) for model in self.models),
                *(self.craft(model, headline["attack"]) for model in self.models),
            ],
            models=[model.identity for model in self.models.values()],
            layers=self.layers,
            **self.config.attacks.exchange.model_dump(),
            **headline,
        )
