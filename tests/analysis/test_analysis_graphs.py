"""Figures of the geometry of toy models, and the layout of their graphs."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PathCollection

from interference.analysis.figures import toy_densities, toy_geometry, toy_interference
from interference.analysis.figures.layout import layout
from interference.analysis.figures.overlaps import LINKED, draw_graph, overlaps
from interference.analysis.figures.style import grid, save

DENSITIES = (1.0, 0.25)


def ring(count):
    """Unit vectors on a circle, (2, count)."""
    angles = 2 * np.pi * np.arange(count) / count
    return np.stack([np.cos(angles), np.sin(angles)])


def blocks(*parts):
    """Weights whose parts have dimensions of their own, and one feature that is not learned."""
    W = np.zeros((sum(len(p) for p in parts), sum(p.shape[1] for p in parts) + 1))
    row = column = 0
    for part in parts:
        W[row : row + len(part), column : column + part.shape[1]] = part
        row, column = row + len(part), column + part.shape[1]
    return W


def pair_rows(W, training, density):
    i, j = np.triu_indices(W.shape[1])
    learned = (W**2).sum(0) > (W**2).sum(0).max() / 2
    return pd.DataFrame({
        "training": training, "density": density, "i": i.astype(np.int16), "j": j.astype(np.int16),
        "overlap": (W.T @ W)[i, j].astype(np.float32), "learned": learned[i] & learned[j],
    })  # fmt: skip


PENTAGON = blocks(ring(5), np.array([[1, -1]]), np.array([[1, -1]]))
PAIRS = np.pad(blocks(*[np.array([[1, -1]])] * 4), ((0, 0), (0, 1)))


def tables(clean, adversarial, densities=DENSITIES):
    """pairs and example as toy/geometry writes them."""
    models = {"clean": clean, "adversarial": adversarial}
    pairs = pd.concat([pair_rows(W, t, d) for t, W in models.items() for d in densities])
    examples = []
    for training, W in models.items():
        n = W.shape[1]
        x = np.where(np.arange(n) % 4 == 0, 0.5, 0.0)
        delta = 0.1 * W.T[:, 0]
        inputs = {"input_clean": x, "input_attacked": x + delta}
        outputs = {
            name.replace("input", "output"): np.maximum(W.T @ W @ value, 0)
            for name, value in inputs.items()
        }
        columns = {"training": training, "density": densities[-1], "feature": np.arange(n)}
        examples.append(pd.DataFrame(columns | inputs | outputs))
    return pairs, pd.concat(examples)


def drawings(pairs, example):
    return {
        "toy_geometry": lambda: toy_geometry.draw(pairs, example, {}),
        "toy_interference": lambda: toy_interference.draw(pairs, example, {}),
        "toy_densities": lambda: toy_densities.draw(pairs, {}),
    }


def test_the_gram_matrix_comes_back_from_the_pairs():
    pairs, _ = tables(PENTAGON, PAIRS)
    shuffled = pairs.sample(frac=1, random_state=0)
    found = overlaps(shuffled, "clean", 0.25)
    np.testing.assert_allclose(found.gram, PENTAGON.T @ PENTAGON, atol=1e-7)
    assert found.learned.tolist() == [True] * 9 + [False]
    off = ~np.eye(10, dtype=bool)
    assert found.interference == pytest.approx(((PENTAGON.T @ PENTAGON)[off] ** 2).mean())


def test_pairs_triangles_and_pentagons_are_linked_as_they_are():
    for count, links in ((2, 1), (3, 3), (5, 5), (4, 2)):  # a square is two antipodal pairs
        W = np.array([[1, -1]]) if count == 2 else ring(count)
        pairs = pair_rows(blocks(W), "clean", 1.0)
        assert overlaps(pairs, "clean", 1.0).linked.sum() // 2 == links
    assert LINKED < 0.25  # a triangle's


def cycle(count):
    linked = np.zeros((count, count), bool)
    for k in range(count):
        linked[k, (k + 1) % count] = linked[(k + 1) % count, k] = count > 1
    return linked


@pytest.mark.parametrize("count", [2, 3, 4, 5, 6])
def test_a_cycle_is_drawn_as_a_regular_polygon(count):
    linked = cycle(count)
    points, component = layout(linked)
    lengths = [np.linalg.norm(points[a] - points[b]) for a, b in zip(*np.nonzero(linked))]
    np.testing.assert_allclose(lengths, lengths[0], rtol=0.01)
    assert lengths[0] > 0.5
    radii = np.linalg.norm(points - points.mean(0), axis=1)
    np.testing.assert_allclose(radii, radii[0], rtol=0.01)
    assert set(component) == {0}


def test_components_are_apart_and_the_largest_is_first():
    parts = [cycle(2), cycle(5), cycle(1), cycle(2), cycle(3)]
    size = sum(map(len, parts))
    linked, expected, start = np.zeros((size, size), bool), np.zeros(size, int), 0
    for part, number in zip(parts, (2, 0, 4, 3, 1)):
        where = slice(start, start + len(part))
        linked[where, where], expected[where], start = part, number, start + len(part)
    points, component = layout(linked)
    assert component.tolist() == expected.tolist()
    for a, b in combinations(range(5), 2):
        gaps = np.linalg.norm(points[component == a][:, None] - points[component == b], axis=-1)
        assert gaps.min() > 0.99


def test_nodes_of_a_crowded_graph_do_not_coincide_and_lie_the_same_each_time():
    random = np.random.default_rng(0)
    linked = np.triu(random.random((60, 60)) < 0.2, 1)
    linked |= linked.T
    points, _ = layout(linked)
    distances = np.linalg.norm(points[:, None] - points, axis=-1) + np.eye(60) * 9
    assert np.median(distances.min(1)) >= 0.69
    assert distances.min() > 0.05
    np.testing.assert_array_equal(layout(linked)[0], points)


@pytest.mark.parametrize("count", [0, 1, 7])
def test_a_graph_without_links_is_drawn(count):
    points, component = layout(np.zeros((count, count), bool))
    assert points.shape == (count, 2)
    assert component.tolist() == list(range(count))
    assert len({tuple(point) for point in points}) == count


def test_an_edge_is_wider_and_darker_where_features_overlap_more():
    W = blocks(np.array([[1, -1]]), np.array([[0.8, -0.8]]))
    _, axes = grid(1, 1)
    draw_graph(axes[0, 0], overlaps(pair_rows(W, "clean", 1.0), "clean", 1.0), size=3)
    (lines,) = [c for c in axes[0, 0].collections if isinstance(c, LineCollection)]
    widths, alphas = lines.get_linewidths(), lines.get_colors()[:, 3]
    assert widths[0] / widths[1] == pytest.approx(1 / 0.8**2)
    assert alphas == pytest.approx([1, 0.8**4])


def test_the_densities_figure_has_a_row_a_training_and_a_column_a_density():
    pairs, _ = tables(PENTAGON, PAIRS)
    figure = toy_densities.draw(pairs, {})
    assert [axis.get_title() for axis in figure.axes[:2]] == [
        "density $p=1$",
        "density $p=0.25$",
    ]
    assert [axis.get_xlabel() for axis in figure.axes] == 2 * ["9 features, 7 links"] + 2 * [
        "8 features, 4 links"
    ]


def test_the_geometry_figure_marks_what_is_active_and_what_moves():
    pairs, example = tables(PENTAGON, PAIRS)
    figure = toy_geometry.draw(pairs, example, {})
    nodes, rings = (c for c in figure.axes[0].collections if isinstance(c, PathCollection))
    colours = nodes.get_facecolors()
    active = (colours == colours[0]).all(1)  # feature 0 is active in the input
    assert active.tolist() == [k % 4 == 0 for k in range(9)]
    rows = example[example["training"] == "clean"]
    change = (rows["output_attacked"] - rows["output_clean"]).abs().to_numpy()
    moved = change[:9].argsort(kind="stable")[-toy_geometry.MOVED :]
    expected = {tuple(point) for point in nodes.get_offsets()[moved].round(6).tolist()}
    marked = {tuple(point) for point in rings.get_offsets().round(6).tolist()}
    assert marked <= expected
    assert len(marked & expected) >= 3  # the unlearned feature may be among those that move
    loss = ((rows["output_attacked"] - rows["input_clean"]) ** 2).mean()
    assert f"attacked {loss:.3g}" in figure.axes[0].get_title()


def test_the_interference_figure_shares_order_and_colours():
    pairs, example = tables(PENTAGON, PAIRS)
    clean, robust, *_ = toy_interference.draw(pairs, example, {}).axes
    shown = [axis.get_images()[0] for axis in (clean, robust)]
    assert shown[0].get_clim() == shown[1].get_clim() == (-1, 1)
    for image, W in zip(shown, (PENTAGON, PAIRS)):
        matrix = np.asarray(image.get_array())
        expected = np.sort((W.T @ W).ravel())
        np.testing.assert_allclose(np.sort(matrix.ravel()), expected, atol=1e-6)
    pairs_first = np.asarray(shown[1].get_array())
    np.testing.assert_allclose(pairs_first[:8, :8], np.kron(np.eye(4), [[1, -1], [-1, 1]]))


@pytest.mark.parametrize("name", ["toy_geometry", "toy_interference", "toy_densities"])
def test_a_figure_has_the_same_bytes_each_time_and_leaves_its_tables_alone(name, tmp_path):
    pairs, example = tables(PENTAGON, PAIRS)
    before = pairs.copy(), example.copy()
    for run in ("a", "b"):
        save(drawings(pairs, example)[name](), tmp_path / f"{run}.svg", {})
    for suffix in (".svg", ".png"):
        first = (tmp_path / f"a{suffix}").read_bytes()
        assert first == (tmp_path / f"b{suffix}").read_bytes()
    pd.testing.assert_frame_equal(pairs, before[0])
    pd.testing.assert_frame_equal(example, before[1])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["toy_geometry", "toy_interference", "toy_densities"])
@pytest.mark.parametrize("W", [np.array([[1.0, -1.0]]), np.zeros((1, 2))], ids=["pair", "nothing"])
def test_one_density_and_one_pair_are_drawn(name, W, tmp_path):
    save(drawings(*tables(W, W, densities=(0.5,)))[name](), tmp_path / "small.svg", {})
