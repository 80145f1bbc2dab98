"""The work of each rule: floating-point operations, and pictures where they are decoded.

A multiply-add is two operations. An attack's step costs two forward passes of the network, a training step
three (the gradients of inputs and of weights cost one each). An SAE of any type costs the dense 10 d h per
row and member. Tables, figures, spectra and toy evaluation are left out: they take seconds per job.
"""

from collections.abc import Iterator, Mapping
from itertools import product

from interference.config.canvas import members, pixels
from interference.config.facts import channels, operations, positions
from interference.config.rivals import members as classifiers
from interference.config.schema import Config
from interference.config.values import DISPLACED, Layer
from interference.plan.specs import Specs

#: Operations per toy sample, clean and adversarial (the attack's gradient is the clean backward pass).
TOY = 20_000 + 33_600
#: Forward passes from a layer on of each image whose latents are intervened on: eight sets, put back and
#: put in, and the clean image.
OUTCOMES = 17
#: Forward passes of each image whose least change is found by then: its end, and eight halvings.
BISECTED = 9
#: Clean images at most that a gallery chooses from.
CANDIDATES = 2000
#: Canvases of a training step that are attacked, where any are (`canvas.train`).
UNDER_ATTACK = 32
#: Canvases on which superposition is measured, and draws of noise per pair (`canvas.flip`, `canvas.noise`).
MEASURED, DRAWS = 400, 8


def passes(config: Config, architecture: str) -> dict[str, float]:
    """Operations of a forward pass of one image, up to each hook and to the logits."""
    models = config.models
    return operations(architecture, models.width, models.stem, config.data.size)


def work_of(config: Config) -> dict[str, float]:
    """Rule → work of all its jobs; SAEs are split by type, as in fit/topk."""
    amounts: dict[str, float] = {}
    if "networks" in config.arms:
        for rule, amount in _network_work(config, Specs(config)):
            amounts[rule] = amounts.get(rule, 0.0) + amount
    if "toy" in config.arms:
        toy = config.toy
        models = toy.densities.count * len(toy.seeds)
        amounts["train"] = float(models * toy.steps * toy.batch_size * TOY)
    if "canvas" in config.arms:
        amounts |= _canvas_work(config)
        if config.canvas.mount:
            amounts["mount"] = _mounted_work(config, Specs(config))
    if "rivals" in config.arms:
        amounts |= _rival_work(config)
    if config.data is not None and config.data.pictures:
        data = config.data
        amounts["images"] = float(data.train + data.heldout + data.evaluation)
    return amounts


def _canvas_work(config: Config) -> dict[str, float]:
    """Rule → work on canvases: training, and the steps towards least changes of all pixels and of all
    but the own cell's; those of one cell, of transfers and of proxies are left out.

    Of a network a pass is the trunk on each cell (every pixel into 16 channels, 16 places into 16
    channels each, 64 values into the features), its evidence into the bottleneck, and the decoder."""
    canvas, data = config.canvas, config.data
    trained = flipped = 0.0
    for regime, family in product(canvas.regimes.values(), canvas.trained):
        for member in members(canvas, family):
            cells, m = member["cells"], member["dimensions"]
            trunk = 32 * (pixels(canvas, data.channels, data.size) / canvas.cells + 256)
            trunk += 128 * canvas.trunk.features
            evidence = regime.detectors or canvas.trunk.features
            once = cells * (trunk + 2 * evidence * m) + 2 * m * (regime.hidden or cells)
            steps = 3.0
            if member["attacked"]:
                share = min(UNDER_ATTACK / canvas.training.batch_size, 1)
                steps += share * (2 * canvas.adversarial.steps + 3)
            trained += steps * once * canvas.training.steps * canvas.training.batch_size
            if family in canvas.families:
                flips = canvas.flips
                flipped += 2 * 2 * once * flips.pairs * flips.steps * flips.starts
    return {"learn": len(canvas.seeds) * trained, "flip": len(canvas.seeds) * flipped}


def _mounted_work(config: Config, specs: Specs) -> float:
    """Work of all bottlenecks on frozen networks: passes of single images, of noise and of what is
    measured, and the steps towards least changes of all pixels, of the own cell and of all others."""
    canvas, data, mount = config.canvas, config.data, config.canvas.mount
    single = data.train + data.heldout + data.evaluation
    once = 2 * MEASURED + DRAWS * mount.flips.pairs
    steps = 2 * (2 * mount.cells + 1) * mount.flips.pairs * mount.flips.steps * mount.flips.starts
    images = single + len(mount.doses) * (once * mount.cells + steps)
    networks = specs.models.values()
    passed = sum(passes(config, network.architecture)["logits"] for network in networks)
    return len(canvas.regimes) * images * passed


def _rival_work(config: Config) -> dict[str, float]:
    """Rule → work on networks of the preprint's rivals: training, half of it under attack where there is
    one, SAEs, attacks that networks learn from or that are shown to each other, and matching of latents;
    attacks on classifiers are left out. A pass is that of the first layer."""
    rivals, data = config.rivals, config.data
    seen = len(rivals.seeds) * rivals.training.steps * rivals.training.batch_size
    once = 2 * data.channels * data.size**2

    def passes(steps: int, epsilon: float) -> int:
        return 6 + 2 * steps if epsilon else 3

    bottlenecks, counted = rivals.bottlenecks, rivals.abundance
    taught = sum(passes(bottlenecks.steps, own["epsilon"]) for own in classifiers(bottlenecks))
    mlps = sum(passes(counted.steps, epsilon) for epsilon in (0.0, *counted.epsilons))
    units, sae = sum(counted.widths), counted.sae
    squares = sum(width**2 for width in counted.widths) * sae.expansion_factor
    rows = len(rivals.seeds) * sae.steps * sae.batch_size * (1 + 2 * len(counted.epsilons))
    lesson = rivals.relearning
    sources = (0.0, *lesson.epsilons)
    # two kinds of targets: each source's attacks, and who learns from these and from noise
    learned = sum(passes(lesson.steps, epsilon) for epsilon in sources) + 3 * 2 * (len(sources) + 1)
    crafted = len(rivals.seeds) * len(sources) * 2 * data.train * 2 * lesson.attack.steps
    # MLPs of most classes: each is attacked, and sees what all others are attacked with
    shown, networks = rivals.overlap.attack, len(rivals.seeds) * (1 + len(counted.epsilons))
    passed = shown.images * (networks * len(counted.widths) + 2 * shown.steps)
    correlated = data.train * networks * units * sae.expansion_factor**2
    return {
        "overlap": float(networks * units * (once * passed + correlated)),
        "classify": float(taught * once * bottlenecks.hidden * seen),
        "count": float(len(counted.classes) * (mlps * once * units * seen + 12 * squares * rows)),
        "relearn": float(once * lesson.hidden * (learned * seen + crafted)),
    }


def _network_work(config: Config, specs: Specs) -> Iterator[tuple[str, float]]:
    """(rule, work) of everything that the arm of networks does; a rule comes several times."""
    data, attacked = config.data, config.attacks.images
    if specs.trains:
        training = specs.training
        epoch = 3 * passes(config, training.architecture)["logits"] * data.train
        yield "trunk", len(training.seeds) * training.trunk.epochs * epoch
        yield "finetune", len(specs.models) * training.finetune.epochs * epoch
        robust = sum(model.epsilon > 0 for model in specs.models.values())
        attack = training.finetune.attack.steps * 2 / 3
        yield "finetune", robust * training.finetune.epochs * attack * epoch
    methods = config.attacks.methods
    conditions = attacked * (1 + sum(len(methods[name].epsilons) for name in specs.probed))
    for model in specs.models.values():
        to = passes(config, model.architecture)
        yield "predict", data.evaluation * to["logits"]
        for name, method in methods.items():
            scored = len(method.epsilons) * specs.attacked(name) * to["logits"]
            yield "craft", (2 * method.gradients + 2) * scored
        if config.attacks.least:
            flips = config.attacks.least
            yield "least", (2 * flips.steps + BISECTED) * flips.images * to["logits"]
        if config.attacks.structure:
            yield "structure", 2 * config.attacks.structure.images * to["logits"]
        if config.attacks.exchange:
            shown = config.attacks.exchange.images
            yield "exchange", (len(specs.models) + 1) * shown * to["logits"]
        sizes = positions(data.size, config.models.stem, model.architecture)
        for layer in specs.layers:
            if specs.parts:
                yield "part", data.train * to[layer]
                yield "extract", data.heldout * to[layer]
            else:
                yield "extract", (data.train + data.heldout) * to[layer]
            dense = channels(model.architecture, config.models.width)[layer] ** 2
            dense *= config.saes.layers[layer].expansion_factor
            rest = to["logits"] - to[layer]
            # clean images also go on from the layer, as they are and with its mean in place
            yield "measure", conditions * to[layer] + attacked * (to["logits"] + rest)
            displaced = attacked * len(DISPLACED)
            yield from _sae_work(config, layer, dense, conditions + displaced, sizes[layer], rest)
            sweeps = len(specs.sae_types) * len(config.saes.seeds)
            onward = OUTCOMES * (rest + 2 * dense * sizes[layer])
            yield "intervene", attacked * (2 * to[layer] + sweeps * onward)
            # clean, attacked and under noise, with all latents; again attacked, and candidates, with few
            seen = 4 * attacked + min(data.evaluation, max(CANDIDATES, attacked))
            yield "gallery", seen * to[layer] + 3 * attacked * 2 * dense * sizes[layer]
        yield "defend", _defence_work(specs, to, sizes, model.architecture)


def _defence_work(
    specs: Specs, to: dict[str, float], sizes: Mapping[str, int], architecture: str
) -> float:
    """Work of the defences of one network: attacked through, and scored three times.

    to: operations of a forward pass up to each hook and to the logits; sizes: positions at each hook.
    """
    config = specs.config
    widths = channels(architecture, config.models.width)
    passed = to["logits"]  # by the network as it is
    for layer in specs.layers:
        codes = 4 * widths[layer] ** 2 * config.saes.layers[layer].expansion_factor * sizes[layer]
        members = len(config.saes.baselines.k) * len(config.saes.seeds)
        passed += members * (2 * to["logits"] + codes)  # by the SAE, and by PCA
    gradients = config.attacks.methods[specs.headline].gradients
    return config.attacks.defence_images * (2 * gradients + 4) * passed


def _sae_work(
    config: Config, layer: Layer, dense: int, conditions: int, size: int, rest: float
) -> Iterator[tuple[str, float]]:
    """(rule, work) of the SAEs of one layer of one network.

    dense: channels times latents.
    conditions: images whose latents are measured: clean, attacked and displaced.
    size: positions per image.
    rest: operations of a forward pass of one image beyond the layer.
    """
    saes, attacked = config.saes, config.attacks.images
    for name, settings in saes.types.named.items():
        members = len(settings.sweep) * len(saes.seeds)
        yield f"fit/{name}", 10 * dense * saes.layers[layer].rows * members
        yield "measure", 4 * dense * conditions * size * members
        yield "measure", attacked * members * (4 * dense * size + rest)
    substitutes = 2 * len(saes.baselines.k) * len(saes.seeds)
    yield "baselines", 10 * dense * saes.layers[layer].rows * substitutes
