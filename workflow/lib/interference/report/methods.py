"""What was asked and how it was measured, in sentences made of the config."""

from collections.abc import Iterator

from interference.analysis.frames import SAE_TYPES
from interference.report.charts.base import NORMS

#: type of an attack → how it is written
TYPES = {
    "fgsm": "FGSM",
    "pgd": "PGD",
    "apgd": "Auto-PGD",
    "apgd_targeted": "targeted Auto-PGD",
    "square": "Square",
    "strongest": "the worst of an ensemble like AutoAttack’s",
    "noise": "noise of the same norm",
    "shuffled": "perturbations shuffled among images",
    "transferred": "perturbations of another network",
    "frequency": "noise of one band of frequencies",
    "corruption": "a corruption",
}


def asked(config: dict) -> str:
    """One paragraph: the question, and by what means this experiment asks it."""
    means = []
    if "toy" in config:
        toy = config["toy"]
        means.append(
            f"in toy models, {toy['features']} features in {toy['hidden']} dimensions, where "
            "superposition follows from how sparse the features are"
        )
    if "canvas" in config:
        means.append(
            f"in networks that read {config['canvas']['cells']} real images at once through a "
            "bottleneck, where superposition is a dose that we set"
        )
    if "rivals" in config:
        bottlenecks = config["rivals"]["bottlenecks"]
        means.append(
            f"in classifiers that tell {bottlenecks['classes']} classes apart through a few dimensions, where "
            "the geometry of class vectors may foretell attacks, and in MLPs, whose features adversarial "
            "training may take or add"
        )
    if "models" in config:
        means.append(
            "in image networks trained against attacks of growing radius ε, whose activations sparse "
            "autoencoders (SAEs) take apart, clean and under attack"
        )
    return (
        "Networks seem to store more features than they have dimensions, as directions that overlap a "
        "little: superposition. Gorton & Lewis (arXiv 2508.17456) argue that this interference is what "
        f"adversarial perturbations exploit. This experiment asks it {'; '.join(means)}. Beside everything "
        "that an attack does stands what a control as strong does, and a claim is held against an "
        "interval by a rule that was fixed before the run."
    )


def methods(config: dict) -> Iterator[tuple[str, list[str]]]:
    """Yield a heading and its paragraphs, of each part of the experiment."""
    if "data" in config:
        yield "Images", [_images(config)]
    if "toy" in config:
        yield "Toy models", _toy(config["toy"])
    if "canvas" in config:
        yield "Canvases", _canvas(config["canvas"])
    if "rivals" in config:
        yield "Rivals", _rivals(config["rivals"])
    if "models" in config:
        yield "Networks and attacks", [_networks(config["models"]), _attacks(config["attacks"])]
        yield "Sparse autoencoders", [_saes(config)]
    yield "Statistics", _statistics(config)


def _labels(data: dict) -> str:
    """Which classes there are and where labels come from, where they are not all the dataset's own."""
    classes = f", its first {data['classes']} classes" if "classes" in data else ""
    shuffled = ", with labels that were shuffled among them, a null" if "labels" in data else ""
    return classes + shuffled


def _images(config: dict) -> str:
    data, uses = config["data"], {"models": "score SAEs", "canvas": "set thresholds of canvases"}
    held = _list([use for section, use in uses.items() if section in config] or ["are held out"])
    size = f", {data['image_size']} pixels a side" if data["image_size"] else ""
    return (
        f"Images are of {data['dataset']}{size}{_labels(data)}, pixels in [0, 1]: {data['train']:,} train networks and "
        f"SAEs, {data['heldout']:,} {held}, {data['evaluation']:,} test images give accuracies and "
        f"are attacked (split with seed {data['seed']})."
    )


def _toy(toy: dict) -> list[str]:
    densities, adversarial, evaluation = toy["densities"], toy["adversarial"], toy["evaluation"]
    return [
        f"Toy models (Elhage et al. 2022) store {toy['features']} features in {toy['hidden']} "
        f"dimensions, at {densities['count']} densities from {densities['max']:g} to "
        f"{densities['min']:g} and with {_seeds(toy['seeds'])}: {toy['steps']:,} steps of Adam at "
        f"{toy['learning_rate']:g} on batches of {toy['batch_size']}. Each is trained twice, clean and "
        f"adversarially, with {adversarial['weight']:g} of the loss on inputs attacked with radius "
        f"{adversarial['relative_epsilon']:g} of an input’s norm.",
        f"Models are attacked with radius {evaluation['relative_epsilon']:g} of the mean norm on "
        f"{evaluation['samples']:,} inputs each, of their own density and of density "
        f"{evaluation['common_density']:g}: one step as in the preprint, the analytic attack, PGD with "
        f"{evaluation['pgd']['starts']} starts of {evaluation['pgd']['steps']} steps, a trust region; "
        "the strongest of all, and a certified upper bound. Control: clean models shrunk to the "
        "length of adversarially trained ones, their biases refitted.",
    ]


def _canvas(canvas: dict) -> list[str]:
    regimes = _list([
        f"{name} ({regime['classes']} classes, density {regime['density']:g}, "
        + (f"decoder with {regime['hidden']} hidden units)" if regime["hidden"] else "linear decoder)")
        for name, regime in canvas["regimes"].items()
    ])  # fmt: skip
    doses = _numbers(canvas["doses"])
    training, flips = canvas["training"], canvas["flips"]
    lines = [
        f"A canvas is a grid of {canvas['cells']} real images, each a feature that is on or off; a "
        f"network reads all through one linear bottleneck. Doses, features per dimension: {doses}, "
        f"with {_seeds(canvas['seeds'])}; regimes: {regimes}; families: "
        f"{_list([*canvas['families']])}. Networks train for {training['steps']:,} steps on batches of "
        f"{training['batch_size']}.",
        f"Of {flips['pairs']} pairs of a canvas and a feature the least L2 change that flips the feature "
        f"is sought with {_several(flips['starts'], 'start')} of {flips['steps']} steps: over all cells, "
        "over its own, over all others.",
    ]
    if canvas.get("adversarial"):
        radii = _numbers(canvas["adversarial"]["epsilons"])
        lines.append(f"Adversarial training at radii {radii}.")
    return lines


def _rivals(rivals: dict) -> list[str]:
    training, bottlenecks, mlps = rivals["training"], rivals["bottlenecks"], rivals["abundance"]
    attack, sae, lesson = bottlenecks["attack"], mlps["sae"], rivals["relearning"]
    shown = rivals["overlap"]["attack"]
    return [
        f"Classifiers (Stevinson et al. 2025) read images of {bottlenecks['classes']} classes through "
        f"{bottlenecks['hidden']} hidden units and a linear bottleneck of "
        f"{_numbers(bottlenecks['widths'])} dimensions. Class vectors are learned, or forced onto a ring in "
        f"{_several(bottlenecks['frames'], 'order')} that all seeds share. Each is attacked by "
        f"{_several(attack['steps'], 'step')} of PGD at L2 ε = {attack['epsilon']:g} on {attack['images']:,} "
        "evaluation images at most, those that it has right; what geometry foretells is named before the "
        "attack. Attacks pass on to classifiers of other seeds.",
        f"MLPs (Bereska et al. 2025) of {_numbers(mlps['widths'])} hidden units tell "
        f"{_numbers(mlps['classes'])} classes apart. Effective features F = exp(H) are counted on "
        f"{mlps['rows']:,} clean images, and on as many attacked ones, by a tied SAE of "
        f"{_several(sae['expansion_factor'], 'latent')} per unit (penalty {sae['l1']:g}); beside it the units "
        "themselves are counted. How much each latent and unit is about one thing is read off their activity "
        "over classes, and off the pixels of images that they answer, beside random directions as sparse.",
        f"The MLPs of {max(mlps['classes'])} classes are attacked by {_several(shown['steps'], 'step')} of PGD at "
        f"L∞ ε = {shown['epsilon']:g} on {shown['images']:,} evaluation images at most, and shown to each other. "
        "How alike two are is said by CKA of their hidden units, and by their SAEs, whose latents are matched on "
        "training images one to one (Li et al. 2016).",
        f"Who learns from attacks (Ilyas et al. 2019): MLPs of {lesson['hidden']} hidden units, from training "
        f"images of {lesson['classes']} classes that {_several(lesson['attack']['steps'], 'step')} of targeted "
        f"PGD at L∞ ε = {lesson['attack']['epsilon']:g} turned towards a class that is drawn, or towards the "
        "one after their own, labelled so; beside them those that learn from noise as large. They are asked "
        "about clean evaluation images. The attacked MLPs are clean, or trained at L∞ ε of "
        f"{_numbers(lesson['epsilons'])}.",
        f"All are trained with {_seeds(rivals['seeds'])} for {training['steps']:,} steps on batches of "
        f"{training['batch_size']}, clean and against attacks: classifiers at L2 ε of "
        f"{_numbers(bottlenecks['epsilons'])}, MLPs at L∞ ε of {_numbers(mlps['epsilons'])}.",
    ]


def _networks(models: dict) -> str:
    if models["source"] != "trained":
        names = [*models.get("checkpoints", models.get("networks", {}))]
        return f"{_several(len(names), 'network')} come from files: {_list(names)}."
    radii = [
        f"{NORMS[norm]} ε ∈ {{{', '.join(f'{epsilon:.3g}' for epsilon in epsilons)}}}"
        for norm, epsilons in models["epsilons"].items()
        if epsilons
    ]
    attack = models["finetune"]["attack"]
    width = f" with {models['width']} channels in the stem" if models["width"] else ""
    return (
        f"Networks are {models['architecture']}{width}: clean training for "
        f"{_several(models['trunk']['epochs'], 'epoch')}, then {models['finetune']['epochs']} more, "
        f"clean or against attacks ({_several(attack['steps'], 'step')}) at {_list(radii)}, with "
        f"{_seeds(models['seeds'])}."
    )


def _attacks(attacks: dict) -> str:
    methods = [
        f"{name} ({TYPES.get(method['type'], method['type'])}"
        + (f", {method['steps']} steps" if "steps" in method else "")
        + f", {NORMS[method['norm']]} {', '.join(f'{e:.3g}' for e in method['epsilons'])})"
        for name, method in attacks["methods"].items()
    ]
    return (
        f"Attacks and controls, on {attacks['images']:,} evaluation images: {_list(methods)}. Behind "
        f"reconstructions {attacks['defence_images']:,} images are attacked. Seed {attacks['seed']}."
    )


def _saes(config: dict) -> str:
    saes, layers = config["saes"], [*config["activations"]["layers"]]
    types = _list([
        f"{SAE_TYPES[name]}, sweep {_numbers(_sweep(settings))}"
        for name, settings in saes["types"].items() if settings
    ])  # fmt: skip
    baselines = saes["baselines"]
    return (
        f"SAEs take standardised activations of {_list(layers)}. Types: {types}; "
        f"{_seeds(saes['seeds'])}. Beside {SAE_TYPES[baselines['type']]} at k = "
        f"{_list([str(k) for k in baselines['k']])} stand PCA, and the same SAEs on whitened rows and on "
        "rows of a Gaussian with the layer’s mean and covariance. SAEs are compared at equal measured "
        "L0, on images that neither they nor networks have seen."
    )


def _sweep(settings: dict) -> list:
    """The sweep of an SAE type: its first setting, a list."""
    return next(value for value in settings.values() if isinstance(value, list))


def _statistics(config: dict) -> list[str]:
    analysis = config["analysis"]
    lines = [
        "A verdict follows from an interval and a rule: reproduced where all of the interval is where "
        "the claim says, not reproduced where all of it is elsewhere or the effect is less than half of "
        "a reported size, no effect where all of it is among effects too small to matter, else undecided."
    ]
    if "models" in config:
        lines.append(
            f"Intervals of networks are of a bootstrap with {analysis['resamples']:,} draws (seed "
            f"{analysis['seed']}) over images and, where there are several, over trainings, at "
            f"{analysis['confidence']:.0%}. Of one training a claim holds or fails here, in this "
            "network; what another training gives is not known. Results over ε are an association: ε "
            "moves accuracy, too."
        )
    if "toy" in config:
        lines.append("Intervals of toy models are the extremes of the seeds.")
    if "canvas" in config:
        lines.append(
            "Intervals of canvases are Student’s over seeds; of rank correlations, extremes."
        )
    if "rivals" in config:
        lines.append("Intervals of classifiers and MLPs are Student’s over seeds.")
    return lines


def _seeds(seeds: list) -> str:
    return _several(len(seeds), "seed")


def _several(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _numbers(values: list) -> str:
    return _list([f"{value:g}" for value in values])


def _list(words: list[str]) -> str:
    """Words with commas, and an and."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
