"""L0 compared fairly, against loops over images and networks whose answer is known."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from interference.analysis.figures import fair as figure
from interference.analysis.tables import claims, fair

SPEC = {
    "attack": "pgd",
    "epsilon": 1.0,
    "noise": "noise",
    "confidence": 0.95,
    "resamples": 200,
    "seed": 0,
}
EPSILONS, IMAGES = (0.5, 1.0, 2.0), 60
NETWORKS = {"clean": 0.0, "l2-1": 1.0, "l2-2": 2.0}


def written(folder, fooled, rises, seeds=(0,)):
    """Paths of tables of networks whose L0 rises as told.

    fooled: network → share of images fooled at each of `EPSILONS`; rises: (network, epsilon, images
    (n,) bool that fell) → what L0 under attack is over clean, per image.
    """
    paths, rng = {"l0": [], "clean": [], "attacked": []}, np.random.default_rng(0)
    for (name, trained_at), seed in ((n, s) for n in NETWORKS.items() for s in seeds):
        model = {
            "model": f"{name}-s{seed}",
            "model_architecture": "resnet18",
            "model_norm": "l2" if trained_at else "clean",
            "model_epsilon": trained_at,
            "model_seed": seed,
        }
        image = np.arange(IMAGES) + 100
        wrong = np.arange(IMAGES) % 10 == 9  # when clean already
        of_image = rng.uniform(3, 6, IMAGES)
        clean = {"image": image, "label": 0, "prediction": wrong.astype(int)}
        attacked, l0 = [], []
        l0.append(
            pd.DataFrame(
                {"attack": "clean", "epsilon": 0.0, "l0": of_image, "woken": 0.0, "image": image}
            )
        )
        for epsilon, share in zip(EPSILONS, fooled[name]):
            fell = (np.arange(IMAGES) < share * IMAGES) | wrong
            frame = {"image": image, "label": 0, "prediction": fell.astype(int)}
            attacked.append(pd.DataFrame({"attack": "pgd", "epsilon": epsilon, **frame}))
            rise = rises(name, epsilon, fell)
            for attack, factor in (("pgd", rise), ("noise", 1.05)):
                columns = {
                    "l0": of_image * factor,
                    "woken": of_image * 0.1 * epsilon,
                    "image": image,
                }
                l0.append(pd.DataFrame({"attack": attack, "epsilon": epsilon, **columns}))
        sae = {"layer": "stem", "type": "topk", "sae_seed": 0}
        members = [pd.concat(l0).assign(sparsity=k, **sae, **model) for k in (4.0, 8.0, 16.0)]
        frames = {"l0": members, "clean": [pd.DataFrame({**model, **clean})]}
        frames["attacked"] = [part.assign(**model) for part in attacked]
        for kind, parts in frames.items():
            paths[kind].append(folder / f"{kind}-{model['model']}.parquet")
            # rows in another order than the images'
            shuffled = pd.concat(parts).sample(frac=1, random_state=1)
            shuffled.to_parquet(paths[kind][-1])
    return paths


FOOLED = {"clean": (0.6, 0.9, 1.0), "l2-1": (0.2, 0.6, 0.9), "l2-2": (0.1, 0.3, 0.7)}


def rows_of(table, **which):
    for name, value in which.items():
        table = table[table[name] == value]
    return table


def test_ratios_are_those_of_a_loop_over_images(tmp_path):
    paths = written(tmp_path, FOOLED, lambda name, e, fell: 1 + e * np.where(fell, 0.3, 0.1))
    table = fair.build(SPEC, **paths)
    assert set(table["sparsity"]) == {8.0}
    frames = {kind: pd.concat(map(pd.read_parquet, p)) for kind, p in paths.items()}
    l0 = rows_of(frames["l0"], sparsity=8.0)
    for name in NETWORKS:
        model = f"{name}-s0"
        clean = rows_of(frames["clean"], model=model).set_index("image")
        attacked = rows_of(frames["attacked"], model=model, epsilon=1.0).set_index("image")
        values = {}
        for attack, epsilon in (("clean", 0.0), ("pgd", 1.0), ("noise", 1.0)):
            own = rows_of(l0, model=model, attack=attack, epsilon=epsilon).set_index("image")
            values[attack] = own
        right = [i for i in clean.index if clean["prediction"][i] == clean["label"][i]]
        sets = {"right": right}
        sets["fell"] = [i for i in right if attacked["prediction"][i] != attacked["label"][i]]
        sets["stood"] = [i for i in right if i not in sets["fell"]]
        for among, images in sets.items():
            found = rows_of(table, model=model, comparison="equal epsilon", among=among)
            if len(images) < 6:
                assert found.empty
                continue
            assert set(found["counted"]) == {len(images)}
            assert found["success"].to_numpy() == pytest.approx(len(sets["fell"]) / len(right))
            for quantity, reference, over in (
                ("l0", "clean", ("clean", "l0")),
                ("l0", "noise", ("noise", "l0")),
                ("woken", "clean", ("clean", "l0")),
                ("woken", "noise", ("noise", "woken")),
            ):
                above = np.mean([values["pgd"][quantity][i] for i in images])
                below = np.mean([values[over[0]][over[1]][i] for i in images])
                row = rows_of(found, quantity=quantity, reference=reference)
                assert row["ratio"].to_numpy() == pytest.approx(above / below)


def test_images_that_fell_are_held_against_those_that_stood(tmp_path):
    paths = written(tmp_path, FOOLED, lambda name, e, fell: np.where(fell, 1.3, 1.1))
    table = fair.build(SPEC, **paths)
    found = rows_of(table, reference="stood", quantity="l0")
    assert set(found["model"]) == {"l2-1-s0", "l2-2-s0"}  # of the clean network too few stood
    assert set(found["among"]) == {"fell"}
    assert found["ratio"].to_numpy() == pytest.approx(1.3 / 1.1)
    assert ((found["ratio_low"] > 1.17) & (found["ratio_high"] < 1.19)).all()


def test_equal_success_is_where_half_of_the_right_images_fall(tmp_path):
    paths = written(tmp_path, FOOLED, lambda name, e, fell: 1 + e)
    found = rows_of(fair.build(SPEC, **paths), comparison="equal success", quantity="l0")
    # the images that are wrong when clean are every tenth, so shares are of the right ones; up to an
    # image's share, the clean network is half fooled at 0.5 / 0.6 of 0.5, and so on
    expected = {"clean-s0": 0.5 * 0.5 / 0.6, "l2-1-s0": 0.5 + 0.5 * 3 / 4, "l2-2-s0": 1 + 2 / 4}
    for model, epsilon in expected.items():
        own = rows_of(found, model=model)
        assert own["epsilon"].to_numpy() == pytest.approx(epsilon, abs=0.03)
        assert set(own["success"]) == {0.5}
        over_clean = rows_of(own, reference="clean")
        assert over_clean["ratio"].to_numpy() == pytest.approx(1 + over_clean["epsilon"])
        over_noise = rows_of(own, reference="noise")["ratio"].to_numpy()
        if epsilon > 0.5:
            assert over_noise == pytest.approx((1 + over_clean["epsilon"]) / 1.05)
        else:  # on the way from clean images, where noise does nothing yet
            at = over_clean["epsilon"].iloc[0]
            assert over_noise == pytest.approx((1 + at) / (1 + 0.05 * at / 0.5))
        assert (own["epsilon_low"] < own["epsilon"]).all()
        assert (own["epsilon_high"] > own["epsilon"]).all()


def test_a_network_that_the_attack_never_fools_by_half_is_left_out(tmp_path):
    paths = written(tmp_path, FOOLED | {"l2-2": (0.0, 0.1, 0.3)}, lambda *_: 1.2)
    table = fair.build(SPEC, **paths)
    left = rows_of(table, comparison="equal success")
    assert set(left["model"]) == {"clean-s0", "l2-1-s0"}
    assert set(left["epsilons"]) == {2}
    assert left["trend_low"].isna().all()  # of two networks
    assert "l2-2-s0" in set(rows_of(table, comparison="equal epsilon")["model"])


def test_networks_that_have_nothing_right_leave_an_empty_table_with_its_columns(tmp_path):
    paths = written(tmp_path, FOOLED, lambda *_: 1.2)
    whole = fair.build(SPEC, **paths)
    for path in paths["clean"]:
        pd.read_parquet(path).assign(prediction=1).to_parquet(path)
    table = fair.build(SPEC, **paths)
    assert table.empty
    assert list(table.columns) == list(whole.columns)
    assert isinstance(figure.draw(table, {"architecture": "resnet18", "type": "topk"}), Figure)


def test_a_difference_that_success_makes_is_none_at_equal_success(tmp_path):
    """L0 rises with the share that falls and with nothing else."""
    paths = written(
        tmp_path, FOOLED, lambda name, e, fell: 1 + fell.mean() - 0.1, seeds=(0, 1, 2)
    )  # a tenth is wrong already
    decided = claims.decide(
        {"fair": fair.build(SPEC, **paths)}, {"confidence": 0.95, "attack": "pgd", "epsilon": 1.0}
    )
    less = decided[decided["key"].str.startswith("l0-trend")].set_index("scope")
    (equal_epsilon,) = less[less.index.str.contains("equal epsilon")].to_dict("records")
    (equal_success,) = less[less.index.str.contains("equal success")].to_dict("records")
    assert (equal_epsilon["measured"], equal_epsilon["verdict"]) == (-1.0, "reproduced")
    assert equal_success["verdict"] != "reproduced"


@pytest.mark.parametrize(
    ("rising", "expected"),
    [
        ([0.0, 0.2, 0.6, 0.9], 1.75),
        ([0.0, 0.5, 0.6, 0.9], 1.0),
        ([0.0, 0.5, 0.5, 0.9], 1.0),
        ([0.5, 0.6, 0.7, 0.9], 0.0),
        ([0.0, 0.2, 0.3, 0.4], np.nan),
    ],
)
def test_crossings_are_the_first_and_linear_between_points(rising, expected):
    grid = np.array([0.0, 1.0, 2.0, 4.0])
    (found,) = fair.crossing(grid, np.array([rising]), 0.5)
    assert found == pytest.approx(expected, nan_ok=True)


def test_values_between_points_are_numpys():
    rng = np.random.default_rng(0)
    grid, values, places = np.array([0.0, 1.0, 3.0]), rng.random((3, 5, 2)), rng.uniform(0, 3, 5)
    found = fair.along(grid, values, places)
    for draw, column in np.ndindex(5, 2):
        expected = np.interp(places[draw], grid, values[:, draw, column])
        assert found[draw, column] == pytest.approx(expected)
