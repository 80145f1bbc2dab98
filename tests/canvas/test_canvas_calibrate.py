"""The ruler: what varies, proxies that order planted superposition, scales, and measures of one's own."""

import numpy as np
import pytest

from interference.canvas import calibrate, learn
from interference.canvas.family import read_family
from interference.canvas.proxies import Activations, MeasureError, of_saes, own_measure
from interference.store.tables import read_columns
from tests.support.canvases import family_spec, member

pytestmark = pytest.mark.xdist_group("ruler")

RULER = {
    "rows": 300,
    "k": 2,
    "expansion_factor": 4,
    "steps": 60,
    "batch_size": 64,
    "learning_rate": 0.005,
    "densities": [0.1],
    "scales": [0.25, 1.0],
    "epsilon": 0.5,
    "measures": ["numpy:size"],
}
SPEC = {"regime": family_spec([])["regime"], "halved": True, "seed": 0, "ruler": RULER}
DOSE = [member("m6", cells=6, dimensions=6), member("m2", cells=6, dimensions=2)]
FACTORIAL = [
    member("n4-m2", cells=4, dimensions=2),
    member("n6-m2", cells=6, dimensions=2),
    member("n8-m4", cells=8, dimensions=4),
]


@pytest.fixture(scope="module")
def families(small_images, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ruler")
    paths = [folder / "factorial.json", folder / "dose.json"]
    for path, members in zip(paths, (FACTORIAL, DOSE)):
        learn.run(family_spec(members, family=path.stem), small_images, path)
    return paths


@pytest.fixture(scope="module")
def table(small_images, families):
    output = families[0].with_name("s0.proxies.parquet")
    calibrate.run(SPEC, small_images, families, output)
    return read_columns(output)


def test_each_thing_varies_while_the_others_stay(families):
    factorial, dose = (read_family(path)[0] for path in families)
    found = [
        (point.vary, point.value, point.member.name, point.density, point.scale)
        for point in calibrate.points(dose, factorial, SPEC)
    ]
    assert found == [
        ("dose_n", 4, "n4-m2", 0.2, 1.0),
        ("dose_n", 6, "n6-m2", 0.2, 1.0),
        ("dose_m", 6, "m6", 0.2, 1.0),
        ("dose_m", 2, "m2", 0.2, 1.0),
        ("width", 2, "n4-m2", 0.2, 1.0),
        ("width", 4, "n8-m4", 0.2, 1.0),
        ("density", 0.1, "m2", 0.1, 1.0),
        ("density", 0.2, "m2", 0.2, 1.0),
        ("scale", 0.25, "m2", 0.2, 0.25),
        ("scale", 1.0, "m2", 0.2, 1.0),
    ]


def test_every_proxy_is_measured_at_every_point(table):
    names = {"fvu", "fvu_over_gaussian", "pca_fvu", "effective_features", "psi", "coherence",
             "woken", "interference_to_signal", "squared_cosines", "numpy:size"}  # fmt: skip
    assert set(table["proxy"]) == names
    assert len(table["value"]) == 10 * len(names)
    assert np.isfinite(table["value"]).all()


def values(table, vary, proxy):
    return table["value"][(table["vary"] == vary) & (table["proxy"] == proxy)]


def test_what_is_known_follows_no_scale_and_a_measure_of_ones_own_gets_the_rows(table):
    for proxy in ("interference_to_signal", "squared_cosines", "pca_fvu"):
        low, high = values(table, "scale", proxy)
        assert low == pytest.approx(high, rel=1e-4)
    assert values(table, "dose_m", "numpy:size").tolist() == [300 * 6, 300 * 2]


@pytest.mark.parametrize("name", ["numpy", "numpy:nothing", "no.such.module:f", ":f"])
def test_a_measure_that_is_not_there_is_refused(name):
    with pytest.raises(MeasureError, match=r"ruler\.measures"):
        own_measure(name)


def sparse(count, features, d, seed):
    """Sparse features on random directions, standardised."""
    rng = np.random.default_rng(seed)
    directions = np.random.default_rng(features).standard_normal((features, d))
    rows = (
        rng.random((count, features)) * (rng.random((count, features)) < 1.5 / features)
    ) @ directions
    return ((rows - rows.mean(0)) / rows.std(0)).astype(np.float32)


def test_the_fvu_at_fixed_k_and_the_effective_features_order_planted_features():
    ruler = RULER | {"steps": 300, "rows": 1500, "expansion_factor": 8}
    found = []
    for features in (4, 12, 48):
        parts = [sparse(1500, features, 8, seed) for seed in (1, 2, 3, 3)]
        found.append(of_saes(Activations(*parts), ruler, 0))
    for proxy in ("fvu", "effective_features", "psi"):
        assert found[0][proxy] < found[1][proxy] < found[2][proxy], proxy
    assert all(each["woken"] == 1 for each in found)
    assert found[0]["fvu_over_gaussian"] < 0.9
    rng = np.random.default_rng(0)
    gaussian = [rng.standard_normal((1500, 8)).astype(np.float32) for _ in range(4)]
    of_gaussian = of_saes(Activations(*gaussian), ruler, 0)["fvu_over_gaussian"]
    assert of_gaussian == pytest.approx(1, abs=0.1)
