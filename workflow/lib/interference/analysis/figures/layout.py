"""Places the nodes of a graph: its connected components apart, each by its distances.

Within a component, points are placed so that their distances are close to the numbers of edges
between nodes (stress majorisation, Gansner, Koren & North 2004): pairs become segments, cycles
polygons. Numpy alone, and the same every time.
"""

import numpy as np

#: Random starts per component, of which that of least stress is kept, and rounds per start.
STARTS, ROUNDS = 4, 150
#: In edge lengths: room between components, and between the nearest nodes of a crowded one.
GAP, CROWDED = 1.0, 0.7
#: Widths of the page that are tried, over the side of a square of the area of all boxes.
PAGES = (1.0, 1.1, 1.2, 1.35, 1.5)
#: Keeps a division by the distance of coinciding points finite.
TINY = 1e-9


def layout(linked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions of nodes, (k, 2) float64 in edge lengths, and the number of the component that each
    is in, (k,) int, the largest 0.

    linked: which nodes have an edge between them, (k, k) bool, symmetric.
    """
    hops = _hops(linked)
    reached = np.isfinite(hops)
    first = reached.argmax(axis=1) if len(hops) else np.zeros(0, int)
    heads, sizes = np.unique(first, return_counts=True)
    heads = heads[np.argsort(-sizes, kind="stable")]
    members = [np.flatnonzero(first == head) for head in heads]
    points, component = np.zeros((len(hops), 2)), np.zeros(len(hops), int)
    parts = _squarest([_place(hops[np.ix_(part, part)]) for part in members])
    for number, (part, placed) in enumerate(zip(members, parts)):
        points[part], component[part] = placed, number
    return points, component


def _hops(linked: np.ndarray) -> np.ndarray:
    """Edges on the shortest path of every two nodes, (k, k) float64, infinite where there is none."""
    hops = np.where(linked, 1.0, np.inf)
    np.fill_diagonal(hops, 0)
    for k in range(len(hops)):
        hops = np.minimum(hops, hops[:, k : k + 1] + hops[k])
    return hops


def _place(hops: np.ndarray) -> np.ndarray:
    """Positions of one component's nodes, (k, 2) float64, its longer side lying.

    hops: edges on the shortest path of every two nodes, (k, k), finite.
    """
    if len(hops) == 1:
        return np.zeros((1, 2))
    off = ~np.eye(len(hops), dtype=bool)
    weights = np.where(off, 1 / np.where(off, hops, 1) ** 2, 0)
    inverse = np.linalg.pinv(np.diag(weights.sum(1)) - weights)
    random = np.random.default_rng(0)
    candidates = []
    for _ in range(STARTS):
        points = random.normal(size=(len(hops), 2))
        for _ in range(ROUNDS):
            pull = -weights * hops / np.maximum(_distances(points), TINY)
            np.fill_diagonal(pull, -pull.sum(1))
            points = inverse @ (pull @ points)
        stress = float((weights * (_distances(points) - hops) ** 2).sum())
        candidates.append((stress, points))
    _, points = min(candidates, key=lambda candidate: candidate[0])
    points = (points - points.mean(0)) @ np.linalg.svd(points - points.mean(0))[2].T
    nearest = np.median(np.where(off, _distances(points), np.inf).min(1))
    return points * max(1, CROWDED / max(nearest, TINY))


def _distances(points: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points[:, None] - points, axis=-1)


def _squarest(parts: list[np.ndarray]) -> list[np.ndarray]:
    """Pack components onto that one of a few pages on which they take the smallest square."""
    if not parts:
        return parts
    sizes = [np.ptp(part, axis=0) + GAP for part in parts]
    side = sum(width * height for width, height in sizes) ** 0.5
    widest = max(width for width, _ in sizes)
    packed = [_pack(parts, sizes, max(share * side, widest)) for share in PAGES]
    return min(packed, key=lambda moved: np.ptp(np.concatenate(moved), axis=0).max().round(6))


def _pack(parts: list[np.ndarray], sizes: list[np.ndarray], page: float) -> list[np.ndarray]:
    """Move components onto shelves of a page of some width, the tallest first."""
    order = sorted(range(len(parts)), key=lambda k: -round(sizes[k][1], 6))
    moved, left, top, shelf = list(parts), 0.0, 0.0, 0.0
    for k in order:
        width, height = sizes[k]
        if left + width > page + TINY:
            left, top, shelf = 0.0, top - shelf, 0.0
        shelf = max(shelf, height)
        moved[k] = parts[k] - parts[k].min(0) + (left, top - height)
        left += width
    return moved
