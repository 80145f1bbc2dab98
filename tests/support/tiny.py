"""The jobs of tests/experiments/tiny.yaml, written by hand, and what follows from which."""

MODELS, LAYERS, TYPES = ("clean-s0", "l2-1-s0"), ("stem", "layer2"), ("topk", "relu_l1", "jumprelu")
ATTACKS = ("fgsm", "pgd", "noise")
#: Every job of the tiny experiment.
JOBS = {
    "images",
    "trunk/0",
    *(
        f"{rule}/{m}"
        for rule in ("finetune", "attacked_activations", "l0", "splice")
        for m in MODELS
    ),
    *(f"adversarial_images/{m}/{a}" for m in MODELS for a in ATTACKS),
    *(
        f"{rule}/{m}/{layer}"
        for rule in ("activations", "baselines")
        for m in MODELS
        for layer in LAYERS
    ),
    *(f"activations_part/{m}/{layer}/{i}" for m in MODELS for layer in LAYERS for i in range(2)),
    *(f"saes/{m}/{n}/{t}" for m in MODELS for n in LAYERS for t in TYPES),
    "toy_models",
    "toy_vulnerability",
    "toy_geometry",
    *(
        f"{name}_table"
        for name in ("accuracy", "saes", "matched", "baselines", "l0", "splice", "toy", "claims")
    ),
    "toy_figure",
    "toy_attacks_figure",
    "toy_controls_figure",
    "toy_elhage_figure",
    "toy_geometry_figure",
    "toy_interference_figure",
    "toy_densities_figure",
    *(f"{name}_figure/resnet18" for name in ("accuracy", "baselines", "splice")),
    *(f"fvu_figure/resnet18/{layer}" for layer in LAYERS),
    *(f"matched_figure/resnet18/{t}" for t in TYPES),
    *(f"l0_figure/{m}" for m in MODELS),
}
#: Figures of the toy table, those of the geometry of a few models, and both.
TOY_CURVES = ("toy_figure", "toy_attacks_figure", "toy_controls_figure", "toy_elhage_figure")
TOY_GRAPHS = ("toy_geometry_figure", "toy_interference_figure", "toy_densities_figure")
TOY_FIGURES = (*TOY_CURVES, *TOY_GRAPHS)
AFTER_TOY = ("toy_vulnerability", "toy_geometry", "toy_table", *TOY_FIGURES)
TOY = ("toy_models", *AFTER_TOY)
FIGURES = (
    *TOY_FIGURES,
    "accuracy_figure",
    "fvu_figure",
    "matched_figure",
    "baselines_figure",
    "l0_figure",
    "splice_figure",
)
ACTIVATIONS = ("activations_part", "activations")
NETWORKS = ("trunk", "finetune", "adversarial_images", *ACTIVATIONS, "attacked_activations")
#: What reads the L0 table, the rows of attacked images, baselines, what an SAE of a type without
#: baselines says, or one with them, or any; and the predictions.
AFTER_L0 = ("l0_table", "l0_figure", "claims_table")
AFTER_SPLICE = ("splice_table", "splice_figure")
AFTER_BASELINES = ("baselines_table", "baselines_figure", "claims_table")
AFTER_OTHERS = (
    *AFTER_L0,
    *AFTER_SPLICE,
    "saes_table",
    "matched_table",
    "fvu_figure",
    "matched_figure",
)
AFTER_SAES = (*AFTER_OTHERS, *AFTER_BASELINES)
FITS = ("saes", "baselines")
AFTER_ATTACKS = ("attacked_activations", "l0", *AFTER_L0, "accuracy_table", "accuracy_figure")
