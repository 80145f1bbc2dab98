"""Figures for a paper: drawn anew from the tables, no wider than a column or a page.

Text stays text: PDF embeds its fonts (type 42), SVG names them.
"""

import importlib
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from interference.analysis.frames import read_frames, shown
from interference.plan import entries
from interference.plan.catalogue import FIGURES
from interference.plan.specs import Specs
from interference.store.files import replacing

#: Widths of a column and of a page of two columns, inches (ICML's, the narrowest of the field's).
COLUMN, PAGE = 3.25, 6.75
#: The smallest letters, points, and the least share of a figure's own height that is kept for them.
LEAST_LETTERS, LEAST_HEIGHT = 5.0, 0.6


@dataclass(frozen=True)
class Drawing:
    """A figure of the catalogue, with the wildcards of one of its jobs."""

    entry: entries.Figure
    which: dict[str, str]

    @property
    def name(self) -> str:
        """Its path under analysis/figures, without a suffix."""
        return self.entry.file.format(**self.which)

    @property
    def caption(self) -> str:
        """What it shows, in a few words."""
        labels = [label.format(**self.which) for label in self.entry.labels.values()]
        return ", ".join([self.entry.category, *(labels or self.which.values())])


def drawings(specs: Specs) -> list[Drawing]:
    """Every figure of an experiment."""
    return [Drawing(entry, which) for entry in FIGURES for which in specs.jobs(entry)]


def draw(drawing: Drawing, specs: Specs, results: Path) -> Figure:
    """Draw a figure from the tables of finished results. Raises StoreError where one is missing."""
    module = importlib.import_module(f"interference.analysis.figures.{drawing.entry.name}")
    declared = inspect.signature(module.draw).parameters
    inputs = {}
    for name, read in specs.inputs(drawing.entry).items():
        paths = [results / path for path in specs.paths(read.path, **drawing.which)]
        one = declared[name].annotation is Path
        inputs[name] = paths[0] if one else shown(read_frames(paths), drawing.which)
    return module.draw(which=drawing.which | specs.fields(drawing.entry), **inputs)


def fit(figure: Figure) -> None:
    """Make a figure as wide as a column, or a page where it is much wider; what is larger shrinks."""
    width, height = figure.get_size_inches()
    target = COLUMN if width <= 1.5 * COLUMN else PAGE
    scale = min(1.0, target / width)
    figure.set_size_inches(width * scale, height * max(scale, LEAST_HEIGHT))
    for text in figure.findobj(Text):
        text.set_fontsize(max(LEAST_LETTERS, text.get_fontsize() * scale))
    for line in figure.findobj(Line2D):
        line.set_linewidth(line.get_linewidth() * max(scale, LEAST_HEIGHT))
        line.set_markersize(line.get_markersize() * max(scale, LEAST_HEIGHT))
    figure.draw_without_rendering()  # places the labels
    for axis in figure.axes:
        boxes = [label.get_window_extent() for label in axis.get_xticklabels() if label.get_text()]
        if any(left.x1 > right.x0 for left, right in pairwise(boxes)):
            axis.tick_params(axis="x", rotation=90)


def save_all(specs: Specs, results: Path, folder: Path) -> Iterator[Drawing]:
    """Write every figure as PDF and SVG into a folder, and yield each when it is there."""
    for drawing in drawings(specs):
        figure = draw(drawing, specs, results)
        fit(figure)
        with mpl.rc_context({"pdf.fonttype": 42, "svg.fonttype": "none"}):
            for suffix, metadata in ((".pdf", {"CreationDate": None}), (".svg", {"Date": None})):
                with replacing(folder / f"{drawing.name}{suffix}") as temporary:
                    figure.savefig(temporary, format=suffix[1:], metadata=metadata)
        yield drawing
