"""Every table and figure of the analysis: what it is made of, and where the report shows it.

The rules, `rule all`, the specs, the plan and the tests go through these entries. A new one is an
entry here, a module of its name under `analysis/tables` or `analysis/figures`, and a caption under
`workflow/report` that is called as its rule is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from string import Formatter

#: Settings of tables whose intervals come from drawing images again and again.
BOOTSTRAP = ("confidence", "resamples", "seed")


@dataclass(frozen=True)
class Files:
    """An input: one output of every job of a step.

    step: the rule that makes it: a table's, or a method of `Specs` (`clean` stands for the rule that
        predicts clean images, which is another where networks come from files).
    path: under the experiment's results. Each wildcard in it stands for all of its kind that the
        experiment has; in their order they are the arguments of the step.
    beside: another output of the same jobs, which is read too, and found by the path's name.
    arm: the one that it is of, where its entry is of both.
    """

    step: str
    path: str
    beside: str | None = None
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


SAES = Files(
    "saes", "saes/{model}/{layer}/{type}.json", beside="saes/{model}/{layer}/{type}.parquet"
)

TABLES = (
    Table(
        "accuracy",
        {
            "clean": Files("clean", "models/{model}.clean.parquet"),
            "attacked": Files("adversarial_images", "attacks/{model}/{attack}.parquet"),
        },
        settings=("confidence",),
    ),
    Table("saes", {"saes": SAES}, settings=BOOTSTRAP),
    Table("matched", {"saes": SAES}, settings=BOOTSTRAP),
    Table(
        "baselines",
        {
            "baselines": Files(
                "baselines",
                "saes/{model}/{layer}/baselines.json",
                beside="saes/{model}/{layer}/baselines.parquet",
            ),
            "saes": Files("saes", "saes/{model}/{layer}/{peer}.parquet"),
        },
        settings=BOOTSTRAP,
    ),
    Table(
        "l0",
        {"l0": Files("l0", "analysis/l0/{model}.parquet")},
        settings=(*BOOTSTRAP, "controls"),
    ),
    Table(
        "splice", {"splice": Files("splice", "analysis/splice/{model}.parquet")}, settings=BOOTSTRAP
    ),
    Table(
        "gates",
        {"accuracy": table("accuracy"), "images": Files("images", "data/images.json")},
        settings=("gates",),
        gated=True,
    ),
    Table("toy", {"toy": Files("toy_vulnerability", "toy/vulnerability.parquet")}, arms=("toy",)),
    Table(
        "claims",
        {
            **{
                name: table(name, "networks") for name in ("accuracy", "matched", "baselines", "l0")
            },
            "toy": Files("toy_vulnerability", "toy/vulnerability.parquet", arm="toy"),
        },
        arms=("networks", "toy"),
        settings=("arms", "confidence", "headline"),
    ),
)

ARCHITECTURE = {"architecture": "{architecture}"}
PAIRS = Files("toy_geometry", "toy/geometry.parquet")
EXAMPLE = Files("toy_geometry", "toy/geometry.example.parquet")


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
