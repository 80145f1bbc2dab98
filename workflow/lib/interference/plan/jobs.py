"""The jobs of a run, from the config alone: how many per rule, their rows and bytes."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from interference.config.canvas import members
from interference.config.facts import channels, parameters
from interference.config.networks import Files, Hub
from interference.config.rivals import members as classifiers
from interference.config.schema import Config
from interference.config.values import Layer
from interference.config.zoo import CHECKPOINTS
from interference.plan.catalogue import FIGURES, TABLES
from interference.plan.specs import Specs
from interference.progress import in_bytes
from interference.provenance import foreign_path


@dataclass(frozen=True)
class Rule:
    """A rule of the workflow with all its jobs.

    stored: bytes of arrays and weights under results/; tables and logs are left out.
    rows: how many of what it handles, in words.
    """

    name: str
    room: str
    jobs: int
    stored: int = 0
    rows: str = ""


def rules(config: Config) -> list[Rule]:
    """Every rule that has jobs, upstream first."""
    return [rule for rule in _all_rules(config, Specs(config)) if rule.jobs]


def _all_rules(config: Config, specs: Specs) -> Iterator[Rule]:
    if config.data is not None:
        data = config.data
        images = data.train + data.heldout + data.evaluation
        stored = images * data.channels * data.size**2
        yield Rule("images", "data", 1, stored, f"{images:,} images")
    if "networks" in config.arms:
        yield from _network_rules(config, specs)
    if "toy" in config.arms:
        yield from _toy_rules(config)
    if "canvas" in config.arms:
        yield from _canvas_rules(config, specs)
    if "rivals" in config.arms:
        yield from _rival_rules(config)
    for entry in (*TABLES, *FIGURES):
        yield Rule(entry.rule, "analysis", len(specs.jobs(entry)))
    yield Rule("page", "report", 1)


def _network_rules(config: Config, specs: Specs) -> Iterator[Rule]:
    data, models, layers = config.data, list(specs.models.values()), specs.layers
    pixels = data.channels * data.size**2
    width = config.models.width
    weights = sum(4 * parameters(model.architecture, width) for model in models)
    trunks = len(specs.training.seeds) if specs.trains else 0
    trunk = 4 * trunks * parameters(models[0].architecture, width)
    yield Rule("trunk", "models", trunks, trunk, f"{trunks} networks")
    yield Rule("finetune", "models", len(specs.trained), weights, f"{len(models)} networks")
    yield Rule("convert", "models", len(specs.converted), weights, f"{len(models)} networks")
    evaluated = f"{len(models) * data.evaluation:,} images"
    yield Rule("predict", "models", len(models), 0, evaluated)
    methods = config.attacks.methods
    on = {name: len(method.epsilons) * specs.attacked(name) for name, method in methods.items()}
    adversarial = len(models) * sum(on.values())
    yield Rule("craft", "attacks", len(models) * len(methods),
               4 * adversarial * pixels, f"{adversarial:,} adversarial images")  # fmt: skip

    if config.attacks.least:
        flipped = f"{len(models) * config.attacks.least.images:,} images"
        yield Rule("least", "attacks", len(models), 0, flipped)
    if config.attacks.structure:
        looked = f"{len(models) * config.attacks.structure.images:,} perturbations"
        yield Rule("structure", "attacks", len(models), 0, looked)
    if config.attacks.exchange:
        exchanged = f"{len(models) ** 2 * config.attacks.exchange.images:,} predictions"
        yield Rule("exchange", "attacks", 1, 0, exchanged)

    kept, depth = config.activations.layers, len(layers)
    rows = len(models) * sum(kept.values()) * data.train
    values = sum(
        kept[layer] * width for layer, width in _hooks(specs)
    )  # per image, of all networks
    raw, clean = 4 * values * data.train, values * (2 * data.train + 4 * data.heldout)
    parts = len(models) * depth * len(specs.parts)
    yield Rule("part", "activations", parts, raw, f"{rows:,} raw rows, for a time")
    yield Rule("extract", "activations", len(models) * depth, clean, f"{rows:,} training rows")
    yield from _sae_rules(config, specs)
    shown = config.attacks.images + sum(on[name] for name in specs.probed)
    passed = f"{len(models) * depth * shown:,} clean and attacked images"
    yield Rule("measure", "probes", len(models) * depth, 0, passed)
    fallen = f"{len(models) * depth * config.attacks.images:,} attacked images"
    yield Rule("intervene", "probes", len(models) * depth, 0, fallen)
    defended = f"{len(models) * config.attacks.defence_images:,} images behind each reconstruction"
    yield Rule("defend", "probes", len(models), 0, defended)
    yield Rule("gallery", "probes", len(models), 0, f"{len(models) * depth} layers")


def _hooks(specs: Specs) -> list[tuple[Layer, int]]:
    """(layer, channels) of every layer of every network."""
    return [
        (layer, channels(model.architecture, specs.config.models.width)[layer])
        for model in specs.models.values()
        for layer in specs.layers
    ]


def _sae_rules(config: Config, specs: Specs) -> Iterator[Rule]:
    saes, hooks = config.saes, _hooks(specs)
    seeds = len(saes.seeds)
    sweep = seeds * sum(len(settings.sweep) for settings in saes.types.named.values())
    # each k once on whitened rows and once on the Gaussian surrogate
    substitutes = 2 * seeds * len(saes.baselines.k)
    # of one SAE per layer: bytes of its encoder and decoder, and rows that it is trained on
    weights = sum(8 * saes.layers[layer].expansion_factor * width**2 for layer, width in hooks)
    rows = sum(saes.layers[layer].rows for layer, _ in hooks)
    # the sweep is stored, and every member kept for reuse
    yield Rule("fit", "saes", len(hooks) * len(specs.sae_types), 2 * sweep * weights,
               f"{len(hooks) * sweep} SAEs, {sweep * rows:,} rows seen")  # fmt: skip
    yield Rule("baselines", "saes", len(hooks), substitutes * weights,
               f"{len(hooks) * substitutes} SAEs, {substitutes * rows:,} rows seen")  # fmt: skip


def _toy_rules(config: Config) -> Iterator[Rule]:
    toy = config.toy
    models = 2 * toy.densities.count * len(toy.seeds)
    samples = models * toy.steps * toy.batch_size
    stored = 4 * models * toy.features * (toy.hidden + 1)
    yield Rule("train", "toy", 1, stored, f"{models} toy models, {samples:,} samples")
    yield Rule("vulnerability", "toy", 1)
    yield Rule("geometry", "toy", 1)


def _canvas_rules(config: Config, specs: Specs) -> Iterator[Rule]:
    canvas = config.canvas
    times = len(canvas.regimes) * len(canvas.seeds)
    networks = times * sum(len(members(canvas, family)) for family in canvas.trained)
    flipped = times * sum(len(members(canvas, family)) for family in canvas.families)
    # of one network: bottleneck and decoder, and a trunk that is small beside them
    stored = 4 * times * sum(
        member["cells"] * member["dimensions"] * (1 + (regime.detectors or canvas.trunk.features))
        for regime in canvas.regimes.values()
        for family in canvas.trained
        for member in members(canvas, family)
    ) // len(canvas.regimes)  # fmt: skip
    seen = networks * canvas.training.steps * canvas.training.batch_size
    yield Rule("learn", "canvas", times * len(canvas.trained), stored,
               f"{networks} networks, {seen:,} canvases seen")  # fmt: skip
    yield Rule("flip", "canvas", times * len(canvas.families), 0,
               f"{flipped * canvas.flips.pairs:,} features to flip")  # fmt: skip
    yield Rule("transfer", "canvas", len(canvas.regimes) * ("transfer" in specs.has))
    yield Rule("calibrate", "canvas", times * ("ruler" in specs.has))
    if canvas.mount:
        jobs = len(specs.models) * len(canvas.regimes)
        pairs = jobs * len(canvas.mount.doses) * canvas.mount.flips.pairs
        yield Rule("mount", "canvas", jobs, 0, f"{pairs:,} features to flip")


def _rival_rules(config: Config) -> Iterator[Rule]:
    rivals, data = config.rivals, config.data
    seeds, hidden, classes = (
        len(rivals.seeds),
        rivals.bottlenecks.hidden,
        rivals.bottlenecks.classes,
    )
    trained, widest = classifiers(rivals.bottlenecks), max(rivals.bottlenecks.widths)
    # of one classifier: hidden units, bottleneck and class vectors, as wide as the widest of its stack
    one = (data.channels * data.size**2 + 1) * hidden + (hidden + classes) * widest + classes
    aimed = f"{seeds * len(trained) * rivals.bottlenecks.attack.images:,} attacked images"
    counted = rivals.abundance
    taught = seeds * (1 + len(counted.epsilons))
    mlps, kept = taught * len(counted.widths) * len(counted.classes), taught * len(counted.widths)
    # of those of most classes: hidden units, class vectors, and the latents of an SAE, of all widths
    inputs, most = data.channels * data.size**2, max(counted.classes)
    arrays = sum(
        (inputs + 1 + most) * width + most + (width + 1) * counted.sae.expansion_factor * width
        for width in counted.widths
    )
    yield Rule("classify", "rivals", seeds, 4 * seeds * len(trained) * one,
               f"{seeds * len(trained)} classifiers")  # fmt: skip
    yield Rule("aim", "rivals", 1, 0, aimed)
    sources = 1 + len(rivals.relearning.epsilons)
    learners = f"{seeds * 2 * (sources + 1)} MLPs that learn from attacks and noise"
    yield Rule("count", "rivals", seeds, 4 * taught * arrays, f"{mlps} MLPs")
    yield Rule("overlap", "rivals", 1, 0, f"{kept * (kept - 1):,} ordered pairs of MLPs")
    yield Rule("relearn", "rivals", seeds, 0, learners)


def missing(config: Config) -> list[str]:
    """What the experiment reads and this machine lacks, one line each; a run would end there."""
    data, source, lines = config.data, config.models, []
    if data is not None and data.root is not None and not Path(data.root).expanduser().is_dir():
        lines.append(f"missing here: data.root, {data.root}: no folder with {data.dataset}")
    if isinstance(source, Hub) and source.folder is not None:
        folder = Path(source.folder).expanduser()
        files = [CHECKPOINTS[name].file for name in source.checkpoints]
        lacking = [name for name in files if not (folder / name).is_file()]
        if lacking:
            lines.append(
                f"missing here: models.folder, {source.folder}, lacks {len(lacking)} of "
                f"{len(files)} checkpoints: {', '.join(lacking[:3])}{', …' * (len(lacking) > 3)}"
            )
    if isinstance(source, Files):
        for name, network in source.networks.items():
            if not Path(network.file).expanduser().is_file():
                lines.append(f"missing here: models.networks.{name}.file, {network.file}")
    if config.canvas is not None and config.canvas.ruler is not None:
        for name in config.canvas.ruler.measures:
            if foreign_path(name.partition(":")[0]) is None:
                lines.append(
                    f"missing here: canvas.ruler.measures, {name}: no module that Python finds"
                )
    return lines


def describe(config: Config) -> str:
    """The plan as text: one line per rule, then the sum."""
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
