"""The catalogue of steps, tables, figures and the page: names, inputs, and places in the report.

A step has one name for its rule, its verb, its module and its folders of logs and benchmarks. The
rules, `rule all`, the specs, the plan, the command and the tests go through these entries. A new table
or figure is an entry here, a module of its name under `analysis/tables` or `analysis/figures`, and a
caption under `workflow/report` with the name of its rule.
"""

from collections.abc import Mapping

from interference.plan.entries import Figure, Input, Page, Table, table

#: Settings of tables whose intervals come from bootstrap resamples of images.
BOOTSTRAP = ("confidence", "resamples", "seed")
#: Settings of figures that draw Student's intervals over what a table has a row of each.
STUDENT = ("confidence",)

PREDICTED = {
    "clean": Input("predict", "models/{model}.predictions.parquet"),
    "attacked": Input("craft", "attacks/{model}/{attack}.parquet"),
}

SAES = Input("fit", "saes/{model}/{layer}/{type}.parquet")

LEAST = Input("least", "attacks/{model}.least.parquet")
STRUCTURE = Input("structure", "attacks/{model}.structure.parquet")

COUNTS = Input("count", "rivals/counts-s{trial}.parquet")
MEANINGS = Input("count", "rivals/counts-s{trial}.meanings.parquet")

RULER = Input("calibrate", "canvas/{regime}-s{seed}.proxies.parquet")


def _flipped(families: str) -> dict[str, Input]:
    """What `flip` says of pairs and of features. families: the wildcard of those that are read."""
    folder = f"canvas/{{{families}}}-{{regime}}-s{{seed}}"
    return {name: Input("flip", f"{folder}.{name}.parquet") for name in ("flips", "features")}


#: Tables that claims are read from → what of the experiment makes them.
JUDGED = {
    **dict.fromkeys(
        ("accuracy", "matched", "baselines", "l0", "fair", "interventions", "defences"), "networks"
    ),
    "least": "least",
    "structure": "structure",
    "exchange": "exchange",
    "dose": "canvas",
    "crossover": "crossover",
    "adversarial": "ladder",
    "transfer": "transfer",
    "proxies": "ruler",
    "mounted": "mount",
    "bottlenecks": "rivals",
    "abundance": "rivals",
    "interpretability": "rivals",
    "relearning": "rivals",
    "overlap": "rivals",
}
#: Tables that the page shows beside them, likewise.
SHOWN = {"saes": "networks", "splice": "networks", "gates": "gates", "toy": "toy"}

TABLES = (
    Table("accuracy", PREDICTED, settings=("confidence",)),
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
            **PREDICTED,
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
    Table("least", {"least": LEAST}, settings=BOOTSTRAP, needs="least"),
    Table("structure", {"structure": STRUCTURE}, settings=BOOTSTRAP, needs="structure"),
    Table(
        "exchange",
        {
            "passes": Input("exchange", "attacks/exchange.parquet"),
            "similarity": Input("exchange", "attacks/exchange.similarity.parquet"),
            **PREDICTED,
        },
        settings=("confidence", "headline", "noise"),
        needs="exchange",
    ),
    Table(
        "gates",
        {"accuracy": table("accuracy"), "images": Input("images", "data/images.json")},
        settings=("gates",),
        needs="gates",
    ),
    Table("toy", {"toy": Input("vulnerability", "toy/vulnerability.parquet")}, arms=("toy",)),
    Table("dose", _flipped("swept"), arms=("canvas",)),
    Table("crossover", _flipped("crossed"), arms=("canvas",), needs="crossover"),
    Table("adversarial", _flipped("hardened"), arms=("canvas",), needs="ladder"),
    Table(
        "transfer",
        {"transfers": Input("transfer", "canvas/transfer-{regime}.parquet")},
        arms=("canvas",),
        needs="transfer",
    ),
    Table("proxies", {"proxies": RULER}, arms=("canvas",), needs="ruler"),
    Table(
        "mounted",
        {
            name: Input("mount", f"canvas/mounted-{{model}}-{{regime}}.{name}.parquet")
            for name in ("flips", "features")
        },
        arms=("canvas",),
        needs="mount",
    ),
    Table(
        "bottlenecks",
        {
            "aims": Input("aim", "rivals/aims.parquet"),
            "landings": Input("aim", "rivals/aims.landings.parquet"),
            "passes": Input("aim", "rivals/aims.passes.parquet"),
        },
        arms=("rivals",),
        settings=("resamples", "seed"),
    ),
    Table("abundance", {"counts": COUNTS}, arms=("rivals",)),
    Table("interpretability", {"counts": COUNTS, "meanings": MEANINGS}, arms=("rivals",)),
    Table(
        "relearning",
        {"relearned": Input("relearn", "rivals/relearned-s{trial}.parquet")},
        arms=("rivals",),
    ),
    Table(
        "overlap",
        {"overlaps": Input("overlap", "rivals/overlaps.parquet"), "counts": COUNTS},
        arms=("rivals",),
    ),
    Table(
        "claims",
        {
            **{name: table(name, needs) for name, needs in JUDGED.items()},
            "toy": Input("vulnerability", "toy/vulnerability.parquet", needs="toy"),
        },
        arms=("networks", "toy", "canvas", "rivals"),
        settings=("confidence", "headline"),
    ),
)

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


def _per_architecture(
    name: str,
    category: str,
    labels: Mapping[str, str],
    *,
    file: str | None = None,
    source: str | None = None,
    needs: str | None = None,
    also: Mapping[str, Input] = {},
) -> Figure:
    """A figure of networks of an architecture. file: under it; source: its table; both of its own name if
    none is given. also: other inputs."""
    return Figure(
        name,
        {"table": table(source or name), **also},
        needs=needs,
        file=f"{{architecture}}/{file or name}",
        category=category,
        labels={"architecture": "{architecture}", **labels},
    )


FIGURES = (
    _per_architecture("accuracy", "Networks", {"figure": "accuracy under attack"}),
    _per_architecture(
        "baselines", "Reconstruction at equal sparsity", {"figure": "beside baselines"}
    ),
    _per_architecture(
        "splice", "Reconstruction against sparsity", {"layer": "all, spliced into the network"}
    ),
    _per_architecture(
        "fvu",
        "Reconstruction against sparsity",
        {"layer": "{layer}"},
        file="fvu/{layer}",
        source="saes",
    ),
    _per_architecture(
        "matched", "Reconstruction at equal sparsity", {"SAE type": "{type}"}, file="matched/{type}"
    ),
    Figure("l0", {"table": table("l0")}, file="l0/{model}", category="L0 under attack"),
    _per_architecture(
        "fair",
        "L0 under attack",
        {"SAE type": "{type}", "figure": "compared fairly"},
        file="fair/{type}",
    ),
    _per_architecture(
        "interventions", "L0 under attack", {"figure": "woken latents put back, or put in"}
    ),
    _per_architecture("defences", "Networks", {"figure": "accuracy behind reconstructions"}),
    _per_architecture(
        "least",
        "Networks",
        {"figure": "least changes that flip a prediction"},
        needs="least",
        also={"radii": LEAST},
    ),
    _per_architecture(
        "structure", "Networks", {"figure": "what perturbations look like"}, needs="structure"
    ),
    Figure(
        "exchange",
        {"table": table("exchange")},
        needs="exchange",
        file="exchange",
        category="Networks",
        labels={"figure": "attacks between networks"},
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
            settings,
            file=f"canvas_{name}",
            category="Canvases",
            labels={"figure": shown},
        )
        for name, inputs, needs, settings, shown in (
            ("dose", {"table": table("dose")}, None, (), "least changes over the dose"),
            ("graphs", {"cosines": COSINES}, None, (), "graphs of directions over the dose"),
            ("crossover", {"table": table("crossover")}, "crossover", (), "doses within a network"),
            ("ladder", {"table": table("adversarial")}, "ladder", STUDENT, "adversarial training"),
            ("transfer", {"table": table("transfer")}, "transfer", STUDENT, "between seeds"),
            ("ruler", {"proxies": RULER}, "ruler", (), "proxies of superposition"),
            ("mounted", {"table": table("mounted")}, "mount", STUDENT, "on frozen networks"),
        )
    ),
    *(
        Figure(
            name,
            {"table": table(name)},
            ("rivals",),
            settings=settings,
            file=name,
            category="Rivals",
            labels={"figure": shown},
        )
        for name, settings, shown in (
            ("bottlenecks", STUDENT, "where attacks point in a bottleneck"),
            ("abundance", STUDENT, "effective features over classes and hidden units"),
            ("interpretability", STUDENT, "how much features are about one thing"),
            ("relearning", STUDENT, "what attacks teach"),
            ("overlap", (), "attacks between MLPs over how alike they are"),
        )
    ),
)

#: What the page reads: tables, what graphs of toy models are drawn from, and galleries. One more is an
#: argument more of `report.page.run`.
PAGE = Page(
    "page",
    {
        "claims": table("claims"),
        **{name: table(name, needs) for name, needs in {**JUDGED, **SHOWN}.items()},
        "pairs": Input(PAIRS.step, PAIRS.path, "toy"),
        "example": Input(EXAMPLE.step, EXAMPLE.path, "toy"),
        "pictures": Input("gallery_figure", "analysis/figures/gallery/{model}.png", "networks"),
    },
    arms=("networks", "toy", "canvas", "rivals"),
)
