"""Attacks on fewer images than PGD are held against PGD on the very same images."""

import numpy as np
import pandas as pd
import pytest

from interference.analysis.tables import accuracy, claims

SPEC = {"confidence": 0.95, "attack": "pgd", "epsilon": 1.0}
NETWORKS = ("clean-s0", "clean-s1")
KEY = "strongest-over-pgd"


def predictions(network, attack, kind, norm, right):
    """One attack at one epsilon. right: image → whether the network still has it right."""
    images = list(right)
    return pd.DataFrame({
        "model": network, "model_architecture": "resnet18", "model_norm": "clean",
        "model_epsilon": 0.0, "model_seed": NETWORKS.index(network),
        "attack": attack, "type": kind, "norm": norm, "epsilon": 0.5, "perturbation_norm": 0.5,
        "image": images, "label": 1, "prediction": [1 if right[image] else 2 for image in images],
        "loss": 1.0, "zero_gradients": 0,
    })  # fmt: skip


@pytest.fixture
def tabled(tmp_path):
    """Builds the table accuracy of attacks, each the arguments of `predictions`."""

    def build(*attacks):
        paths = []
        for i, attack in enumerate(attacks):
            paths.append(tmp_path / f"{i}.parquet")
            predictions(*attack).to_parquet(paths[-1])
        return accuracy.build(SPEC, clean=[], attacked=paths)

    return build


def decided(table):
    """The claims of a table, by key."""
    return claims.decide({"accuracy": table}, SPEC).set_index("key")


def share(right, images):
    return sum(right[image] for image in images) / len(images)


def test_the_ensemble_is_beside_pgd_on_its_own_images_whatever_their_order(tabled):
    rng = np.random.default_rng(0)
    attacks, expected = [], {}
    for network in NETWORKS:
        for norm in ("l2", "linf"):
            pgd = {image: bool(rng.random() < 0.5) for image in rng.permutation(50)}
            ensemble = {image: bool(rng.random() < 0.3) for image in range(12)}
            attacks += [(network, f"pgd-{norm}", "pgd", norm, pgd)]
            attacks += [(network, f"few-{norm}", "strongest", norm, ensemble)]
            expected[network, f"few-{norm}"] = share(pgd, ensemble), share(ensemble, ensemble)
            expected[network, f"pgd-{norm}"] = share(pgd, pgd), share(pgd, pgd)
    table = tabled(*attacks)
    assert len(table) == len(expected) == 8
    for row in table.itertuples():
        assert (row.pgd_accuracy, row.accuracy) == pytest.approx(expected[row.model, row.attack])
    lost = [pgd - own for (_, attack), (pgd, own) in expected.items() if "few" in attack]
    check = decided(table).loc[KEY]
    assert check["scope"] == "4 (model, attack, epsilon)"
    assert (check["measured"], check["low"], check["high"]) == pytest.approx(
        (np.mean(lost), min(lost), max(lost))
    )


@pytest.mark.parametrize(
    ("fooled", "verdict"), [(1, "reproduced"), (2, "reproduced"), (0, "not reproduced")]
)
def test_only_the_shared_images_decide(fooled, verdict, tabled):
    # PGD fools one of the first eight images and all others: on all of them it looks the stronger.
    pgd = {image: 0 < image < 8 for image in range(40)}
    ensemble = {image: image >= fooled for image in range(8)}
    network = NETWORKS[0]
    table = tabled(
        (network, "pgd", "pgd", "l2", pgd), (network, "few", "strongest", "l2", ensemble)
    )
    of = table.set_index("attack")["accuracy"]
    assert of["pgd"] < of["few"]
    check = decided(table).loc[KEY]
    assert (check["measured"], check["verdict"]) == ((fooled - 1) / 8, verdict)


@pytest.mark.parametrize("images", [range(10, 20), range(9, 19)])
def test_as_many_other_images_are_not_compared(images, tabled):
    network = NETWORKS[0]
    table = tabled(
        (network, "pgd", "pgd", "l2", dict.fromkeys(range(10), True)),
        (network, "other", "strongest", "l2", dict.fromkeys(images, False)),
    )
    assert set(table["images"]) == {10}
    assert table.set_index("attack")["pgd_accuracy"].isna().to_dict() == {
        "pgd": False, "other": True,
    }  # fmt: skip
    assert KEY not in decided(table).index


def test_pgd_of_another_ball_is_no_measure(tabled):
    right = dict.fromkeys(range(10), True)
    table = tabled(
        (NETWORKS[0], "pgd", "pgd", "linf", right),
        (NETWORKS[1], "pgd", "pgd", "l2", right),
        (NETWORKS[0], "few", "strongest", "l2", dict.fromkeys(range(8), False)),
    )
    assert table.loc[table["attack"] == "few", "pgd_accuracy"].isna().all()
    assert KEY not in decided(table).index


def test_without_pgd_nothing_is_beside_an_attack(tabled):
    table = tabled((NETWORKS[0], "few", "strongest", "l2", dict.fromkeys(range(8), False)))
    assert table["pgd_accuracy"].dtype == float
    assert table["pgd_accuracy"].isna().all()
    assert KEY not in decided(table).index


def test_of_several_pgd_methods_the_mean_is_beside_an_attack(tabled):
    first = {image: image < 6 for image in range(20)}
    second = {image: image < 2 for image in range(20)}
    table = tabled(
        (NETWORKS[0], "pgd", "pgd", "l2", first),
        (NETWORKS[0], "pgd-2", "pgd", "l2", second),
        (NETWORKS[0], "few", "strongest", "l2", dict.fromkeys(range(8), False)),
    )
    beside = table.set_index("attack")["pgd_accuracy"]
    assert beside["few"] == pytest.approx((6 / 8 + 2 / 8) / 2)
    assert decided(table).loc[KEY, "measured"] == pytest.approx(0.5)


def test_too_few_images_of_the_ensemble_leave_the_other_checks_decided(tabled):
    right = {image: image < 5 for image in range(20)}
    table = tabled(
        (NETWORKS[0], "pgd", "pgd", "l2", right),
        (NETWORKS[0], "noise", "noise", "l2", dict.fromkeys(range(20), True)),
        (NETWORKS[0], "few", "strongest", "l2", dict.fromkeys(range(3), False)),
    )
    found = decided(table)
    assert found.loc[KEY, "verdict"] == "undecided"
    assert found.loc[KEY, "why"].startswith("images 3, ")
    assert found.loc["pgd-over-noise", "verdict"] == "reproduced"
