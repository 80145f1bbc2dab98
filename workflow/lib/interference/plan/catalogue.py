"""The catalogue of steps, tables, figures and the page: names, inputs, and places in the report.

A step has one name for its rule, its verb, its module and its folders of logs and benchmarks. The
rules, `rule all`, the specs, the plan, the command and the tests go through these entries. A new table
or figure is an entry here, a module of its name under `analysis/tables` or `analysis/figures`, and a
caption under `workflow/report` with the name of its rule.
"""

from collections.abc import Mapping

from interference.plan.entries import Figure, Input, Page, Step, Table, table

#: Rooms with jobs, upstream first; each has its folder of results.
ROOMS = {
    "data": "Images and their split.",
    "models": "Networks trained at each epsilon, or taken from files.",
    "attacks": "Adversarial images and what the networks make of them.",
    "activations": "What a layer says.",
    "saes": "Sparse autoencoders.",
    "probes": "What SAEs see under attack, and what they cost the network.",
    "toy": "Toy models of superposition.",
    "canvas": "Networks that read grids of images through a bottleneck of known superposition.",
    "analysis": "Tables and figures from what the other rooms measured.",
    "report": "What people read: the page that a run ends with.",
}

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
    Step("canvas", "learn", "Teach a family of networks on canvases of one regime and seed."),
    Step("canvas", "flip", "Flip features of canvases by the least change, and measure superposition."),
    Step("canvas", "transfer", "Show attacks on the network of one seed to those of all others."),
    Step("canvas", "calibrate", "Measure proxies of superposition where its dose is known."),
    Step("report", "page", "Write the page that answers the question: verdicts, charts, methods."),
)  # fmt: skip

#: Settings of tables whose intervals come from bootstrap resamples of images.
BOOTSTRAP = ("confidence", "resamples", "seed")

SAES = Input("fit", "saes/{model}/{layer}/{type}.parquet")

RULER = Input("calibrate", "canvas/{regime}-s{seed}.proxies.parquet")


def _flipped(families: str) -> dict[str, Input]:
    """What `flip` says of pairs and of features. families: the wildcard of those that are read."""
    folder = f"canvas/{{{families}}}-{{regime}}-s{{seed}}"
    return {name: Input("flip", f"{folder}.{name}.parquet") for name in ("flips", "features")}


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
        needs="gates",
    ),
    Table("toy", {"toy": Input("vulnerability", "toy/vulnerability.parquet")}, arms=("toy",)),
    Table(
        "dose",
        _flipped("swept"),
        arms=("canvas",),
    ),
    Table(
        "crossover",
        _flipped("crossed"),
        arms=("canvas",),
        needs="crossover",
    ),
    Table(
        "adversarial",
        _flipped("hardened"),
        arms=("canvas",),
        needs="ladder",
    ),
    Table(
        "transfer",
        {"transfers": Input("transfer", "canvas/transfer-{regime}.parquet")},
        arms=("canvas",),
        needs="transfer",
    ),
    Table("proxies", {"proxies": RULER}, arms=("canvas",), needs="ruler"),
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
            "toy": Input("vulnerability", "toy/vulnerability.parquet", needs="toy"),
            **{
                name: table(name, needs)
                for name, needs in (
                    ("dose", "canvas"),
                    ("crossover", "crossover"),
                    ("adversarial", "ladder"),
                    ("transfer", "transfer"),
                    ("proxies", "ruler"),
                )
            },
        },
        arms=("networks", "toy", "canvas"),
        settings=("confidence", "headline"),
    ),
)

ARCHITECTURE = {"architecture": "{architecture}"}
PAIRS = Input("geometry", "toy/geometry.parquet")
COSINES = Input("flip", "canvas/{plain}-{regime}-s{seed}.cosines.parquet")
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
    *(
        Figure(
            f"canvas_{name}",
            inputs,
            ("canvas",),
            needs,
            file=f"canvas_{name}",
            category="Canvases",
            labels={"figure": shown},
        )
        for name, inputs, needs, shown in (
            ("dose", {"table": table("dose")}, None, "least changes over the dose"),
            ("graphs", {"cosines": COSINES}, None, "graphs of directions over the dose"),
            ("crossover", {"table": table("crossover")}, "crossover", "doses within a network"),
            ("ladder", {"table": table("adversarial")}, "ladder", "what adversarial training buys"),
            ("transfer", {"table": table("transfer")}, "transfer", "attacks between seeds"),
            ("ruler", {"proxies": RULER}, "ruler", "proxies of superposition"),
        )
    ),
)

#: What the page reads: tables, what graphs of toy models are drawn from, and galleries. One more is an
#: argument more of `report.page.run`.
PAGE = Page(
    "page",
    {
        "claims": table("claims"),
        **{
            name: table(name, "networks")
            for name in (
                "accuracy",
                "saes",
                "matched",
                "baselines",
                "l0",
                "fair",
                "splice",
                "interventions",
                "defences",
            )
        },
        **{
            name: table(name, needs)
            for name, needs in (
                ("gates", "gates"),
                ("toy", "toy"),
                ("dose", "canvas"),
                ("crossover", "crossover"),
                ("adversarial", "ladder"),
                ("transfer", "transfer"),
                ("proxies", "ruler"),
            )
        },
        "pairs": Input(PAIRS.step, PAIRS.path, "toy"),
        "example": Input(EXAMPLE.step, EXAMPLE.path, "toy"),
        "pictures": Input("gallery_figure", "analysis/figures/gallery/{model}.png", "networks"),
    },
    arms=("networks", "toy", "canvas"),
)
