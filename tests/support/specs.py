"""The spec of every job of an experiment, by name, as the rules ask for them."""

import copy
import json
from collections.abc import Iterable
from pathlib import Path

from interference import provenance
from interference.config.load import check_config
from interference.plan import catalogue
from interference.plan.specs import Specs
from tests.support.checkout import chosen, forget_sources, with_code

#: As a value of `edited`: the key is taken out.
REMOVE = object()


def specs_of(values: dict) -> dict[str, str]:
    """The spec of every job of an experiment, by name, as the rules ask for them."""
    specs = Specs(check_config(values))
    jobs = {"images": specs.images()}
    for seed in values["models"].get("seeds", []):
        jobs[f"trunk/{seed}"] = specs.trunk(seed)
    for model in specs.trained:
        jobs[f"finetune/{model}"] = specs.finetune(model)
    for model in specs.converted:
        jobs[f"convert/{model}"] = specs.convert(model)
    for model in specs.models:
        jobs[f"predict/{model}"] = specs.predict(model)
        jobs[f"gallery/{model}"] = specs.gallery(model)
        for step in {"least", "structure"} & specs.has:
            jobs[f"{step}/{model}"] = getattr(specs, step)(model)
        for attack in specs.attacks:
            jobs[f"craft/{model}/{attack}"] = specs.craft(model, attack)
        for layer in specs.layers:
            jobs[f"extract/{model}/{layer}"] = specs.extract(model, layer)
            for part in specs.parts:
                jobs[f"part/{model}/{layer}/{part}"] = specs.part(model, layer, part)
            jobs[f"baselines/{model}/{layer}"] = specs.baselines(model, layer)
            for kind in specs.sae_types:
                jobs[f"fit/{model}/{layer}/{kind}"] = specs.fit(model, layer, kind)
            jobs[f"measure/{model}/{layer}"] = specs.measure(model, layer)
            jobs[f"intervene/{model}/{layer}"] = specs.intervene(model, layer)
        jobs[f"defend/{model}"] = specs.defend(model)
    if "exchange" in specs.has:
        jobs["exchange"] = specs.exchange()
    jobs |= {step: getattr(specs, step)() for step in ("train", "vulnerability", "geometry")}
    jobs |= _of_canvases(specs) | _of_rivals(specs)
    for table in catalogue.TABLES:
        if specs.jobs(table):
            jobs[table.rule] = specs.table(table.name)
    for figure in catalogue.FIGURES:
        for which in specs.jobs(figure):
            name = "/".join([figure.rule, *which.values()])
            jobs[name] = specs.figure(figure.name, **which)
    jobs["page"] = specs.page()
    return jobs


def _of_canvases(specs: Specs) -> dict[str, str]:
    jobs = {}
    for regime in specs.regimes:
        for seed in specs.canvas_seeds:
            for family in specs.trained_families:
                jobs[f"learn/{family}/{regime}/{seed}"] = specs.learn(family, regime, seed)
            for family in specs.families:
                jobs[f"flip/{family}/{regime}/{seed}"] = specs.flip(family, regime, seed)
            if "ruler" in specs.has:
                jobs[f"calibrate/{regime}/{seed}"] = specs.calibrate(regime, seed)
        if "transfer" in specs.has:
            jobs[f"transfer/{regime}"] = specs.transfer(regime)
        if "mount" in specs.has:
            for model in specs.models:
                jobs[f"mount/{model}/{regime}"] = specs.mount(model, regime)
    return jobs


def _of_rivals(specs: Specs) -> dict[str, str]:
    steps = ("classify", "count", "relearn")
    jobs = {f"{step}/{seed}": getattr(specs, step)(seed) for seed in specs.trials for step in steps}
    return jobs | ({"aim": specs.aim(), "overlap": specs.overlap()} if specs.trials else {})


def jobs_of(values: dict) -> dict[str, str]:
    """The spec of every job by name, without what is upstream of it."""
    return {job: alone(spec) for job, spec in specs_of(values).items()}


def alone(spec: str) -> str:
    fields = json.loads(spec)
    fields.pop("inputs", None)
    return provenance.canonical(fields)


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """Jobs that were there before and are there now, with another spec."""
    return {job for job in before.keys() & after.keys() if before[job] != after[job]}


def edited(edits: dict[str, object], base: dict) -> dict:
    """``base`` with dotted keys set to other values; None of `REMOVE` removes one."""
    values = copy.deepcopy(base)
    for key, value in edits.items():
        *sections, last = key.split(".")
        section = values
        for name in sections:
            section = section[name]
        if value is REMOVE:
            del section[last]
        else:
            assert section.get(last) != value, f"{key} is {value} already"
            section[last] = value
    return values


class Patterns:
    """Names of groups of jobs, which patterns of jobs may stand for."""

    def __init__(self, groups: dict[str, list[str]]):
        self._groups = groups

    def flat(self, names: Iterable[str]) -> list[str]:
        """The patterns behind the names."""
        return [
            pattern
            for name in names
            for pattern in (self.flat(self._groups[name]) if name in self._groups else [name])
        ]

    def chosen(self, jobs: Iterable[str], names: Iterable[str]) -> set[str]:
        """Jobs that the names pick; each must pick some."""
        return chosen(jobs, *self.flat(names))


def edit(package: Path, module: str) -> None:
    """Add a line of code to a module of a copy of the package, by its name without the package's."""
    path = package.joinpath(*module.split(".")).with_suffix(".py")
    path.write_text(with_code(path.read_text(encoding="utf-8")), encoding="utf-8")
    forget_sources()
