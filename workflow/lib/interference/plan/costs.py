"""Costs of a run: hours of each rule on cores and on GPUs, by its work (see `work`).

The rate of a device is not assumed but measured, by the seconds that Snakemake wrote for each job of a
finished run. The rates of one core and of one GPU ship with the repository.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from interference.config.facts import RESOURCES
from interference.config.schema import Config
from interference.plan import benchmarks
from interference.plan.catalogue import FIGURES, TABLES
from interference.plan.jobs import Rule, rules
from interference.plan.steps import STEPS
from interference.plan.work import work_of
from interference.progress import in_bytes
from interference.provenance import InterferenceError

#: Seconds of a job before its work begins: Python, torch and torchvision.
START = 2.0
#: Each step by its rule's name.
_STEPS = {step.name: step for step in STEPS}


def measured(config: Config, results: Path) -> dict[str, float]:
    """Rule → work per second of one job of a finished run.

    config: the config of that run; results: its results folder.
    Raises InterferenceError where it left no benchmarks.
    """
    folder, rates = Path(results) / benchmarks.FOLDER, {}
    jobs = {rule.name: rule.jobs for rule in rules(config)}
    for rule, amount in work_of(config).items():
        name, _, sae_type = rule.partition("/")
        files = [*(folder / _STEPS[name].room / name).glob(f"**/{sae_type or '*'}.tsv")]
        expected = jobs[name] // (len(config.saes.types.named) if sae_type else 1)
        # files of a run that is not finished, or of another's, are no measure
        if amount and len(files) == expected:
            seconds = (benchmarks.read(path).seconds for path in files)
            rates[rule] = amount / sum(max(second - START, 0.1) for second in seconds)
    if not rates:
        raise InterferenceError(
            f"{folder} holds no benchmarks of {config.experiment}; run it first, or name the config "
            "of another run"
        )
    return rates


def shipped(kind: str) -> tuple[str, dict[str, float]]:
    """The core or the GPU that was measured, in words, and its work per second by rule.

    kind: core or gpu.
    """
    measurement = json.loads((RESOURCES / "throughput.json").read_text(encoding="utf-8"))[kind]
    return measurement["device"], measurement["rates"]


def rate_of(work: str, rates: Mapping[str, float]) -> float:
    """A device's rate of one kind of work, such as fit/topk; without a measurement that of the slowest
    kind of its rule, or else of all.
    """
    rule = work.partition("/")[0]
    others = {name: rate for name, rate in rates.items() if name != "images"}
    own = [rate for name, rate in others.items() if name.partition("/")[0] == rule]
    return rates[work] if work in rates else min(own or others.values())


@dataclass(frozen=True)
class Cost:
    """Costs of a rule.

    core: hours of all its jobs on one core.
    gpu: hours of all its jobs on one GPU; None where it uses none.
    """

    rule: Rule
    core: float
    gpu: float | None


def costs(config: Config, core: Mapping[str, float], gpu: Mapping[str, float]) -> list[Cost]:
    """The cost of every rule, in the order of `jobs.rules`.

    core, gpu: work per second by rule; `rate_of` says what a rule that is missing has.
    """
    amounts = work_of(config)

    def hours(rule: Rule, rates: Mapping[str, float]) -> float:
        own = {name: n for name, n in amounts.items() if name.partition("/")[0] == rule.name}
        seconds = sum(amount / rate_of(name, rates) for name, amount in own.items())
        return (rule.jobs * START + seconds) / 3600

    def on_gpu(rule: Rule) -> bool:
        return rule.name in _STEPS and _STEPS[rule.name].gpu

    return [
        Cost(rule, hours(rule, core), hours(rule, gpu) if on_gpu(rule) else None)
        for rule in rules(config)
    ]


class Expected(NamedTuple):
    """What the plan expects of a step: its jobs, and their seconds on one core."""

    jobs: int
    core: float


def expected(config: Config) -> dict[str, Expected]:
    """Each step, called as in `benchmarks.benchmarks`, on the core that ships."""
    folders = {entry.rule: entry.path.partition("/")[0] for entry in (*TABLES, *FIGURES)}
    found: dict[str, Expected] = {}
    for cost in costs(config, shipped("core")[1], shipped("gpu")[1]):
        rule = cost.rule
        step = f"{rule.room}/{folders.get(rule.name, rule.name)}"
        jobs, core = found.get(step, (0, 0.0))
        found[step] = Expected(jobs + rule.jobs, core + 3600 * cost.core)
    return found


def describe(
    config: Config,
    core: tuple[str, Mapping[str, float]],
    gpu: tuple[str, Mapping[str, float]],
    gpus: int,
) -> str:
    """The plan with its costs: one line per rule, and the whole on one core, one GPU and several.

    core, gpu: the device that was measured, in words, and its work per second by rule.
    gpus: how many GPUs the cluster gives at once.
    """
    plan = costs(config, core[1], gpu[1])
    lines = [
        f"experiment {config.experiment}: the whole of it, whatever is already done",
        f"  {'rule':24s}{'jobs':>7s} {'stored':>9s} {'core hours':>11s} {'GPU hours':>10s}",
    ]
    lines += [_line(c.rule, c.core, c.gpu) + f"   {c.rule.rows}".rstrip() for c in plan]
    whole = Rule("in all", "", sum(c.rule.jobs for c in plan), sum(c.rule.stored for c in plan))
    cores = sum(c.core for c in plan)
    shared = sum(c.gpu for c in plan if c.gpu is not None)
    beside = sum(c.core for c in plan if c.gpu is None)
    lines += [
        _line(whole, cores, shared) + f"   under results/{config.experiment}",
        f"on cores alone {_hours(cores)} core hours; with GPUs {_hours(shared)} GPU hours and "
        f"{_hours(beside)} core hours",
        f"rules with a GPU take {_hours(shared)} h on one, {_hours(_wall(plan, gpus))} h on {gpus} at once",
        f"core: {core[0]}",
        f"GPU:  {gpu[0]}",
    ]
    return "\n".join(lines)


def _line(rule: Rule, core: float, gpu: float | None) -> str:
    stored = in_bytes(rule.stored) if rule.stored else ""
    on_gpu = "" if gpu is None else _hours(gpu)
    return f"  {rule.name:24s}{rule.jobs:7,} {stored:>9s} {_hours(core):>11s} {on_gpu:>10s}"


def _wall(plan: list[Cost], gpus: int) -> float:
    """Hours on so many GPUs, with equal jobs per rule, one rule after the other."""
    rounds = [(-(-c.rule.jobs // gpus) / c.rule.jobs, c.gpu) for c in plan if c.gpu is not None]
    return sum(share * hours for share, hours in rounds)


def _hours(hours: float) -> str:
    return "-" if hours < 0.005 else f"{hours:.2g}" if hours < 10 else f"{hours:,.0f}"
