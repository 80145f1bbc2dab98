"""Checks that no section can do alone: values of different sections that do not go together."""

import math
from collections.abc import Iterator
from typing import Any

from interference.config.attacks import ATTACKS
from interference.config.canvas import pixels
from interference.config.facts import BLOCK, channels, positions
from interference.config.model import models_of, source_of
from interference.config.rivals import disagreements
from interference.config.values import DISPLACED

#: Classes of MadryLab's networks.
IMAGENET_CLASSES = 1000
#: The sections of the arm of networks: all are there, or none is.
NETWORKS = ("data", "models", "attacks", "activations", "saes")


def problems(config: Any) -> list[str]:
    """One line per problem of a `schema.Config`: its field, what was found, the mend."""
    lacking = [*_arms(config)]
    if lacking:
        return lacking
    own = [*_canvas(config)] if "canvas" in config.arms else []
    own += [*_rivals(config)] if "rivals" in config.arms else []
    if "networks" not in config.arms:
        return own
    return [
        *own,
        *_channels(config),
        *_labels(config),
        *_radii(config),
        *_attacks(config),
        *_classes(config),
        *_controls(config),
        *_layers(config),
        *_saes(config),
    ]


def _arms(config: Any) -> Iterator[str]:
    reading = {"canvas": config.canvas, "rivals": config.rivals}
    reading = {name: section for name, section in reading.items() if section is not None}
    if reading and config.data is None:
        yield f"data: missing, but found {' and '.join(reading)}, made of its images; add it"
    shared = ("data",) if reading else ()
    own = [name for name in NETWORKS if name not in shared]
    present = [name for name in own if getattr(config, name) is not None]
    missing = [name for name in own if name not in present]
    if present and missing:
        yield (
            f"{', '.join(missing)}: missing, but found {', '.join(present)}; networks need all of "
            f"{', '.join(NETWORKS)}: add what is missing (config.yaml shows every key), or remove "
            f"{', '.join(present)} for an experiment without them"
        )
    if not present and config.toy is None and not reading:
        yield (
            f"toy: missing, and so are {', '.join(NETWORKS)}, canvas and rivals; add toy (toy models), "
            "data and canvas (canvases) or rivals, all of the others (networks), or several; config.yaml "
            "shows every key"
        )


def _canvas(config: Any) -> Iterator[str]:
    """Canvases that the dataset's images cannot make up, and radii too large for them."""
    canvas, data, known = config.canvas, config.data, config.data.class_count
    for name, regime in canvas.regimes.items():
        if known is not None and regime.classes > known:
            yield (
                f"canvas.regimes.{name}.classes: found {regime.classes}, but there are {known}; write "
                "that or less"
            )
    if canvas.mount and "networks" not in config.arms:
        others = ", ".join(name for name in NETWORKS if name != "data")
        yield (
            "canvas.mount: found, but no networks to mount bottlenecks on; "
            f"add {others}, or leave mount out"
        )
    if canvas.halved and data.size % 2:
        yield (
            f"canvas.halved: images of {data.size} pixels a side have no half; write false, or an even "
            "data.image_size"
        )
    diameter = math.sqrt(pixels(canvas, data.channels, data.size))
    for radius in canvas.adversarial.epsilons if canvas.adversarial else []:
        if radius > diameter:
            yield (
                f"canvas.adversarial.epsilons: found {radius:g}; pixels are in [0, 1], so l2 radii of a "
                f"canvas are at most {diameter:g}; write {radius / 255:.6g} if pixels of 0 to 255 were "
                "meant"
            )


def _rivals(config: Any) -> Iterator[str]:
    data = config.data
    pixels = data.channels * data.size**2
    yield from disagreements(config.rivals, data.class_count, pixels, data.evaluation)


def _channels(config: Any) -> Iterator[str]:
    channels, source = config.data.channels, config.models.source
    if source != "trained" and channels != 3:
        yield (
            f"models.source: {source} networks see three channels, {config.data.dataset} has "
            f"{channels}; name a dataset of colour images, or train networks here"
        )


def _labels(config: Any) -> Iterator[str]:
    """Fewer classes than a network tells apart, and labels that it cannot have learned."""
    source = config.models.source
    if source == "hub" and config.data.classes is not None:
        yield (
            f"data.classes: found {config.data.classes}, but hub networks tell all {IMAGENET_CLASSES} of "
            "ImageNet's apart; leave it out, or train networks here"
        )
    if source == "files" and config.data.classes is not None:
        for name, network in config.models.networks.items():
            if network.classes != config.data.classes:
                yield (
                    f"models.networks.{name}.classes: found {network.classes}, but data.classes is "
                    f"{config.data.classes}; write networks and data of the same classes"
                )
    if source != "trained" and config.data.labels is not None:
        yield (
            f"data.labels: found {config.data.labels}, but {source} networks have learned the dataset's; "
            "leave it out, or train networks here"
        )


def _radii(config: Any) -> Iterator[str]:
    """Radii that are too large for pixels in [0, 1]; mostly pixels of 0 to 255 were meant."""
    size = config.data.size
    diameter = {"linf": 1.0, "l2": math.sqrt(config.data.channels * size**2)}
    places = [
        (f"attacks.methods.{name}.epsilons", method.norm, method.epsilons)
        for name, method in config.attacks.methods.items()
    ]
    if config.models.source == "trained":
        places += [(f"models.epsilons.{n}", n, radii or []) for n, radii in config.models.epsilons]
    if config.models.source == "files":
        places += [
            (f"models.networks.{name}.epsilon", network.norm, [network.epsilon])
            for name, network in config.models.networks.items()
            if network.norm != "clean"
        ]
    for field, norm, radii in places:
        for radius in radii:
            if radius > diameter[norm]:
                whole = f"{radius:g}/255"
                mend = f"; write {whole} ({radius / 255:.6g}) if pixels of 0 to 255 were meant"
                yield (
                    f"{field}: found {radius:g}; pixels are in [0, 1], so {norm} radii of images of "
                    f"{config.data.channels} x {size} x {size} are at most {diameter[norm]:g}"
                    + (mend if radius / 255 <= diameter[norm] else "")
                )


def _attacks(config: Any) -> Iterator[str]:
    if config.attacks.images > config.data.evaluation:
        yield (
            f"attacks.images: {config.attacks.images} images to attack, but data.evaluation "
            f"has {config.data.evaluation}"
        )
    if config.attacks.defence_images > config.attacks.images:
        yield (
            f"attacks.defence_images: found {config.attacks.defence_images}, but attacks.images is "
            f"{config.attacks.images}; write that or less"
        )
    for name in ("least", "structure", "exchange"):
        section = getattr(config.attacks, name)
        if section and section.images > config.attacks.images:
            yield (
                f"attacks.{name}.images: found {section.images}, but attacks.images is "
                f"{config.attacks.images}; write that or less"
            )
    if config.attacks.exchange and len(models_of(config.models)) < 2:
        yield "attacks.exchange: one network has no other to show attacks to; leave it out"
    if "clean" in config.attacks.methods:
        yield "attacks.methods.clean: tables call the images as they are clean; rename it"
    for name in DISPLACED:
        if name in config.attacks.methods:
            yield (
                f"attacks.methods.{name}: in tables the name of activations displaced within a "
                "layer; rename it"
            )
    noises = {
        (m.norm, e)
        for m in config.attacks.methods.values()
        if m.type == "noise"
        for e in m.epsilons
    }
    for name, method in config.attacks.methods.items():
        if method.type != "noise":
            for epsilon in method.epsilons:
                if (method.norm, epsilon) not in noises:
                    yield (  # every ratio over noise needs its denominator
                        f"attacks.methods.{name}.epsilons: {method.norm} {epsilon:g} has no "
                        f"noise control; add a method of type noise with norm {method.norm} "
                        f"and epsilon {epsilon:g}"
                    )
    for norm in ("l2", "linf"):
        same = [n for n, m in config.attacks.methods.items() if (m.type, m.norm) == ("noise", norm)]
        if len(same) > 1:
            yield f"attacks.methods: {' and '.join(same)} are both {norm} noise; keep one"


def _classes(config: Any) -> Iterator[str]:
    """Methods that need more classes than there are, where that is known before the data is read."""
    if config.models.source == "files":
        known = [network.classes for network in config.models.networks.values()]
    else:
        hub = config.models.source == "hub"
        known = [IMAGENET_CLASSES if hub else config.data.class_count]
    for classes in known:
        for name, method in config.attacks.methods.items():
            if classes is not None and classes < method.classes:
                yield (
                    f"attacks.methods.{name}: needs {method.classes} classes, there are {classes}; "
                    "write fewer targets, or another loss or type"
                )


def _controls(config: Any) -> Iterator[str]:
    """Controls that are made of another method's images, and ensembles on fewer images."""
    methods = config.attacks.methods
    for name, method in methods.items():
        field = f"attacks.methods.{name}"
        if getattr(method, "images", 0) > config.attacks.images:
            yield (
                f"{field}.images: found {method.images}, but attacks.images is "
                f"{config.attacks.images}; write that or less"
            )
        if not hasattr(method, "of"):
            continue
        attacks = [n for n, m in methods.items() if m.type in ATTACKS]
        if method.of not in attacks:
            allowed = ", ".join(attacks) or f"none; add a method of type {', '.join(ATTACKS)}"
            yield f"{field}.of: found {method.of}, needs the name of an attack; allowed: {allowed}"
            continue
        of = methods[method.of]
        if method.norm != of.norm:
            yield f"{field}.norm: found {method.norm}, but {method.of} has {of.norm}; write that"
        for epsilon in method.epsilons:
            if epsilon not in of.epsilons:
                yield (
                    f"{field}.epsilons: found {epsilon:g}, which {method.of} has not; add it there, or "
                    f"write some of {', '.join(f'{e:g}' for e in of.epsilons)}"
                )
        if method.type == "transferred":
            yield from _other_networks(config, field, method.across)


def _other_networks(config: Any, field: str, across: str) -> Iterator[str]:
    """A network that another epsilon or seed has no network for, or one of other classes, one line for
    the first."""
    models = models_of(config.models)
    for model in models:
        source = source_of(model, models, across)
        if source is not None and config.models.source == "files":
            own, theirs = (config.models.networks[m.name].classes for m in (model, source))
            if own != theirs:
                yield (
                    f"{field}: {model.name} tells {own} classes apart, and {source.name}, whose images "
                    f"it would be shown, {theirs}; write networks of the same classes, or leave it out"
                )
                return
        if source is None:
            mend = {
                "seed": "add a second seed to models.seeds, or write across: epsilon",
                "epsilon": "add a clean network and one of another epsilon, or leave the method out",
            }[across]
            yield f"{field}.across: {model.name} has no network of another {across}; {mend}"
            return


def _layers(config: Any) -> Iterator[str]:
    blocks = -(-config.data.train // BLOCK)
    if config.activations.parts > blocks:
        yield (
            f"activations.parts: {config.activations.parts} parts, but data.train has {blocks} blocks of "
            f"{BLOCK} images to share; write {blocks} or less"
        )
    for architecture in config.models.architectures:
        sizes = positions(config.data.size, config.models.stem, architecture)
        for layer, count in config.activations.layers.items():
            if count > sizes[layer]:
                yield (
                    f"activations.layers.{layer}: {count} positions asked for, an image of "
                    f"{config.data.size} pixels has {sizes[layer]} there in {architecture}"
                )
    for layer in config.activations.layers:
        if layer not in config.saes.layers:
            yield f"saes.layers: {layer} is missing; every layer of activations.layers needs rows"
    for layer in config.saes.layers:
        if layer not in config.activations.layers:
            yield f"saes.layers.{layer}: no activations.layers.{layer} gives it rows"


def _saes(config: Any) -> Iterator[str]:
    for layer in config.activations.layers:
        names = config.models.architectures
        for width in sorted({channels(name, config.models.width)[layer] for name in names}):
            yield from _widths(config.saes, layer, width)
        training = config.saes.layers.get(layer)
        if training and training.rows < 10 * training.batch_size:
            yield (
                f"saes.layers.{layer}.rows: {training.rows} rows are fewer than ten batches of "
                f"{training.batch_size}"
            )


def _widths(saes: Any, layer: str, width: int) -> Iterator[str]:
    """Settings of SAEs that ``width`` channels are too few for."""
    for name, settings in saes.types.named.items():
        for k in getattr(settings, "k", []):
            if k >= width:
                yield (
                    f"saes.types.{name}.k: {k} is not below the {width} dimensions of {layer}; "
                    f"a sparse code needs k < {width}"
                )
    training, nested = saes.layers.get(layer), saes.types.matryoshka
    if training and nested:
        latents = width * training.expansion_factor
        ends = [0, *(round(prefix * latents) for prefix in nested.prefixes)]
        for prefix, start, end in zip(nested.prefixes, ends, ends[1:]):
            if start == end:
                yield (
                    f"saes.types.matryoshka.prefixes: {prefix:g} of the {latents} latents of "
                    f"{layer} adds none to what comes before it; each prefix needs one more"
                )
