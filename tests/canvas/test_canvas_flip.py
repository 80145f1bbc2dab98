"""The step flip: the same balanced pairs for all networks, and columns that say what they say."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from interference.canvas import flip, learn
from interference.canvas.family import Pool, read_family
from interference.canvas.noise import DRAWS, SIGMA, spread
from interference.canvas.pairs import choose, flips, right
from interference.canvas.streams import NOISE, PAIRS, canvases
from interference.canvas.thresholds import balanced, equal_error, evidence
from interference.compute import generator
from interference.store.tables import read_columns
from tests.support.canvases import composer, family_spec, member, small

pytestmark = pytest.mark.xdist_group("flips")

MEMBERS = [
    member("m6", cells=6, dimensions=6),
    member("m3", cells=6, dimensions=3),
    member("two", cells=6, dimensions=3, read=4),
    member("blocks", cells=6, dimensions=4, blocks={"of": [0, 1] * 3, "dimensions": [3, 1]}),
]
SPEC = family_spec(MEMBERS, flips={"pairs": 40, "steps": 6, "starts": 1})


@pytest.fixture(scope="module")
def family(small_images, tmp_path_factory):
    path = tmp_path_factory.mktemp("flips") / "family.json"
    learn.run(SPEC, small_images, path)
    return path


@pytest.fixture(scope="module")
def tables(small_images, family):
    output = family.with_name("family.flips.parquet")
    flip.run(SPEC, small_images, family, output)
    return {
        name: read_columns(family.with_name(f"family.{name}.parquet"))
        for name in ("flips", "features", "cosines")
    }


@pytest.mark.parametrize("read", [4, 5])
def test_features_come_in_turn_and_each_is_on_and_off_in_turn(read):
    make = composer()
    chosen = choose(make, 3, 6 * read, read)
    for feature in range(read):
        on = chosen.on[chosen.feature == feature]
        assert len(on) == 6
        assert (on[1:] != on[:-1]).all()
    shown = (chosen.images[..., 0, 0, 0] * 4).long() == torch.arange(6) % 4
    assert torch.equal(shown[torch.arange(6 * read), chosen.feature], chosen.on)


def test_every_network_gets_the_same_pairs_and_all_features_are_read(tables):
    flips = tables["flips"]
    of = [flips["network"] == name for name in ("m6", "m3", "two", "blocks")]
    for name in ("canvas", "feature", "on", "region"):
        assert all((flips[name][rows] == flips[name][of[0]]).all() for rows in of)
    assert set(flips["feature"]) == {0, 1, 2, 3}
    assert [rows.sum() for rows in of] == [120] * 4


def test_what_is_right_is_so_by_whole_canvases(small_images, family, tables):
    one, spec = read_family(family)[0][1], SPEC
    make = Pool(small_images, "evaluation", spec).composer(6)
    chosen = choose(make, canvases(0, PAIRS), 40, 4)
    rows = torch.arange(40), chosen.feature
    told = one.network(chosen.images)[rows] > one.thresholds[chosen.feature]
    flips = tables["flips"]
    found = flips["right"][(flips["network"] == "m3") & (flips["region"] == "own")]
    assert found.tolist() == (told == chosen.on).tolist()
    assert right(one, chosen, chosen.images).tolist() == found.tolist()
    assert 0 < found.mean() < 1


def test_certified_radii_are_below_radii_and_there_for_the_first_pairs(tables):
    flips = tables["flips"]
    there = flips["canvas"] < flip.CERTIFIED
    assert np.isnan(flips["certified"][~there]).all()
    assert (flips["certified"][there] <= flips["radius"][there] * (1 + 1e-5)).all()
    assert (flips["certified"][there] > 0).mean() > 0.9


def test_doses_are_those_of_the_features_block(tables):
    for table in (tables["flips"], tables["features"]):
        rows = table["network"] == "blocks"
        known = np.where(table["feature"][rows] % 2, 3.0, 1.0)
        assert (table["block_dose"][rows] == known).all()


def test_only_features_that_are_read_are_measured(tables):
    features, cosines = tables["features"], tables["cosines"]
    rows = features["network"] == "two"
    assert features["feature"][rows].tolist() == [0, 1, 2, 3]
    assert (cosines["network"] == "two").sum() == 6
    assert (cosines["i"] < cosines["j"]).all()
    squares = np.zeros(4)
    mine = cosines["network"] == "two"
    for end in ("i", "j"):
        np.add.at(squares, cosines[end][mine], cosines["cosine"][mine].astype(float) ** 2)
    np.testing.assert_allclose(squares, features["squared_cosines"][rows], rtol=1e-4)


def test_noise_is_that_of_whole_canvases():
    network = small(hidden=7)
    chosen = choose(composer(), 0, 5, 6)
    found = spread(network, chosen, 2)
    for row in range(5):
        noise = torch.randn(DRAWS, 6, 1, 6, 6, generator=generator(2, NOISE, row))
        own = (torch.arange(6) == chosen.feature[row])[:, None, None, None]
        for region, mask in (("all", own | ~own), ("own", own), ("others", ~own)):
            noisy = (chosen.images[row] + SIGMA * noise * mask).clamp(0, 1)
            known = network(noisy)[:, chosen.feature[row]].std()
            torch.testing.assert_close(found[region][row], known, rtol=1e-3, atol=1e-6)


def test_shorter_weights_move_no_least_change(small_images, family):
    """Decoder and bias times 3: logits and thresholds are three times as large, and radii the same."""
    one = read_family(family)[0][1]
    make = Pool(small_images, "evaluation", SPEC).composer(6)
    chosen = choose(make, canvases(0, PAIRS), 12, 4)
    found = []
    for factor in (1, 3):
        with torch.no_grad():
            one.network.W.mul_(factor)
            one.network.b.mul_(factor)
        thresholds = equal_error(balanced(one.network, evidence(one.network, make, 7, 100)))
        scaled = replace(one, thresholds=thresholds)
        found.append((thresholds, flips(scaled, chosen, "all", SPEC["flips"], 0).radius))
    (thresholds, before), (longer, after) = found
    torch.testing.assert_close(longer, 3 * thresholds)
    assert before.isfinite().sum() >= 6
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)
