"""Specs of the jobs that the arm of networks is not needed for: of images, of toy models, of canvases
and of the preprint's rivals.

`plan.specs` says what a spec is.
"""

import hashlib
from pathlib import Path

from interference.config.canvas import members, regime_of
from interference.config.facts import DATASETS, RESOURCES
from interference.config.rivals import members as classifiers
from interference.plan.inventory import KNOWN, SHARED, Inventory
from interference.plan.once import once
from interference.provenance import digest, foreign_path, normalised, source_path, spec


class Arms(Inventory):
    """Specs of images, toy models, canvases and rivals of one experiment."""

    # data

    @once
    def images(self) -> str:
        data = self.config.data.model_dump(exclude_unset=True)
        dataset, checksums = DATASETS[data["dataset"]], None
        if dataset.embedded:
            sums = RESOURCES / data["dataset"] / "SHA256SUMS"
            checksums = hashlib.sha256(sums.read_bytes()).hexdigest()[:16]
        else:
            data["root"] = str(Path(data["root"]).expanduser())
        return spec(("interference.data.images", dataset.reader), data=data, checksums=checksums)

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
        unread = {"samples", "refit_samples", "common_density"}
        attack = self.config.toy.evaluation.model_dump(exclude=unread)
        return spec(
            ("interference.toy.geometry",),
            [self.train()],
            **attack,
            **self.config.toy.geometry.model_dump(),
        )

    # canvas

    @once
    def learn(self, family: str, regime: str, seed: int) -> str:
        canvas = self.config.canvas
        attacked = canvas.adversarial.model_dump() if family == "ladder" else None
        return spec(
            ("interference.canvas.learn",),
            [self.images()],
            **self._canvas_fields(family, regime),
            family=family,
            seed=seed,
            members=members(canvas, family),
            trunk=canvas.trunk.model_dump(),
            training=canvas.training.model_dump(),
            adversarial=attacked,
        )

    @once
    def flip(self, family: str, regime: str, seed: int) -> str:
        return spec(
            ("interference.canvas.flip",),
            [self.images(), self.learn(family, regime, seed)],
            **self._canvas_fields(family, regime),
            family=family,
            seed=seed,
            flips=self.config.canvas.flips.model_dump(),
        )

    @once
    def transfer(self, regime: str) -> str:
        canvas = self.config.canvas
        return spec(
            ("interference.canvas.transfer",),
            [
                self.images(),
                *(self.learn(f, regime, seed) for f in self.families_among(*SHARED) for seed in canvas.seeds),
            ],
            **self._canvas_fields("dose", regime),
            flips=canvas.flips.model_dump(exclude={"pairs"}),
            transfer=canvas.transfer.model_dump(),
        )  # fmt: skip

    @once
    def calibrate(self, regime: str, seed: int) -> str:
        return spec(
            ("interference.canvas.calibrate", *code_of("topk")),
            [
                self.images(),
                *(self.learn(family, regime, seed) for family in self.families_among(*KNOWN)),
            ],
            **self._canvas_fields("dose", regime),
            seed=seed,
            ruler=self.config.canvas.ruler.model_dump(),
            measures=self._own_measures(),
        )

    def _own_measures(self) -> dict[str, str | None]:
        """Digests of the modules of the user's own measures; None of one that Python does not find."""
        found = {}
        for name in self.config.canvas.ruler.measures:
            path = foreign_path(name.partition(":")[0])
            found[name] = digest(normalised(path.read_text(encoding="utf-8"))) if path else None
        return found

    # rivals

    @once
    def classify(self, seed: int) -> str:
        rivals = self.config.rivals
        return spec(
            ("interference.rivals.classify",),
            [self.images()],
            **rivals.bottlenecks.model_dump(include={"classes", "hidden", "steps"}),
            seed=seed,
            members=classifiers(rivals.bottlenecks),
            training=rivals.training.model_dump(),
        )

    @once
    def aim(self) -> str:
        bottlenecks = self.config.rivals.bottlenecks
        return spec(
            ("interference.rivals.aim",),
            [self.images(), *(self.classify(seed) for seed in self.trials)],
            classes=bottlenecks.classes,
            attack=bottlenecks.attack.model_dump(),
            seed=self.trials[0],
        )

    @once
    def count(self, seed: int) -> str:
        rivals = self.config.rivals
        return spec(
            ("interference.rivals.count",),
            [self.images()],
            **rivals.abundance.model_dump(),
            seed=seed,
            training=rivals.training.model_dump(),
        )

    @once
    def overlap(self) -> str:
        rivals = self.config.rivals
        return spec(
            ("interference.rivals.overlap",),
            [self.images(), *(self.count(seed) for seed in self.trials)],
            classes=max(rivals.abundance.classes),
            attack=rivals.overlap.attack.model_dump(),
            seed=self.trials[0],
        )

    @once
    def relearn(self, seed: int) -> str:
        rivals = self.config.rivals
        return spec(
            ("interference.rivals.relearn",),
            [self.images()],
            **rivals.relearning.model_dump(),
            seed=seed,
            training=rivals.training.model_dump(),
        )

    def _canvas_fields(self, family: str, regime: str) -> dict:
        canvas = self.config.canvas
        return {"regime": regime_of(canvas, family, regime), "halved": canvas.halved}


def code_of(sae_type: str) -> list[str]:
    """The modules of an SAE type: what it is, and its compiled step where it has one."""
    plain, compiled = (f"interference.saes.{kind}.{sae_type}" for kind in ("types", "compiled"))
    return [plain, compiled] if source_path(compiled) else [plain]


def templates() -> str:
    """A digest of the page's templates, styles and scripts, which are no modules."""
    shell = source_path("interference.report.shell")
    assert shell is not None
    files = sorted(shell.with_name("templates").iterdir())
    return digest("\n".join(f"{file.name}\n{file.read_text(encoding='utf-8')}" for file in files))
