"""What a run will do and cost, from the config alone: jobs a room, rows, bytes."""

from dataclasses import dataclass

from interference.config.facts import ARCHITECTURES, PARAMETERS, positions
from interference.config.schema import Config
from interference.config.specs import Specs


@dataclass(frozen=True)
class Room:
    """jobs; rows: what the room handles most of; stored: bytes under results/."""

    name: str
    jobs: int
    rows: str
    stored: int


def rooms(config: Config) -> list[Room]:
    """One entry a room, upstream first. Bytes count arrays and weights, not tables or logs."""
    specs = Specs(config)
    models, depth, types = len(specs.models), len(specs.layers), len(specs.sae_types)
    plan, tables, figures = [], 1, 0  # the claims
    if "networks" in config.arms:
        plan += _networks(config, specs)
        tables += 6
        figures += 3 + depth + types + models
    if "toy" in config.arms:
        plan.append(_toy(config))
        tables += 1
        figures += 7
    jobs = 2 * models + tables + figures  # L0 and splices
    return [*plan, Room("analysis", jobs, f"{figures} figures", 0)]


def _networks(config: Config, specs: Specs) -> list[Room]:
    models, types = len(specs.models), len(specs.sae_types)
    layers, depth = specs.layers, len(specs.layers)
    data, methods = config.data, list(config.attacks.methods.values())
    pixels = data.channels * data.size**2
    images = data.train + data.heldout + data.evaluation
    grid = sum(len(m.epsilons) for m in methods)
    attacked = grid * config.attacks.images
    widths = ARCHITECTURES[config.models.architecture]
    sizes = positions(data.size, config.models.stem)
    kept = config.activations.layers
    sweeps = sum(len(settings.sweep) for settings in config.saes.types.named.values())
    # each k once on whitened rows and once on the Gaussian surrogate
    members = (sweeps + 2 * len(config.saes.baselines.k)) * len(config.saes.seeds)
    # the sweeps are stored, and all members kept for reuse
    matrices = sweeps * len(config.saes.seeds) + members
    rows = sum(kept[layer] for layer in layers) * data.train
    clean_bytes = sum(
        kept[layer] * widths[layer] * (2 * data.train + 4 * data.heldout) for layer in layers
    )
    attacked_bytes = sum(
        4 * (grid + 1) * config.attacks.images * sizes[layer] * widths[layer] for layer in layers
    )
    weights = sum(8 * config.saes.layers[n].expansion_factor * widths[n] ** 2 for n in layers)
    fitted = sum(config.saes.layers[layer].rows for layer in layers) * models * members
    trained = models + len(config.models.seeds)
    return [
        Room("data", 1, f"{images:,} images", images * pixels),
        Room("models", trained, f"{trained} networks", 4 * trained * PARAMETERS[config.models.architecture]),
        Room("attacks", models * len(methods), f"{models * attacked:,} adversarial images",
             4 * models * attacked * pixels),
        Room("activations", models * (depth + 1), f"{models * rows:,} training rows",
             models * (clean_bytes + attacked_bytes)),
        Room("saes", models * depth * (types + 1),
             f"{models * depth * members} SAEs, {fitted:,} rows seen",
             models * weights * matrices),
    ]  # fmt: skip


def _toy(config: Config) -> Room:
    toy = config.toy
    stack = 2 * toy.densities.count * len(toy.seeds)
    samples = stack * toy.steps * toy.batch_size
    stored = 4 * stack * toy.features * (toy.hidden + 1)
    return Room("toy", 3, f"{stack} toy models, {samples:,} samples", stored)


def describe(config: Config) -> str:
    """The plan as text."""
    plan = rooms(config)
    lines = [f"experiment {config.experiment}: the whole of it, whatever is already done"]
    lines += [f"  {r.name:12s}{r.jobs:6d} jobs {_bytes(r.stored):>9s}   {r.rows}" for r in plan]
    jobs, stored = sum(r.jobs for r in plan), sum(r.stored for r in plan)
    lines.append(
        f"  {'in all':12s}{jobs:6d} jobs {_bytes(stored):>9s}   under results/{config.experiment}"
    )
    return "\n".join(lines)


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 1000 or unit == "TB":
            return f"{count:.3g} {unit}"
        count /= 1000
    raise AssertionError
