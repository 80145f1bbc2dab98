"""Every step, table and figure: its name, what it is made of, and where the report shows it.

A step's name is its rule's, its verb's, its module's, and its folder's of logs and benchmarks. The
rules, `rule all`, the specs, the plan, the command and the tests go through these entries. A new table
or figure is an entry here, a module of its name under `analysis/tables` or `analysis/figures`, and a
caption under `workflow/report` that is called as its rule is.
"""

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
    Step("toy", "train", "Train every density, seed and training mode as one stack.", gpu=True),
    Step("toy", "vulnerability", "Attack the trained stack and measure its superposition."),
    Step("toy", "geometry", "Write how features of a few models overlap, and what an attack does "
         "to one input."),
)  # fmt: skip

#: Settings of tables whose intervals come from drawing images again and again.
BOOTSTRAP = ("confidence", "resamples", "seed")


@dataclass(frozen=True)
class Files:
    """An input: one output of every job of a step.

    step: the step or the table that makes it, by its rule's name.
    path: under the experiment's results. Each wildcard in it stands for all of its kind that the
        experiment has; in their order they are the arguments of the step.
    arm: the one that it is of, where its entry is of both.
    """

    step: str
    path: str
    arm: str | None = None


@dataclass(frozen=True)
class Entry:
    """What tables and figures have in common.

    inputs: by the name under which the shell line and the module know them.
    arms: which of an experiment's it is of; it is there where the experiment has one of them.
    gated: only there where accuracies are known that the networks' must be.
    """

    name: str
    inputs: Mapping[str, Files]
    arms: tuple[str, ...] = ("networks",)
    gated: bool = False


@dataclass(frozen=True)
class Table(Entry):
    """One job, whose module returns the table's rows.

    settings: what it reads of the config, as `Specs.settings` knows it.
    """

    settings: tuple[str, ...] = ()

    @property
    def rule(self) -> str:
        return f"{self.name}_table"

    @property
    def path(self) -> str:
        """Of its outputs, under results/EXPERIMENT/analysis and without a suffix."""
        return f"tables/{self.name}"


@dataclass(frozen=True)
class Figure(Entry):
    """One job for each way to fill the wildcards of its path; its module draws it.

    file: under results/EXPERIMENT/analysis/figures, without a suffix.
    category, labels: where and under what the report shows it; no labels: what its network was
        trained against.
    """

    file: str = field(kw_only=True)
    category: str = field(kw_only=True)
    labels: Mapping[str, str] = field(default_factory=dict, kw_only=True)

    @property
    def rule(self) -> str:
        return f"{self.name}_figure"

    @property
    def path(self) -> str:
        """Of its outputs, under results/EXPERIMENT/analysis and without a suffix."""
        return f"figures/{self.file}"


def wildcards(path: str) -> list[str]:
    """The names in braces, in order."""
    return [name for _, name, _, _ in Formatter().parse(path) if name is not None]


def table(name: str, arm: str | None = None) -> Files:
    """A table of the catalogue as another's, or a figure's, input."""
    return Files(f"{name}_table", f"analysis/tables/{name}.parquet", arm=arm)


SAES = Files("fit", "saes/{model}/{layer}/{type}.parquet")

TABLES = (
    Table(
        "accuracy",
        {
            "clean": Files("predict", "models/{model}.predictions.parquet"),
            "attacked": Files("craft", "attacks/{model}/{attack}.parquet"),
        },
        settings=("confidence",),
    ),
    Table(
        "saes",
        {"manifests": Files("saes", "saes/{model}/{layer}/{type}.json"), "saes": SAES},
        settings=BOOTSTRAP,
    ),
    Table("matched", {"saes": SAES}, settings=BOOTSTRAP),
    Table(
        "baselines",
        {
            "manifests": Files("baselines", "saes/{model}/{layer}/baselines.json"),
            "baselines": Files("baselines", "saes/{model}/{layer}/baselines.parquet"),
            "saes": Files("fit", "saes/{model}/{layer}/{peer}.parquet"),
        },
        settings=BOOTSTRAP,
    ),
    Table(
        "l0",
        {"l0": Files("measure", "probes/{model}/{layer}/l0.parquet")},
        settings=(*BOOTSTRAP, "controls"),
    ),
    Table(
        "splice",
        {"splice": Files("measure", "probes/{model}/{layer}/splice.parquet")},
        settings=BOOTSTRAP,
    ),
    Table(
        "gates",
        {"accuracy": table("accuracy"), "images": Files("images", "data/images.json")},
        settings=("gates",),
        gated=True,
    ),
    Table("toy", {"toy": Files("vulnerability", "toy/vulnerability.parquet")}, arms=("toy",)),
    Table(
        "claims",
        {
            **{
                name: table(name, "networks") for name in ("accuracy", "matched", "baselines", "l0")
            },
            "toy": Files("vulnerability", "toy/vulnerability.parquet", arm="toy"),
        },
        arms=("networks", "toy"),
        settings=("confidence", "headline"),
    ),
)

ARCHITECTURE = {"architecture": "{architecture}"}
PAIRS = Files("geometry", "toy/geometry.parquet")
EXAMPLE = Files("geometry", "toy/geometry.example.parquet")


def _curves(name: str, shown: str) -> Figure:
    """A figure of the table toy."""
    return _of_toy_models(name, shown, {"table": table("toy")})


def _of_toy_models(name: str, shown: str, inputs: Mapping[str, Files]) -> Figure:
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
