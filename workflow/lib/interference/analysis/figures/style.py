"""One look for all figures, and the same bytes for the same numbers."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from interference.store.files import replacing

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
TRAINING = {"clean": BLUE, "adversarial": RED}
#: Clean-trained toy models with the weights of adversarially trained ones in length only.
SHRUNK = ORANGE
SAE_TYPES = {
    "topk": "TopK",
    "relu_l1": "ReLU-L1",
    "batch_topk": "BatchTopK",
    "jumprelu": "JumpReLU",
    "gated": "Gated",
    "matryoshka": "Matryoshka",
}
DENSITIES = (1, 0.5, 0.2, 0.1)
NORMS = {"l2": "$L_2$", "linf": "$L_\\infty$", "clean": "clean"}


def grid(rows: int, columns: int, width: float = 3.1, height: float = 2.6, **options):
    """A figure and its axes (rows, columns), inches a panel."""
    figure = Figure(figsize=(width * columns, height * rows))
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def density_axis(axis) -> None:
    """A logarithmic x axis of toy models' density, sparser to the right."""
    axis.set(xscale="log", xlabel="density $p$ (sparser to the right)")
    axis.set_xticks(DENSITIES, [f"{density:g}" for density in DENSITIES])
    axis.minorticks_off()
    axis.invert_xaxis()


def l0_axis(axis) -> None:
    """A logarithmic x axis of measured L0."""
    axis.set(xscale="log", xlabel="$L_0$ (active latents a row)")
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())


def seed_band(axis, rows, colour, style="-", label=None) -> None:
    """Mean and extremes over seeds against density. rows: of the table toy, sorted by density."""
    axis.plot(rows["density"], rows["mean"], "o", ls=style, ms=3, color=colour, label=label)
    axis.fill_between(rows["density"], rows["low"], rows["high"], color=colour, alpha=0.2, lw=0)


def shades(count: int) -> list:
    """``count`` colours, light to dark, for something that grows."""
    return [mpl.colormaps["viridis_r"](v) for v in np.linspace(0.08, 0.95, count)]


def save(figure: Figure, path: Path) -> None:
    """Write ``path`` (.svg) and a PNG of the same name."""
    for suffix, metadata in ((".png", {"Software": None}), (".svg", {"Date": None})):
        with replacing(path.with_suffix(suffix)) as temporary:
            figure.savefig(temporary, format=suffix[1:], metadata=metadata)
