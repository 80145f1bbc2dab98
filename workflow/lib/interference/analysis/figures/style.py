"""One look for all figures, and the same bytes for the same numbers."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from interference.analysis.frames import SAE_TYPES
from interference.provenance import canonical
from interference.store.files import replacing

# The look starts from matplotlib's own defaults, whatever a matplotlibrc of the user's has set.
mpl.rcParams.update(mpl.rcParamsDefault)
mpl.use("agg")
mpl.rcParams.update(
    {
        "svg.hashsalt": "interference",
        "svg.fonttype": "path",
        "font.size": 9,
        "axes.titlesize": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.25,
        "legend.frameon": False,
        "figure.constrained_layout.use": True,
        "savefig.dpi": 150,
    }
)

#: Colour-blind safe (Okabe & Ito 2008).
BLUE, ORANGE, RED, PURPLE, GREY = ("#0072B2", "#E69F00", "#D55E00", "#CC79A7", "#777777")
GREEN = "#009E73"
#: Whether two networks were trained alike → colour, label
PAIRS = {False: (GREY, "others"), True: (BLUE, "trained alike")}
TRAINING = {"clean": BLUE, "adversarial": RED}
#: Clean-trained toy models with the weights of adversarially trained ones in length only.
SHRUNK = ORANGE
#: Ticks of axes of density.
DENSITIES = (1, 0.5, 0.2, 0.1)
NORMS = {"l2": "$L_2$", "linf": "$L_\\infty$", "clean": "clean"}


def grid(
    rows: int, columns: int, width: float = 3.1, height: float = 2.6, **options: Any
) -> tuple[Figure, np.ndarray]:
    """Make a figure and its axes (rows, columns). width, height: inches per panel."""
    figure = Figure(figsize=(width * columns, height * rows))
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def layers(table: pd.DataFrame) -> list[str]:
    """The layers that a table has, in the network's order."""
    return sorted(table["layer"].unique(), key=lambda layer: (layer != "stem", layer))


def sae_types(table: pd.DataFrame) -> list[str]:
    """The SAE types that a table has, in the order of SAE_TYPES."""
    return [sae_type for sae_type in SAE_TYPES if sae_type in set(table["type"])]


def curves(
    part: pd.DataFrame, name: str, x: str, by: str, label: str | None = None
) -> Iterator[tuple[pd.DataFrame, dict]]:
    """The rows of each curve of ``name`` over ``x``, and how Axes.errorbar draws it.

    One network, or the mean of several, has bars and the label; those that it is the mean of are
    thin, without.

    part: rows of one kind of networks, of a table of `Bootstrap.table`.
    by: what one network's rows share: ``model``, or ``model_seed`` of a family of several epsilons.
    """
    for (about, *_), curve in part.groupby(["about", by, "sae_seed"], dropna=False):
        curve = curve.sort_values(x)
        bars = [curve[name] - curve[f"{name}_low"], curve[f"{name}_high"] - curve[name]]
        if about == "one of several":
            yield curve, {"lw": 0.5, "ms": 1}
        else:
            yield curve, {"lw": 1.2, "ms": 3, "yerr": bars, "label": label}


def density_axis(axis: Axes) -> None:
    """Make the x axis one of toy models' density, logarithmic, sparser to the right."""
    axis.set(xscale="log", xlabel="density $p$ (sparser to the right)")
    axis.set_xticks(DENSITIES, [f"{density:g}" for density in DENSITIES])
    axis.minorticks_off()
    axis.invert_xaxis()


def l0_axis(axis: Axes) -> None:
    """Make the x axis one of measured L0, logarithmic."""
    axis.set(xscale="log", xlabel="$L_0$ (active latents a row)")
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())


class Regime(NamedTuple):
    """The networks that were trained at one norm and epsilon, and how they are drawn.

    norm: of the column model_norm.
    epsilon: of the column model_epsilon, pixel units.
    colour, line, label: as matplotlib has them.
    """

    norm: str
    epsilon: float
    colour: tuple[float, float, float, float]
    line: str
    label: str

    def of(self, table: pd.DataFrame) -> pd.DataFrame:
        """The rows of ``table`` that are about these networks."""
        return table[(table["model_norm"] == self.norm) & (table["model_epsilon"] == self.epsilon)]


def regimes(table: pd.DataFrame) -> list[Regime]:
    """The regimes of ``table``: clean, L2 (solid) and Linf (dashed), darker as epsilon grows."""
    linf = table["model_norm"] == "linf"
    drawn = []
    for rows, line, colours, lightest in (
        (table[~linf], "-", "viridis_r", 0.08),
        (table[linf], "--", "YlOrRd", 0.3),
    ):
        trained_at = rows[["model_norm", "model_epsilon"]].drop_duplicates()
        trained_at = trained_at.sort_values("model_epsilon", kind="stable")
        shades = np.linspace(lightest, 0.95, len(trained_at))
        for (norm, epsilon), shade in zip(trained_at.itertuples(index=False), shades):
            label = "clean" if epsilon == 0 else f"{NORMS[norm]} {epsilon_text(norm, epsilon)}"
            drawn.append(Regime(norm, epsilon, mpl.colormaps[colours](shade), line, label))
    return drawn


def regime_legend(figure: Figure, axis: Axes) -> None:
    """Name the regimes that are drawn in ``axis``, at the right of the figure."""
    lines, labels = axis.get_legend_handles_labels()
    figure.legend(lines, labels, title="trained at", loc="outside right center", fontsize=8,
                  ncols=1 + len(labels) // 9)  # fmt: skip


def epsilon_text(norm: str, epsilon: float) -> str:
    """Write an epsilon as it is spoken of: Linf in 255ths, where it is 0.5, 1, 1.5 … 16 of them."""
    levels = round(510 * epsilon) / 2
    if norm == "linf" and 0 < levels <= 16 and abs(levels / 255 - epsilon) <= 1e-3 * epsilon:
        return f"{levels:g}/255"
    return f"{epsilon:g}"


def epsilon_axis(axis: Axes, norm: str, epsilons: Iterable[float], what: str) -> None:
    """Make the x axis one of epsilon, with a tick at each of ``epsilons``.

    Linear, unless they span more than a factor of ten: then logarithmic above the smallest. A tick
    too near the labelled one before has no label.

    epsilons: pixel units, in any order, some of them perhaps several times.
    what: whose epsilon, such as "attack".
    """
    values = np.unique(list(epsilons))
    positive = values[values > 0]
    if len(positive) and positive[-1] > 10 * positive[0]:
        axis.set_xscale("symlog", linthresh=positive[0], linscale=0.5)
    scale = axis.xaxis.get_transform()
    places = scale.transform(values)
    width = np.ptp(places) or 1.0
    low, high = places[0] - 0.05 * width, places[-1] + 0.05 * width
    axis.set_xlim(*scale.inverted().transform([low, high]))
    labels, last = [], -np.inf
    for value, place in zip(values, places):
        clear = place - last > 0.11 * width
        labels.append(epsilon_text(norm, value) if clear else "")
        last = place if clear else last
    axis.set_xticks(values, labels, fontsize=7)
    if len(values) > 4:
        axis.tick_params(axis="x", rotation=90)
    axis.minorticks_off()
    axis.set_xlabel(f"{what} $\\epsilon$ ({NORMS[norm]})")


def seed_band(
    axis: Axes, rows: pd.DataFrame, colour: str, style: str = "-", label: str | None = None
) -> None:
    """Draw mean and extremes over seeds against density.

    rows: of the table toy, sorted by density.
    """
    axis.plot(rows["density"], rows["mean"], "o", ls=style, ms=3, color=colour, label=label)
    axis.fill_between(rows["density"], rows["low"], rows["high"], color=colour, alpha=0.2, lw=0)


def save(figure: Figure, path: Path, spec: dict) -> None:
    """Write ``path`` (.svg) and a PNG of the same name, each with the job's spec inside."""
    text = canonical(spec)
    described = {
        ".png": {"Software": None, "spec": text},
        ".svg": {"Date": None, "Description": text},
    }
    for suffix, metadata in described.items():
        with replacing(path.with_suffix(suffix)) as temporary:
            figure.savefig(temporary, format=suffix[1:], metadata=metadata)
