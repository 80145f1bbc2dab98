"""Attacks between MLPs: the table and points of the figure beside a count by hand; planted sharing and nulls."""

import numpy as np
import pytest

from interference.analysis import sharing
from interference.analysis.between import OVERLAPPING
from interference.analysis.figures.overlap import points
from interference.analysis.sharing import CONTROLS, shared
from interference.analysis.statistics import rank_correlation
from interference.analysis.tables import claims
from interference.analysis.tables import overlap as table
from tests.support import rivalry
from tests.support.nulls import DEALS, hold

SPEC = {"confidence": 0.95}
#: Deals that a null is held against.
AGAINST = 200


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    inputs = rivalry.written(tmp_path_factory.mktemp("overlap"))["overlap"]
    return table.build({}, **inputs)


def named(rows):
    """Rows with the names of both networks."""
    for side in ("source", "target"):
        columns = [f"{side}_{name}" for name in table.NETWORK]
        rows[side] = rows[columns].astype(str).agg("-".join, axis=1)
    return rows


def decided(draw, sharing, column="matched"):
    rows = named(rivalry.overlaps(draw=draw, sharing=sharing, column=column))
    alike = [rows[f"source_{name}"] == rows[f"target_{name}"] for name in ("width", "epsilon")]
    found = claims.decide({"overlap": rows.assign(alive=True, alike=alike[0] & alike[1])}, SPEC)
    return found.set_index("key")


def test_who_has_given_up_counts_with_nobody_and_those_that_differ_by_seed_alone_are_alike(built):
    """Planted: 8 units give ten classes up at the largest epsilon."""
    networks = 2 * 2 * len(rivalry.SEEDS)
    assert len(built) == networks * (networks - 1)
    for row in built.sample(200, random_state=0).itertuples():
        gone = [(row.source_width, row.source_epsilon), (row.target_width, row.target_epsilon)]
        assert row.alive == ((8, 0.3) not in gone)
        assert row.alike == (gone[0] == gone[1])
        assert row.source == f"h{row.source_width}-{row.source_epsilon:g}-s{row.source_seed}"
    assert built["alike"].sum() == 4 * 6 * 5


def test_a_point_is_two_networks_that_were_trained_alike_or_two_kinds_over_all_seeds(built):
    found = points(built)
    # three kinds are left
    assert found["alike"].value_counts().to_dict() == {True: 3 * 15, False: 3}
    assert set(found.loc[found["alike"], "pairs"]) == {2}
    assert set(found.loc[~found["alike"], "pairs"]) == {2 * 36}
    alive = built[built["alive"]]
    of_two = alive[
        alive["source"].isin(["h8-0-s1", "h8-0-s4"]) & alive["target"].isin(["h8-0-s1", "h8-0-s4"])
    ]
    row = found[
        (found["one"] == "8 units, clean, seed 1") & (found["other"] == "8 units, clean, seed 4")
    ]
    assert row["success"].item() == pytest.approx(of_two["success"].mean())
    assert row["matched"].item() == pytest.approx(of_two["matched"].iloc[0])
    sides = (
        (alive["source_width"], alive["source_epsilon"]),
        (alive["target_width"], alive["target_epsilon"]),
    )
    first, second = (((8, 0.0), (32, 0.3)), ((32, 0.3), (8, 0.0)))
    kinds = sum(
        (sides[0][0] == a[0]) & (sides[0][1] == a[1]) & (sides[1][0] == b[0]) & (sides[1][1] == b[1])
        for a, b in (first, second)
    )  # fmt: skip
    two = {"8 units, clean", "32 units, ε = 0.3"}
    row = found[[{one, other} == two for one, other in zip(found["one"], found["other"])]]
    assert row["success"].item() == pytest.approx(alive.loc[kinds > 0, "success"].mean())


@pytest.mark.parametrize("column", ["cka", "matched", "interference"])
def test_a_planted_sharing_is_found_by_its_measure_and_by_no_other(column):
    found = decided(0, 0.4, column)
    assert set(found.index) == {claim.key for claim in OVERLAPPING}
    own = found.index.str.startswith(f"rivals-overlap-{column}")
    assert set(found.loc[own, "verdict"]) == {"reproduced"}
    assert found.loc[own, "measured"].min() > 0.5
    # of those alike there are too few pairs to say so much
    strange = ~own & found.index.str.endswith("-all")
    assert found.loc[strange, "measured"].abs().max() < 0.15


def test_without_sharing_a_claim_is_hardly_ever_reproduced(monkeypatch):
    monkeypatch.setattr(sharing, "DEALS", AGAINST)
    # one in forty by chance: in 200 draws each claim is *reproduced* 5 to 10 times, in 20 once twice
    hold("overlap", [decided(draw, 0.0).reset_index() for draw in range(2 * DEALS)])


def test_what_a_measure_says_beyond_another_is_without_what_both_say():
    """Success hangs on CKA; another measure follows CKA, and nothing else."""
    rows = named(rivalry.overlaps(sharing=0.4, column="cka"))
    rng = np.random.default_rng(0)
    pairs = [
        frozenset(pair)
        for pair in zip(*(
            zip(*(rows[f"{side}_{name}"] for name in table.NETWORK)) for side in ("source", "target")
        ))
    ]  # fmt: skip
    drawn = {pair: rng.normal(0, 0.05) for pair in dict.fromkeys(pairs)}
    rows["matched"] = rows["cka"] + [drawn[pair] for pair in pairs]
    alone = shared(rows, SPEC, among="all", likeness="matched")
    beyond = shared(rows, SPEC, among="all", likeness="matched", beyond=("cka",))
    assert alone.low > 0.3
    assert abs(beyond.value) < 0.1
    # the correlation itself, by residuals
    chosen = ["success", "matched", *CONTROLS, "cka"]
    values = rows[chosen].rank().to_numpy()
    columns = np.column_stack([np.ones(len(rows)), values[:, 2:]])
    left = values[:, :2] - columns @ np.linalg.lstsq(columns, values[:, :2], rcond=None)[0]
    by_hand = np.corrcoef(left.T)[0, 1]
    assert beyond.value == pytest.approx(by_hand, abs=0.02)  # less the mean over deals, about 0
    assert abs(rank_correlation(rows["matched"].to_numpy(), rows["cka"].to_numpy())) > 0.9
