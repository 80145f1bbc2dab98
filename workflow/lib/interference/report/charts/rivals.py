"""Charts of the preprint's rivals: where attacks on classifiers through a bottleneck point and land, how many
effective features adversarial training leaves MLPs, what attacks teach, and to which MLPs they pass."""

from collections.abc import Iterator, Mapping

import altair as alt
import pandas as pd

from interference.analysis.figures.abundance import GAINS
from interference.report.charts.base import (
    Chart,
    curves,
    epsilon_axis,
    finished,
    inline,
    legend,
    menu,
    options,
    pick,
    picked,
    rule_at,
    span,
)
from interference.report.charts.overlap import overlap
from interference.report.charts.seeds import intervals, over_seeds, tips_over_seeds

#: A classifier's class vectors → what it is; then of the table bottlenecks column → what it is.
KINDS = {"learned": "class vectors learned", "forced": "class vectors forced"}
DIRECTIONS = {
    "cosine": "nearest class vector",
    "cosine_other": "any other class",
    "cosine_shuffled": "class vectors shuffled",
}
PROFILES = {"profile": "own class vectors", "swapped": "another frame’s"}
TRANSFERS = {"transfer": "own class vectors", "transfer_null": "permuted class vectors"}
HUES = {
    "class vectors learned": "blue",
    "class vectors forced": "red",
    "nearest class vector": "red",
    "own class vectors": "red",
    "any other class": "orange",
    "class vectors shuffled": "grey",
    "another frame’s": "grey",
    "permuted class vectors": "grey",
}
#: column of the table abundance → what it is, with its unit
COUNTS = {
    "features": "F, clean images (count)",
    "features_attacked": "F, attacked images (count)",
    "units": "F of units, clean images (count)",
    "units_attacked": "F of units, attacked images (count)",
    "accuracy": "accuracy, clean images (share)",
    "robust": "accuracy, attacked images (share)",
}
#: Of the table interpretability: proxy → what it is; kind of features, or what stands beside it → colour.
PROXIES = {
    "selectivity": "class selectivity (1 − entropy, share)",
    "coherence": "coherence of images (mean cosine)",
}
MEANT = {"units": "blue", "latents": "red"}
SPARSE = "random, as sparse as"
#: Of the table relearning: targets → what they are; column → what it is, with its unit; the colours of both.
TARGETS = {"random": "labelled with a drawn class", "next": "labelled with the class after the own"}
LEARNED = {
    "accuracy": "accuracy, clean images (share)",
    "fitted": "accuracy, the images learned from (share)",
}
TEACHERS = {"": "attacks", "noise_": "noise as large"}
TAUGHT = {"attacks": "red", "noise as large": "grey", "the attacked network": "blue"}
TURNED = "images taken for the target (share)"
#: Of numbers of classes, or of hidden units, ascending: as in the static figure.
ORDERED = ("blue", "green", "orange", "red", "purple", "grey")


def charts(tables: Mapping[str, pd.DataFrame], confidence: float) -> Iterator[Chart]:
    """Yield the charts of those tables that there are, with intervals over seeds of this confidence."""
    if "bottlenecks" in tables and len(tables["bottlenecks"]):
        yield from _of_bottlenecks(tables["bottlenecks"], confidence)
    if "abundance" in tables and len(tables["abundance"]):
        yield from _gains(tables["abundance"], confidence)
        yield _counts(tables["abundance"], confidence)
    if "interpretability" in tables and len(tables["interpretability"]):
        yield _meanings(tables["interpretability"], confidence)
    if "relearning" in tables and len(tables["relearning"]):
        yield _relearning(tables["relearning"], confidence)
    if "overlap" in tables and tables["overlap"]["alive"].any():
        yield overlap(tables["overlap"])


def _of_bottlenecks(table: pd.DataFrame, confidence: float) -> Iterator[Chart]:
    # of the forced frames of a seed the mean, so that a seed counts once
    columns = ["fallen", *DIRECTIONS, *PROFILES, *TRANSFERS]
    by_seed = table.groupby(["kind", "epsilon", "width", "seed"])[columns].mean()
    beside = by_seed.pivot_table("fallen", ["epsilon", "width", "seed"], "kind").reset_index()
    yield from _over_dimensions(
        beside, confidence, "bottleneck-fallen", "Does a narrow bottleneck make a classifier fragile?",
        "Share of images, of those that a classifier has right, that an attack of one L2 radius turns "
        "wrong. In fewer dimensions than classes less one, class vectors are in superposition.",
        KINDS, "images that fall (share)",
    )  # fmt: skip
    by_seed = by_seed.reset_index()
    yield from _over_dimensions(
        by_seed, confidence, "bottleneck-direction", "Do attacks point where class vectors say?",
        "Cosine of the attack with the direction from the own class to the nearest class vector, named "
        "before the attack. Beside it the mean over class vectors shuffled among classes, and over the "
        "directions to all other classes, since any attack goes away from the own class.",
        DIRECTIONS, "cosine with the attack", line=0,
    )  # fmt: skip
    yield from _over_dimensions(
        by_seed, confidence, "bottleneck-profile", "Do attacks land where class vectors are near?",
        "Spearman’s correlation, over the other classes, of how many attacks land there and how near "
        "the class vector is; beside it the same with a frame that the classifier has not. Where all "
        "vectors are equally far apart there is none.",
        PROFILES, "landings and nearness (rank correlation)", line=0,
    )  # fmt: skip
    yield from _over_dimensions(
        by_seed, confidence, "bottleneck-transfer", "Do attacks pass to classifiers of like class vectors?",
        "Partial rank correlation, over classifiers of other seeds, of how often an attack succeeds on "
        "them and how like their geometry is, without what shared accuracy explains; beside it the mean "
        "over class vectors permuted among classifiers.",
        TRANSFERS, "success and likeness (partial rank correlation)", line=0,
    )  # fmt: skip


def _over_dimensions(
    by_seed: pd.DataFrame, confidence: float, name: str, title: str, caption: str, columns: Mapping[str, str],
    unit: str, *, line: float | None = None,
) -> Iterator[Chart]:  # fmt: skip
    """Yield the chart of columns over the dimensions of the bottleneck, if any of them has a number.

    by_seed: one row per (kind, epsilon, width, seed); without kind where the columns are the kinds.
    """
    if by_seed[[*columns]].isna().all(axis=None):
        return
    trained = by_seed["epsilon"].map(
        lambda epsilon: f"at L2 ε = {epsilon:g}" if epsilon else "clean"
    )
    by_seed = by_seed.assign(trained=trained)
    controls = menu("trained", "trained", options(trained, ["clean"]))
    if "kind" in by_seed:
        controls += menu("kind", "class vectors", options(by_seed["kind"], [*KINDS]))
    by = [key for key in ("kind", "trained", "width") if key in by_seed]
    base = picked(alt.Chart(inline(over_seeds(by_seed, by, columns, confidence))), *controls)
    x = _log_axis(by_seed["width"], "dimensions of the bottleneck")
    y = alt.Y("value:Q", title=unit, scale=span())
    colours = legend("what", {what: HUES[what] for what in columns.values()})
    tooltip = tips_over_seeds("mean", width="dimensions")
    drawn = curves(base, x, y, tooltip, band=True, color=colours)
    if line is not None:
        drawn = [rule_at(line), *drawn]
    spec = finished(drawn, f"{unit}, over the dimensions of the bottleneck.", controls)
    yield Chart(
        name,
        title,
        f"{caption} {intervals('bands', confidence)}",
        spec,
        ("bottlenecks",),
        "bottlenecks",
    )


def _log_axis(sizes: pd.Series, title: str) -> alt.X:
    """The x axis of the column width, with a tick at each of its values."""
    axis = alt.Axis(values=options(sizes), format="~g")
    return alt.X("width:Q", title=title, axis=axis, scale=span("log"))


def _ordered(sizes: pd.Series, column: str, title: str) -> alt.Color:
    """The colours of a column of sizes."""
    hues = {size: ORDERED[place % len(ORDERED)] for place, size in enumerate(options(sizes))}
    return legend(column, hues, title)


def _gains(table: pd.DataFrame, confidence: float) -> Iterator[Chart]:
    """Yield the chart of what adversarial training adds, if any network has a number."""
    once = table[table["epsilon"] == 0]  # the same number stands in the rows of every epsilon
    if once[[*GAINS]].isna().all(axis=None):
        return
    frame = over_seeds(once, ["classes", "width"], GAINS, confidence)
    gains = [name for name in GAINS.values() if name in set(frame["what"])]
    controls = [pick("what", "of", gains)]
    base = picked(alt.Chart(inline(frame)), *controls)
    y = alt.Y("value:Q", title="features added (share of the clean network’s)", scale=span())
    tooltip = tips_over_seeds("added", classes="classes", width="hidden units")
    drawn = curves(base, _log_axis(table["width"], "hidden units"), y, tooltip,
                   band=True, color=_ordered(table["classes"], "classes", "classes"))  # fmt: skip
    yield Chart(
        "abundance",
        "Does adversarial training add effective features, or take them?",
        "What adversarial training adds to F = exp(H), the number of equally used features that would be "
        "as varied as an SAE’s latents, from clean training to the largest radius, by a line over all radii. "
        "A network that no longer tells classes apart has few features for that reason; and what the hidden "
        f"units show without an SAE says nothing of superposition. {intervals('bands', confidence)}",
        finished([rule_at(0), *drawn],
                 "Effective features that adversarial training adds, over hidden units.", controls),
        ("abundance",),
        "abundance",
    )  # fmt: skip


def _counts(table: pd.DataFrame, confidence: float) -> Chart:
    frame = over_seeds(table, ["classes", "width", "epsilon"], COUNTS, confidence)
    quantities = [name for name in COUNTS.values() if name in set(frame["what"])]
    classes = [f"{count}" for count in options(frame["classes"])]
    frame = frame.astype({"classes": str})
    controls = [pick("what", "quantity", quantities), *menu("classes", "classes", classes)]
    base = picked(alt.Chart(inline(frame)), *controls)
    x = epsilon_axis({"linf": options(frame["epsilon"])}, "training")
    y = alt.Y("value:Q", title=None, scale=span())
    tooltip = tips_over_seeds("mean", width="hidden units", epsilon="ε#")
    colours = _ordered(table["width"], "width", "hidden units")
    drawn = curves(base, x, y, tooltip, band=True, color=colours)
    return Chart(
        "mlps",
        "Effective features and accuracies over the training radius",
        "F of the latents of an SAE, on clean images and on images attacked at the radius that the network was "
        "trained at, with an SAE of each; F of the hidden units themselves, without an SAE; and accuracies. "
        f"Where accuracy has fallen to chance the network has given up. {intervals('bands', confidence)}",
        finished(drawn, "A chosen quantity of MLPs over the training radius, a line per number of hidden "
                 "units.", controls, title="what"),
        ("abundance",),
        "abundance",
    )  # fmt: skip


def _meanings(table: pd.DataFrame, confidence: float) -> Chart:
    # of a seed the mean over classes
    table = table[table["alive"]]
    by_seed = table.groupby(["features", "width", "epsilon", "seed"]).mean(numeric_only=True)
    frames = []
    for proxy, name in PROXIES.items():
        for column, of in ((proxy, "{}"), (f"{proxy}_random", f"{SPARSE} {{}}")):
            frame = over_seeds(
                by_seed.reset_index(), ["features", "width", "epsilon"], {column: name}, confidence
            )
            frames.append(
                frame.assign(kind=[of.format(features) for features in frame["features"]])
            )
    frame = pd.concat(frames, ignore_index=True).drop(columns="features")
    widths = [f"{width}" for width in options(frame["width"])]
    # Vega has a signal of the name width
    frame = frame.astype({"width": str}).rename(columns={"width": "hidden"})
    controls = [
        pick("what", "proxy", [*PROXIES.values()]), *menu("hidden", "hidden units", widths)
    ]  # fmt: skip
    base = picked(alt.Chart(inline(frame)), *controls)
    hues = {**MEANT, f"{SPARSE} units": "grey", f"{SPARSE} latents": "orange"}
    x = epsilon_axis({"linf": options(frame["epsilon"])}, "training")
    y = alt.Y("value:Q", title=None, scale=span())
    tooltip = tips_over_seeds("mean", kind="features", epsilon="ε#")
    drawn = curves(base, x, y, tooltip, band=True, color=legend("kind", hues))
    return Chart(
        "interpretability",
        "Does adversarial training leave features that are about one thing?",
        "How much a hidden unit, or a latent of an SAE, is about one thing: by the share of classes in its "
        "activity, and by how alike the pixels of images are that it answers together. Whatever is sparser "
        "answers images that are more alike, so random directions that are active on as many images stand "
        "beside it. Means over features and numbers of classes, of networks that still tell classes apart. "
        f"{intervals('bands', confidence)}",
        finished(drawn, "A chosen proxy of how much features are about one thing, over the training radius.",
                 controls, title="what"),
        ("interpretability",),
        "interpretability",
    )  # fmt: skip


def _relearning(table: pd.DataFrame, confidence: float) -> Chart:
    shown = [
        (f"{prefix}{column}", name, teacher)
        for column, name in LEARNED.items()
        for prefix, teacher in TEACHERS.items()
    ]
    shown += [
        ("source_accuracy", LEARNED["accuracy"], "the attacked network"),
        ("success", TURNED, "attacks"),
    ]
    frame = pd.concat(
        [
            over_seeds(table, ["targets", "epsilon"], {column: name}, confidence).assign(
                teacher=teacher
            )
            for column, name, teacher in shown
        ],
        ignore_index=True,
    )
    frame["targets"] = frame["targets"].map(TARGETS)
    controls = [
        pick("what", "quantity", [*LEARNED.values(), TURNED]),
        pick("targets", "images", options(frame["targets"], [*TARGETS.values()])),
    ]
    base = picked(alt.Chart(inline(frame)), *controls)
    x = epsilon_axis({"linf": options(frame["epsilon"])}, "training")
    y = alt.Y("value:Q", title=None, scale=alt.Scale(domain=[0, 1]))
    tooltip = tips_over_seeds("mean", teacher="learned from", epsilon="ε#")
    drawn = curves(base, x, y, tooltip, band=True, color=legend("teacher", TAUGHT))
    return Chart(
        "relearning",
        "Do attacks alone teach what classes look like?",
        "Accuracy on clean images of MLPs that saw none: they learned from training images that an attack turned "
        "towards another class, labelled with it, over the radius that the attacked network was trained at. "
        "Where the class is drawn an image says nothing of its label, and noise teaches chance; where it is the "
        "class after the own, the image says the wrong thing. Fewer images of robust networks can be turned: "
        f"that share stands beside it. {intervals('bands', confidence)}",
        finished([rule_at(float(table["chance"].max())), *drawn],
                 "A chosen quantity of MLPs that learned from attacks or from noise, over the radius that the "
                 "attacked network was trained at.", controls, title="what"),
        ("relearning",),
        "relearning",
    )  # fmt: skip
