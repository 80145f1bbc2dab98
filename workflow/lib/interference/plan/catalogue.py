"""The catalogue of steps, tables and figures: names, inputs, and places in the report.

A step has one name for its rule, its verb, its module and its folders of logs and benchmarks. The
rules, `rule all`, the specs, the plan, the command and the tests go through these entries. A new table
or figure is an entry here, a module of its name under `analysis/tables` or `analysis/figures`, and a
caption under `workflow/report` with the name of its rule.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from string import Formatter

#: Rooms with jobs, upstream first; each has its folder of results.
ROOMS = {
    "data": "Images and their split.",
    "models": "Networks trained at each epsilon, or taken from files.",
    "attacks": "Adversarial images and what the networks make of them.",
    "activations": "What a layer says.",
    "saes": "Sparse autoencoders.",
    "probes": "What SAEs see under attack, and what they cost the network.",
    "toy": "Toy models of superposition.",
    "analysis": "Tables and figures from what the other rooms measured.",
}


@dataclass(frozen=True)
class Step:
    """A kind of job: rule NAME runs `interference ROOM NAME`, which is `run` of interference.ROOM.NAME.

    room: a key of `ROOMS`.
    does: the help of its verb, a sentence.
    gpu: whether it uses a GPU where there is one.
    """

    room: str
    name: str
    does: str
    gpu: bool = False


STEPS = (
    Step("data", "images", "Read a dataset, split it, and store images, labels and statistics."),
    Step("models", "trunk", "Train the clean network that all of a seed start from.", gpu=True),
    Step("models", "finetune", "Train a copy of a trunk at an epsilon.", gpu=True),
    Step("models", "convert", "Fetch a checkpoint, check it, and convert it to safetensors."),
    Step("models", "predict", "Predict the clean evaluation images.", gpu=True),
    Step("attacks", "craft", "Attack a network with one method, at each of its epsilons.", gpu=True),
    Step("activations", "part", "Store a layer's raw rows on a part of the training images, "
         "for `extract` to put together.", gpu=True),
    Step("activations", "extract", "Store a layer's standardised rows on training and held-out "
         "images.", gpu=True),
    Step("saes", "fit", "Train every sparsity and seed of one SAE type on a layer's rows.", gpu=True),
    Step("saes", "baselines", "Reconstruct a layer's rows by PCA, and train SAEs on whitened rows "
         "and on a Gaussian surrogate.", gpu=True),
    Step("probes", "measure", "Count a layer's latents that are active, clean and under every "
         "attack, and put each SAE's reconstruction in place of the layer.", gpu=True),
    Step("probes", "intervene", "Put the latents that an attack woke back to their clean values, or "
         "into clean images, and predict.", gpu=True),
    Step("probes", "defend", "Attack the network through reconstructions of its layers, by SAEs and "
         "by PCA.", gpu=True),
    Step("probes", "gallery", "Choose the latents that an attack wakes most, and images that show "
         "them.", gpu=True),
    Step("toy", "train", "Train every density, seed and training mode as one stack.", gpu=True),
    Step("toy", "vulnerability", "Attack the trained stack and measure its superposition."),
    Step("toy", "geometry", "Write how features of a few models overlap, and what an attack does "
         "to one input."),
)  # fmt: skip

#: Settings of tables whose intervals come from bootstrap resamples of images.
BOOTSTRAP = ("confidence", "resamples", "seed")


@dataclass(frozen=True)
class Input:
    """An input of a table or figure: one output of every job of a step.

    step: the rule of the step or table that makes it.
    path: path under the experiment's results. A wildcard that the entry's own path has is that of the
        job; each other stands for everything of its kind in the experiment. The wildcards, in order, are
        the arguments of the step's spec.
    arm: the arm that makes it, where its entry covers both arms.
    """

    step: str
    path: str
    arm: str | None = None


@dataclass(frozen=True)
class Entry(ABC):
    """A table or a figure.

    inputs: inputs by the name that the shell line and the module use.
    arms: arms that it describes; it has jobs where the experiment has one of them.
    gated: whether it has jobs only where the accuracies that networks must have are known.
    """

    name: str
    inputs: Mapping[str, Input]
    arms: tuple[str, ...] = ("networks",)
    gated: bool = False

    @property
    @abstractmethod
    def rule(self) -> str:
        """Name of its rule."""

    @property
    @abstractmethod
    def path(self) -> str:
        """Path of its outputs under results/EXPERIMENT/analysis, without a suffix."""


@dataclass(frozen=True)
class Table(Entry):
    """A table, made by one job; its module returns the rows.

    settings: names of the settings that it reads of the config, see `Specs.settings`.
    """

    settings: tuple[str, ...] = ()

    @property
    def rule(self) -> str:
        return f"{self.name}_table"

    @property
    def path(self) -> str:
        return f"tables/{self.name}"


@dataclass(frozen=True)
class Figure(Entry):
    """A figure, drawn by one job per way to fill the wildcards of its path.

    file: path under results/EXPERIMENT/analysis/figures, without a suffix.
    category: section of the report that shows it.
    labels: labels in the report; empty for a figure labelled by the training of its network.
    """

    file: str = field(kw_only=True)
    category: str = field(kw_only=True)
    labels: Mapping[str, str] = field(default_factory=dict, kw_only=True)

    @property
    def rule(self) -> str:
        return f"{self.name}_figure"

    @property
    def path(self) -> str:
        return f"figures/{self.file}"


def wildcards(path: str) -> list[str]:
    """Names of a path's wildcards, in order: those in braces."""
    return [name for _, name, _, _ in Formatter().parse(path) if name is not None]


def table(name: str, arm: str | None = None) -> Input:
    """A table of the catalogue as the input of another table or of a figure."""
    return Input(f"{name}_table", f"analysis/tables/{name}.parquet", arm=arm)


SAES = Input("fit", "saes/{model}/{layer}/{type}.parquet")

TABLES = (
    Table(
        "accuracy",
        {
            "clean": Input("predict", "models/{model}.predictions.parquet"),
            "attacked": Input("craft", "attacks/{model}/{attack}.parquet"),
        },
        settings=("confidence",),
    ),
    Table(
        "saes",
        {"manifests": Input("fit", "saes/{model}/{layer}/{type}.json"), "saes": SAES},
        settings=BOOTSTRAP,
    ),
    Table("matched", {"saes": SAES}, settings=BOOTSTRAP),
    Table(
        "baselines",
        {
            "manifests": Input("baselines", "saes/{model}/{layer}/baselines.json"),
            "baselines": Input("baselines", "saes/{model}/{layer}/baselines.parquet"),
            "saes": Input("fit", "saes/{model}/{layer}/{peer}.parquet"),
        },
        settings=BOOTSTRAP,
    ),
    Table(
        "l0",
        {"l0": Input("measure", "probes/{model}/{layer}/l0.parquet")},
        settings=(*BOOTSTRAP, "controls"),
    ),
    Table(
        "fair",
        {
            "l0": Input("measure", "probes/{model}/{layer}/l0.parquet"),
            "clean": Input("predict", "models/{model}.predictions.parquet"),
            "attacked": Input("craft", "attacks/{model}/{attack}.parquet"),
        },
        settings=(*BOOTSTRAP, "headline", "noise"),
    ),
    Table(
        "splice",
        {"splice": Input("measure", "probes/{model}/{layer}/splice.parquet")},
        settings=BOOTSTRAP,
    ),
    Table(
        "interventions",
        {"outcomes": Input("intervene", "probes/{model}/{layer}/interventions.parquet")},
        settings=BOOTSTRAP,
    ),
    Table(
        "defences",
        {"outcomes": Input("defend", "probes/{model}/defences.parquet")},
        settings=BOOTSTRAP,
    ),
    Table(
        "gates",
        {"accuracy": table("accuracy"), "images": Input("images", "data/images.json")},
        settings=("gates",),
        gated=True,
    ),
    Table("toy", {"toy": Input("vulnerability", "toy/vulnerability.parquet")}, arms=("toy",)),
    Table(
        "claims",
        {
            **{
                name: table(name, "networks")
                for name in (
                    "accuracy",
                    "matched",
                    "baselines",
                    "l0",
                    "fair",
                    "interventions",
                    "defences",
                )
            },
            "toy": Input("vulnerability", "toy/vulnerability.parquet", arm="toy"),
        },
        arms=("networks", "toy"),
        settings=("confidence", "headline"),
    ),
)

ARCHITECTURE = {"architecture": "{architecture}"}
PAIRS = Input("geometry", "toy/geometry.parquet")
EXAMPLE = Input("geometry", "toy/geometry.example.parquet")


def _curves(name: str, shown: str) -> Figure:
    """A figure of the table toy."""
    return _of_toy_models(name, shown, {"table": table("toy")})


def _of_toy_models(name: str, shown: str, inputs: Mapping[str, Input]) -> Figure:
    return Figure(
        name, inputs, ("toy",), file=name, category="Toy models", labels={"figure": shown}
    )


FIGURES = (
    Figure(
        "accuracy",
        {"table": table("accuracy")},
        file="{architecture}/accuracy",
        category="Networks",
        labels={**ARCHITECTURE, "figure": "accuracy under attack"},
    ),
    Figure(
        "baselines",
        {"table": table("baselines")},
        file="{architecture}/baselines",
        category="Reconstruction at equal sparsity",
        labels={**ARCHITECTURE, "figure": "beside baselines"},
    ),
    Figure(
        "splice",
        {"table": table("splice")},
        file="{architecture}/splice",
        category="Reconstruction against sparsity",
        labels={**ARCHITECTURE, "layer": "all, spliced into the network"},
    ),
    Figure(
        "fvu",
        {"table": table("saes")},
        file="{architecture}/fvu/{layer}",
        category="Reconstruction against sparsity",
        labels={**ARCHITECTURE, "layer": "{layer}"},
    ),
    Figure(
        "matched",
        {"table": table("matched")},
        file="{architecture}/matched/{type}",
        category="Reconstruction at equal sparsity",
        labels={**ARCHITECTURE, "SAE type": "{type}"},
    ),
    Figure("l0", {"table": table("l0")}, file="l0/{model}", category="L0 under attack"),
    Figure(
        "fair",
        {"table": table("fair")},
        file="{architecture}/fair/{type}",
        category="L0 under attack",
        labels={**ARCHITECTURE, "SAE type": "{type}", "figure": "compared fairly"},
    ),
    Figure(
        "interventions",
        {"table": table("interventions")},
        file="{architecture}/interventions",
        category="L0 under attack",
        labels={**ARCHITECTURE, "figure": "woken latents put back, or put in"},
    ),
    Figure(
        "defences",
        {"table": table("defences")},
        file="{architecture}/defences",
        category="Networks",
        labels={**ARCHITECTURE, "figure": "accuracy behind reconstructions"},
    ),
    Figure(
        "gallery",
        {
            "latents": Input("gallery", "probes/{model}/gallery.parquet"),
            "pictures": Input("gallery", "probes/{model}/gallery.json"),
        },
        file="gallery/{model}",
        category="Galleries",
    ),
    _curves("toy", "superposition and vulnerability"),
    _curves("toy_attacks", "attacks and the certified bound"),
    _curves("toy_controls", "controls: shrunk weights, one common density"),
    _curves("toy_elhage", "features per dimension and vulnerability"),
    _of_toy_models(
        "toy_geometry",
        "an attack on the graph of features",
        {"pairs": PAIRS, "example": EXAMPLE},
    ),
    _of_toy_models(
        "toy_interference", "overlaps of features", {"pairs": PAIRS, "example": EXAMPLE}
    ),
    _of_toy_models("toy_densities", "graphs of features against density", {"pairs": PAIRS}),
)
