"""The figure of a gallery: tiles are the pictures of its arrays, and text says what they are."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from interference.analysis.figures import gallery
from interference.analysis.figures.gallery import SIGNED, TINT, Page
from interference.analysis.figures.style import ORANGE, RED, save
from interference.store.files import sha256, write_json
from interference.store.tensors import write_tensors

NAMES = ["shirt", "sandal", "a very long name of a class"]
MODEL = {"model": "m", "model_architecture": "resnet18", "model_norm": "l2", "model_epsilon": 1.0,
         "model_seed": 0}  # fmt: skip
SPEC = {"model": MODEL, "layers": ["layer1", "stem"], "type": "topk", "sparsity": 16, "images": 96,
        "attack": "pgd", "epsilon": 0.5, "norm": "l2"}  # fmt: skip
#: Clean images, and strips, of each latent.
TOP, STRIPS = 3, 2


def pictures(latents, channels, side, rng):
    """The arrays of one layer, its latents active in the upper left quarter of an image."""
    where = np.array([[1.0, 0], [0, 0]], np.float32)

    def of(count, *shape, kind="uint8"):
        return rng.integers(0, 256, (latents, count, *shape)).astype(kind)

    scale = np.array([1, 0.5, 0.25], np.float32)
    return {
        "top.image": np.tile([7, 8, -1], (latents, 1)),
        "top.label": np.tile([0, 2, 0], (latents, 1)),
        "top.pixels": of(TOP, channels, side, side),
        "top.map": np.tile(scale[:, None, None] * where, (latents, 1, 1, 1)),
        "strip.image": np.tile([3, 4], (latents, 1)),
        "strip.label": np.tile([0, 1], (latents, 1)),
        "strip.prediction": np.tile([0, 1], (latents, 1)),
        "strip.attacked_prediction": np.tile([1, 1], (latents, 1)),
        "strip.drive": np.ones((latents, STRIPS), np.float32),
        "strip.clean": of(STRIPS, channels, side, side),
        "strip.perturbation": (of(STRIPS, channels, side, side) / 1000 - 0.1).astype(np.float16),
        "strip.attacked": of(STRIPS, channels, side, side),
        "strip.map": np.tile(0.5 * where, (latents, STRIPS, 1, 1)),
    }


@dataclass
class Gallery:
    """A gallery on disk, and its figure."""

    arrays: dict
    latents: pd.DataFrame
    manifest: object

    def draw(self):
        return gallery.draw(self.latents, self.manifest, {"model": "m"})


@pytest.fixture
def make(tmp_path):
    def write(latents=(2, 1), channels=1, side=8):
        rng, arrays, rows = np.random.default_rng(0), {}, []
        for layer, count in zip(("stem", "layer1"), latents):
            own = pictures(count, channels, side, rng)
            arrays |= {f"{layer}.{name}": array for name, array in own.items()}
            facts = {"layer": layer, "woken": 31, "woken_by_noise": 4, "active": 0.125}
            rows += [{**facts, "latent": 10 + i} for i in range(count)]
        path = tmp_path / "gallery.safetensors"
        write_tensors(path, arrays, {})
        manifest = path.with_suffix(".json")
        write_json(manifest, {"spec": SPEC, "sha256": sha256(path), "class_names": NAMES})
        columns = ["layer", "latent", "woken", "woken_by_noise", "active"]
        return Gallery(arrays, pd.DataFrame(rows, columns=columns), manifest)

    return write


def texts(figure):
    return [(text.get_text(), text.get_color()) for text in figure.axes[0].texts]


def tile(figure, left, row):
    """A tile (side, side, 3) by its left edge, of the row-th latent of the first layer."""
    page = page_of(figure)
    top = gallery.HEAD + row * (page.side + gallery.BELOW)
    return np.asarray(figure.axes[0].images[0].get_array())[top : top + page.side, left : left + page.side]  # fmt: skip


def page_of(figure, side=8):
    return Page.of({"top.pixels": np.zeros((0, TOP, 1, side, side)), "top.image": np.zeros((0, TOP)),
                    "strip.image": np.zeros((0, STRIPS))})  # fmt: skip


def enlarged(pixels, side):
    """A picture (channels, n, n) in [0, 1] as (side, side, 3), each pixel repeated."""
    factor = side // pixels.shape[1]
    return np.kron(np.moveaxis(np.broadcast_to(pixels, (3, *pixels.shape[1:])), 0, 2),
                   np.ones((factor, factor, 1)))  # fmt: skip


@pytest.mark.parametrize("channels", [1, 3])
def test_a_clean_tile_is_the_picture_with_every_pixel_repeated(channels, make):
    made = make(channels=channels)
    figure = made.draw()
    page = page_of(figure)
    assert page.side % 8 == 0
    for row in range(2):
        for strip in range(STRIPS):
            expected = made.arrays["stem.strip.clean"][row, strip] / 255
            found = tile(figure, page.strips[strip][0], row)
            np.testing.assert_allclose(found, enlarged(expected, page.side), atol=1e-6)


def test_a_tint_lies_where_the_latent_is_active_the_more_the_stronger_and_nowhere_else(make):
    made = make()
    figure = made.draw()
    page = page_of(figure)
    half, edge = page.side // 2, 2 * gallery.WIDE
    orange = np.array(to_rgb(ORANGE))
    for place, share in ((0, 1), (1, 0.5)):
        plain = enlarged(made.arrays["stem.top.pixels"][0, place] / 255, page.side)
        found = tile(figure, page.top[place], 0)
        np.testing.assert_allclose(found[half:], plain[half:], atol=1e-6)
        np.testing.assert_allclose(found[:, half:], plain[:, half:], atol=1e-6)
        inside = (slice(edge, half - edge),) * 2
        expected = plain + TINT * share * (orange - plain)
        np.testing.assert_allclose(found[inside], expected[inside], atol=1e-6)
        line = np.abs(found[:half, :half] - orange).max(2) < 0.11
        assert line[: gallery.WIDE].all()
        assert line[:, half - gallery.WIDE :].all()


def test_a_perturbation_is_coloured_by_its_mean_over_channels_on_a_symmetric_scale(make):
    made = make(channels=3)
    figure = made.draw()
    page = page_of(figure)
    change = made.arrays["stem.strip.perturbation"][1, 0].astype(float).mean(0)
    every = [
        made.arrays[f"{n}.strip.perturbation"].astype(float).mean(2) for n in ("stem", "layer1")
    ]
    scale = np.quantile(np.abs(np.concatenate([x.ravel() for x in every])), gallery.SHOWN)
    expected = enlarged(np.moveaxis(SIGNED((change / scale + 1) / 2)[..., :3], 2, 0), page.side)
    found = tile(figure, page.strips[0][1], 1)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert f"change of pixels, from −{scale:.2g} to {scale:.2g}, and beyond" in dict(texts(figure))


def test_where_there_is_no_image_there_is_no_tile_and_no_label(make):
    figure = make().draw()
    assert (tile(figure, page_of(figure).top[2], 0) == 1).all()
    labels = [text for text, _ in texts(figure) if text in ("shirt", "sandal", "a very long n…")]
    # of three latents, two clean images and two strips with a prediction before and after
    assert len(labels) == 3 * (2 + 2 * 2)


def test_text_says_what_is_counted_and_red_which_predictions_change(make):
    found = texts(make().draw())
    said = " ".join(text.replace("\n", " ") for text, _ in found)
    assert (
        said.count("woken in 31 of 96 attacked images, 4 under noise; active in 12.5 % of clean")
        == 3
    )
    for name in ("stem, latent 10", "stem, latent 11", "layer1, latent 10"):
        assert said.count(name) == 1
    assert said.index("stem, latent 10") < said.index("layer1, latent 10")
    assert "latents of TopK 16 that pgd wakes, $\\epsilon$ = 0.5" in said
    # sandal: of each latent the first strip's prediction under attack, changed, and the second's two
    assert [colour for text, colour in found if text == "sandal"] == 3 * [RED, "black", "black"]


@pytest.mark.parametrize("latents", [(0, 0), (0, 2), (1, 0)])
def test_a_layer_where_nothing_wakes_says_so(latents, make):
    figure = make(latents).draw()
    nothing = [text.partition(":")[0] for text, _ in texts(figure) if "no latent wakes" in text]
    assert nothing == [layer for layer, n in zip(("stem", "layer1"), latents) if n == 0]


def test_a_figure_has_the_same_bytes_each_time(make, tmp_path):
    made = make((2, 0), side=28)
    for run in ("a", "b"):
        save(made.draw(), tmp_path / f"{run}.svg", {})
    for suffix in (".svg", ".png"):
        first = (tmp_path / f"a{suffix}").read_bytes()
        assert first == (tmp_path / f"b{suffix}").read_bytes()
        assert len(first) > 5000
