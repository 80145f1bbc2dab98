"""What an attack wakes in one network, to be seen: a row per latent, of each layer a few.

Left the clean images on which the latent fires most; right attacked images in which it wakes: clean,
perturbation, attacked. A tint says where it fires. All tiles are composed into one image, pixel by pixel,
over which text is placed, since some 200 panels would be slow to draw.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from interference.analysis.figures.style import (
    NORMS,
    ORANGE,
    RED,
    epsilon_text,
    regimes,
)
from interference.analysis.frames import SAE_TYPES
from interference.store.tensors import read_described

#: Pixels per inch, those of a saved PNG. All lengths here are in pixels.
DPI = 150
#: The side of a tile, about; between tiles; between groups of tiles; what is said below a tile.
TILE, GAP, APART, BELOW = 90, 4, 20, 20
#: What is said of all, of a latent, and of a layer without any; around all; between layers.
HEAD, BESIDE, EMPTY, MARGIN, BREAK = 118, 200, 26, 16, 16
#: Height of a bar of colours.
BAR = 10
#: Share of the tint where a latent is the most active, and of the line around where it is more than half
#: as active as it gets in the image.
TINT, LINE = 0.5, 0.9
#: Width of that line.
WIDE = 2
#: Share of the pixels' changes that the colours tell apart; the largest saturate.
SHOWN = 0.99
#: Perturbations: red is brighter, blue is darker.
SIGNED = mpl.colormaps["RdBu_r"]
#: Characters of a class name at most.
LONGEST = 14


class Tile(NamedTuple):
    """One of the images of a row.

    left: its left edge. rgb: (side, side, 3) float64 in [0, 1]. label: what it is of. colour: of the label.
    """

    left: int
    rgb: np.ndarray
    label: str = ""
    colour: str = "black"


class Page(NamedTuple):
    """Where tiles stand.

    side: of a tile. top: left edges of the clean images. strips: of the three images of each strip.
    """

    side: int
    top: list[int]
    strips: list[list[int]]

    @classmethod
    def of(cls, some: Mapping[str, np.ndarray]) -> "Page":
        """Lay out the images of a layer's arrays. Each of their pixels becomes a whole number of pixels."""
        top, strips = (some[f"{kind}.image"].shape[1] for kind in ("top", "strip"))
        pixels = some["top.pixels"].shape[-1]
        side = pixels * max(1, round(TILE / pixels))
        step, left = side + GAP, MARGIN + BESIDE
        first = left + top * step + APART
        starts = [first + i * (3 * step + APART) for i in range(strips)]
        return cls(side, [left + i * step for i in range(top)],
                   [[start + i * step for i in range(3)] for start in starts])  # fmt: skip

    @property
    def right(self) -> int:
        """The right edge of the last tile."""
        return max(*self.top, *(strip[-1] for strip in self.strips)) + self.side


def draw(latents: pd.DataFrame, pictures: Path, which: dict) -> Figure:
    """Draw one network.

    latents: one row per latent of the gallery. pictures: the gallery's manifest. which: ``model``.
    """
    arrays, manifest = read_described(pictures)
    spec, names = manifest["spec"], manifest["class_names"]
    layers = _by_layer(arrays, spec["layers"])
    page, scale = Page.of(next(iter(layers.values()))), _scale(layers.values())
    heights = [len(own["top.image"]) * (page.side + BELOW) or EMPTY for own in layers.values()]
    shape = HEAD + sum(heights) + BREAK * len(layers), page.right + MARGIN
    figure, axis, canvas = *_blank(shape), np.ones((*shape, 3))
    _head(axis, canvas, page, spec, scale)
    top = HEAD
    for (layer, own), height in zip(layers.items(), heights):
        axis.hlines(top - BREAK / 2, MARGIN, page.right, color="black", lw=0.4)
        facts = latents[latents["layer"] == layer].to_dict("records")
        for i, fact in enumerate(facts):
            row = top + i * (page.side + BELOW)
            _beside(axis, row, fact, spec)
            for tile in _tiles(page, {n: a[i] for n, a in own.items()}, names, scale):
                _place(axis, canvas, row, tile)
        if not facts:
            said = f"{layer}: no latent wakes in more images under attack than under noise"
            axis.text(MARGIN, top, said, fontsize=7, va="top")
        top += height + BREAK
    axis.imshow(canvas, extent=(0, shape[1], shape[0], 0), interpolation="none", zorder=0)
    return figure


def _by_layer(
    arrays: Mapping[str, np.ndarray], layers: Iterable[str]
) -> dict[str, dict[str, np.ndarray]]:
    """Return the arrays of each layer under their names in it, in the network's order."""
    ordered = sorted(layers, key=lambda layer: (layer != "stem", layer))
    return {
        layer: {
            n.removeprefix(f"{layer}."): a for n, a in arrays.items() if n.startswith(f"{layer}.")
        }
        for layer in ordered
    }


def _scale(layers: Iterable[Mapping[str, np.ndarray]]) -> float:
    """Return the change of a pixel, mean over channels, at which colours saturate."""
    changes = [np.abs(_mean(own["strip.perturbation"])).ravel() for own in layers]
    return float(np.quantile(np.concatenate([*changes, [0]]), SHOWN)) or 1.0


def _mean(perturbation: np.ndarray) -> np.ndarray:
    """Return the mean over channels of perturbations (…, channels, height, width), in float64."""
    return perturbation.mean(-3, dtype=np.float64)


def _blank(shape: tuple[int, int]) -> tuple[Figure, Axes]:
    """Make a figure of (height, width) pixels with one axis, in which places are pixels."""
    figure = Figure(figsize=(shape[1] / DPI, shape[0] / DPI))
    figure.set_layout_engine("none")
    axis = figure.add_axes((0, 0, 1, 1))
    axis.axis("off")
    return figure, axis


def _tiles(
    page: Page, own: Mapping[str, np.ndarray], names: Sequence[str], scale: float
) -> Iterator[Tile]:
    """Yield the tiles of one latent. own: its arrays, without the axis of latents."""
    most = max(own["top.map"].max(), own["strip.map"].max()) or 1.0
    maps = {kind: own[f"{kind}.map"] / most for kind in ("top", "strip")}
    for i in np.flatnonzero(own["top.image"] >= 0):
        tinted = _tinted(_rgb(own["top.pixels"][i], page.side), maps["top"][i])
        yield Tile(page.top[i], tinted, _name(names, own["top.label"][i]))
    for i in np.flatnonzero(own["strip.image"] >= 0):
        clean, perturbation, attacked = page.strips[i]
        before, after = own["strip.prediction"][i], own["strip.attacked_prediction"][i]
        colour = "black" if after == before else RED
        yield Tile(clean, _rgb(own["strip.clean"][i], page.side), _name(names, before))
        yield Tile(
            perturbation, _signed(own["strip.perturbation"][i], page.side, scale), "→", colour
        )
        tinted = _tinted(_rgb(own["strip.attacked"][i], page.side), maps["strip"][i])
        yield Tile(attacked, tinted, _name(names, after), colour)


def _place(axis: Axes, canvas: np.ndarray, top: int, tile: Tile) -> None:
    """Put a tile with a thin frame on the canvas, and its label below."""
    side = len(tile.rgb)
    rows, columns = slice(top, top + side), slice(tile.left, tile.left + side)
    canvas[top - 1 : top + side + 1, tile.left - 1 : tile.left + side + 1] = 0.7
    canvas[rows, columns] = tile.rgb
    axis.text(tile.left + side / 2, top + side + 3, tile.label, fontsize=5.5, ha="center", va="top",
              color=tile.colour)  # fmt: skip


def _enlarged(image: np.ndarray, side: int) -> np.ndarray:
    """Repeat the pixels of an image (height, width, …) until it has so many per side."""
    rows, columns = (np.arange(side) * n // side for n in image.shape[:2])
    return image[rows][:, columns]


def _rgb(pixels: np.ndarray, side: int) -> np.ndarray:
    """Turn pixels (channels, height, width) uint8, of one or three channels, into a tile."""
    colours = np.broadcast_to(pixels / 255, (3, *pixels.shape[1:]))
    return _enlarged(np.moveaxis(colours, 0, 2), side)


def _tinted(rgb: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Lay a tint over a tile, and a line around where it is strong. share: (…, …) of a map, in [0, 1]."""
    share = _enlarged(share, len(rgb))
    strong = share > share.max() / 2
    inner = strong.copy()
    for axis, shift in itertools.product((0, 1), (-WIDE, WIDE)):
        inner &= np.roll(np.pad(strong, WIDE), shift, axis)[WIDE:-WIDE, WIDE:-WIDE]
    opacity = np.where(strong & ~inner, LINE, TINT * share)[..., None]
    return (1 - opacity) * rgb + opacity * np.array(to_rgb(ORANGE))


def _signed(perturbation: np.ndarray, side: int, scale: float) -> np.ndarray:
    """Colour a perturbation (channels, height, width), the mean over channels, from −scale to scale."""
    return _enlarged(SIGNED((_mean(perturbation) / scale + 1) / 2)[..., :3], side)


def _name(names: Sequence[str], label: int) -> str:
    """The name of a class, short enough for a tile."""
    name = names[label]
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def _beside(axis: Axes, top: int, fact: Mapping, spec: Mapping) -> None:
    """Say what is counted of a latent."""
    said = (
        f"woken in {fact['woken']} of {spec['images']}\nattacked images,\n"
        f"{fact['woken_by_noise']} under noise;\nactive in {100 * fact['active']:.3g} % of\nclean images"
    )
    axis.text(
        MARGIN,
        top,
        f"{fact['layer']}, latent {fact['latent']}",
        fontsize=7,
        weight="bold",
        va="top",
    )
    axis.text(MARGIN, top + 18, said, fontsize=6, va="top", linespacing=1.1)


def _head(axis: Axes, canvas: np.ndarray, page: Page, spec: Mapping, scale: float) -> None:
    """Say what is drawn, and by which scales."""
    (regime,) = regimes(pd.DataFrame([spec["model"]]))
    epsilon = epsilon_text(spec["norm"], spec["epsilon"])
    title = (
        f"{spec['model']['model_architecture']}, {regime.label}, seed {spec['model']['model_seed']}: latents "
        f"of {SAE_TYPES[spec['type']]} {spec['sparsity']:g} that {spec['attack']} wakes, "
        f"$\\epsilon$ = {epsilon} ({NORMS[spec['norm']]})"
    )
    axis.text(MARGIN, MARGIN, title, fontsize=10, va="top")
    line = HEAD - BREAK - 6
    axis.text(
        page.top[0], line, "clean images on which it fires most, and where", fontsize=7, va="bottom"
    )
    for strip in page.strips:
        for left, said in zip(strip, ("clean", "perturbation", "attacked")):
            axis.text(left + page.side / 2, line, said, fontsize=7, ha="center", va="bottom")
    share = np.tile(np.linspace(0, 1, page.side), (page.side, 1))
    bars = {
        page.top[0]: (
            _tinted(np.ones((*share.shape, 3)), share),
            "activation, from 0 to the row's largest; line: above half the image's",
        ),
        page.strips[0][0]: (
            SIGNED(share)[..., :3],
            f"change of pixels, from −{scale:.2g} to {scale:.2g}, and beyond",
        ),
    }
    top = MARGIN + 36
    for left, (bar, said) in bars.items():
        canvas[top : top + BAR, left : left + page.side] = bar[:BAR]
        axis.text(left + page.side + 8, top + BAR / 2, said, fontsize=6, va="center")
