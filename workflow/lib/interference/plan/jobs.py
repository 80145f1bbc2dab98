"""What a run will do and store, from the config alone: jobs per rule, rows, bytes."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from interference.config.facts import ARCHITECTURES, PARAMETERS, positions
from interference.config.schema import Config
from interference.config.zoo import CHECKPOINTS
from interference.plan.catalogue import FIGURES, TABLES
from interference.plan.specs import Specs
from interference.progress import in_bytes


@dataclass(frozen=True)
class Rule:
    """A rule of the workflow. stored: bytes under results/; rows: what it handles most of."""

    name: str
    room: str
    jobs: int
    stored: int = 0
    rows: str = ""


def rules(config: Config) -> list[Rule]:
    """Every rule that has jobs, upstream first. Bytes count arrays and weights, not tables or logs."""
    specs, found = Specs(config), []
    if "networks" in config.arms:
        found += [*_networks(config, specs)]
    if "toy" in config.arms:
        found += [*_toy(config)]
    return [rule for rule in [*found, *_analysis(specs)] if rule.jobs]


def _networks(config: Config, specs: Specs) -> Iterator[Rule]:
    data, models, layers = config.data, list(specs.models.values()), specs.layers
    pixels, attacked = data.channels * data.size**2, config.attacks.images
    images = data.train + data.heldout + data.evaluation
    yield Rule("images", "data", 1, images * pixels, f"{images:,} images")
    weights = sum(4 * PARAMETERS[model.architecture] for model in models)
    trunks = len(config.models.seeds) if specs.trained else 0
    trunk = 4 * trunks * PARAMETERS[models[0].architecture]
    yield Rule("trunk", "models", trunks, trunk, f"{trunks} networks")
    yield Rule("finetune", "models", len(specs.trained), weights, f"{len(models)} networks")
    yield Rule("convert", "models", len(specs.converted), weights, f"{len(models)} networks")
    evaluated = f"{len(models) * data.evaluation:,} images"
    yield Rule("predict", "models", len(models), 0, evaluated)
    methods = config.attacks.methods.values()
    grid = sum(len(method.epsilons) for method in methods)
    adversarial = len(models) * grid * attacked
    yield Rule("craft", "attacks", len(models) * len(methods),
               4 * adversarial * pixels, f"{adversarial:,} adversarial images")  # fmt: skip

    kept, depth = config.activations.layers, len(layers)
    rows = len(models) * sum(kept.values()) * data.train
    raw = sum(4 * kept[name] * width * data.train for _, name, width, _ in _hooks(config, specs))
    clean = sum(kept[name] * width * (2 * data.train + 4 * data.heldout)
                for _, name, width, _ in _hooks(config, specs))  # fmt: skip
    parts = len(models) * depth * len(specs.parts)
    yield Rule("part", "activations", parts, raw, f"{rows:,} raw rows, for a time")
    yield Rule("extract", "activations", len(models) * depth, clean, f"{rows:,} training rows")
    yield from _saes(config, specs)
    passed = f"{len(models) * depth * (grid + 1) * attacked:,} clean and attacked images"
    yield Rule("measure", "probes", len(models) * depth, 0, passed)


def _hooks(config: Config, specs: Specs) -> Iterator[tuple[str, str, int, int]]:
    """(network, layer, width, positions) of every layer that is looked at."""
    for model in specs.models.values():
        sizes = positions(config.data.size, config.models.stem, model.architecture)
        for layer in specs.layers:
            yield model.name, layer, ARCHITECTURES[model.architecture][layer], sizes[layer]


def _saes(config: Config, specs: Specs) -> Iterator[Rule]:
    saes, types = config.saes, len(specs.sae_types)
    seeds = len(saes.seeds)
    sweep = seeds * sum(len(settings.sweep) for settings in saes.types.named.values())
    # each k once on whitened rows and once on the Gaussian surrogate
    substitutes = 2 * seeds * len(saes.baselines.k)
    fits = [(name, width) for _, name, width, _ in _hooks(config, specs)]
    one = sum(8 * saes.layers[name].expansion_factor * width**2 for name, width in fits)
    seen = sum(saes.layers[name].rows for name, _ in fits)
    # the sweep is stored, and every member kept for reuse
    yield Rule("fit", "saes", len(fits) * types, 2 * sweep * one,
               f"{len(fits) * sweep} SAEs, {sweep * seen:,} rows seen")  # fmt: skip
    yield Rule("baselines", "saes", len(fits), substitutes * one,
               f"{len(fits) * substitutes} SAEs, {substitutes * seen:,} rows seen")  # fmt: skip


def _toy(config: Config) -> Iterator[Rule]:
    toy = config.toy
    stack = 2 * toy.densities.count * len(toy.seeds)
    samples = stack * toy.steps * toy.batch_size
    stored = 4 * stack * toy.features * (toy.hidden + 1)
    yield Rule("train", "toy", 1, stored, f"{stack} toy models, {samples:,} samples")
    yield Rule("vulnerability", "toy", 1)
    yield Rule("geometry", "toy", 1)


def _analysis(specs: Specs) -> Iterator[Rule]:
    for entry in (*TABLES, *FIGURES):
        yield Rule(entry.rule, "analysis", len(specs.jobs(entry)))


def missing(config: Config) -> list[str]:
    """What the experiment reads and this machine does not have, in words: a run would end there."""
    data, source, found = config.data, config.models, []
    if data is not None and data.root is not None and not Path(data.root).expanduser().is_dir():
        found.append(f"missing here: data.root, {data.root}: no folder with {data.dataset}")
    if source is not None and source.source == "hub" and source.folder is not None:
        folder = Path(source.folder).expanduser()
        files = [CHECKPOINTS[name].file for name in source.checkpoints]
        lacking = [name for name in files if not (folder / name).is_file()]
        if lacking:
            found.append(
                f"missing here: models.folder, {source.folder}, lacks {len(lacking)} of "
                f"{len(files)} checkpoints: {', '.join(lacking[:3])}{', …' * (len(lacking) > 3)}"
            )
    if source is not None and source.source == "files":
        for name, network in source.networks.items():
            if not Path(network.file).expanduser().is_file():
                found.append(f"missing here: models.networks.{name}.file, {network.file}")
    return found


def describe(config: Config) -> str:
    """The plan as text: a line a rule."""
    plan = rules(config)
    lines = [f"experiment {config.experiment}: the whole of it, whatever is already done"]
    lines += [
        f"  {rule.name:24s}{rule.jobs:6d} {in_bytes(rule.stored) if rule.stored else '':>9s}   {rule.rows}".rstrip()
        for rule in plan
    ]
    jobs, stored = sum(rule.jobs for rule in plan), sum(rule.stored for rule in plan)
    lines.append(
        f"  {'in all':24s}{jobs:6d} {in_bytes(stored):>9s}   under results/{config.experiment}"
    )
    return "\n".join(lines)
