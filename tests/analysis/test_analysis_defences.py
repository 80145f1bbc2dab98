"""The table of defences, and the claim about them, on outcomes written by hand."""

import numpy as np
import pandas as pd
import pytest

from interference.analysis.figures import defences as figure
from interference.analysis.statistics import resample
from interference.analysis.tables.claims import decide
from interference.analysis.tables.defences import build

pytestmark = pytest.mark.xdist_group("analysis")

SPEC = {"confidence": 0.95, "resamples": 200, "seed": 0}
IMAGES = 80
SAE = {"layer": "layer1", "type": "topk", "sparsity": 8.0, "sae_seed": 0.0}
NONE = {"layer": "", "type": "", "sparsity": np.nan, "sae_seed": np.nan}
#: defence → of 80 images, how many are right clean, under the transferred attack, and the adaptive.
RIGHT = {"none": (72, 8, 8), "sae": (64, 56, 48), "pca": (68, 32, 16)}


def network(seed=0, right=RIGHT, fvu=0.25):
    """The raw rows of one clean network."""
    model = {
        "model": f"clean-s{seed}", "model_architecture": "resnet18", "model_norm": "clean",
        "model_epsilon": 0.0, "model_seed": seed,
    }  # fmt: skip
    parts = []
    for defence, counts in right.items():
        kinds = zip(("clean", "transferred", "adaptive"), counts)
        predictions = {n: np.where(np.arange(IMAGES) < count, 1, 2) for n, count in kinds}
        columns = {"components": 3.0 + seed if defence == "pca" else np.nan, "zero_gradients": 1}
        columns |= {"fvu": 0.0 if defence == "none" else fvu, "image": np.arange(IMAGES)[::-1]}
        columns |= {"defence": defence, "label": 1, **predictions}
        parts.append(pd.DataFrame({**model, **(NONE if defence == "none" else SAE), **columns}))
    return pd.concat(parts)


@pytest.fixture
def table(tmp_path):
    """The table of some networks' rows."""

    def of(*networks):
        paths = [tmp_path / f"{i}.parquet" for i in range(len(networks))]
        for frame, path in zip(networks, paths):
            frame.to_parquet(path)
        return build(SPEC, paths)

    return of


def test_accuracies_are_shares_of_right_predictions_and_differences_are_paired(table):
    rows = table(network()).set_index("defence")
    assert len(rows) == 3
    assert (rows[[*SAE]] == [*SAE.values()]).all(axis=None)
    for defence, counts in RIGHT.items():
        found = rows.loc[defence]
        shares = [count / IMAGES for count in counts]
        assert found[["clean", "transferred", "adaptive"]].tolist() == pytest.approx(shares)
        assert found["over_none"] == pytest.approx(shares[2] - 8 / IMAGES)
        assert found["over_pca"] == pytest.approx(shares[2] - 16 / IMAGES)
        assert found["over_transferred"] == pytest.approx(shares[2] - shares[1])
        assert found["zero_gradients"] == IMAGES
    # images 32 to 63 are right behind the SAE and wrong behind PCA, none the other way round
    draws = resample(IMAGES, SPEC["resamples"], SPEC["seed"])[:, 32:64].sum(1)
    ends = rows.loc["sae", ["over_pca_low", "over_pca_high"]].tolist()
    assert ends == pytest.approx(np.quantile(draws, [0.025, 0.975]).tolist())
    assert rows["components"].dropna().to_dict() == {"pca": 3.0}
    assert rows["fvu"].to_dict() == {"none": 0.0, "sae": 0.25, "pca": 0.25}


def test_the_network_as_it_is_stands_beside_every_sae(results):
    rows = build(SPEC, **results["defences"])
    undefended = rows[rows["defence"] == "none"]
    for _, own in undefended.groupby("model"):
        assert len(own) == len(own[["layer", "sparsity"]].drop_duplicates()) == 4
        assert len(set(own["adaptive"])) == 1


def test_several_networks_have_a_row_of_their_mean(table):
    more = RIGHT | {"sae": (64, 56, 32)}
    rows = table(network(0), network(1, more))
    mean = rows[(rows["about"] == "networks") & (rows["defence"] == "sae")].iloc[0]
    assert (mean["networks"], mean["adaptive"]) == (2, pytest.approx(40 / IMAGES))
    assert (
        rows[(rows["about"] == "networks") & (rows["defence"] == "pca")]["components"].item() == 3.5
    )
    assert set(rows["about"]) == {"networks", "one of several"}


@pytest.mark.parametrize(
    ("transferred", "adaptive", "masked"), [(48, 8, False), (16, 17, False), (8, 56, True)]
)
def test_an_attack_that_knows_the_defence_and_is_weaker_is_masked(
    transferred, adaptive, masked, table
):
    rows = table(network(right=RIGHT | {"sae": (72, transferred, adaptive)}))
    assert rows.set_index("defence")["masked"].to_dict() == {
        "none": False,
        "sae": masked,
        "pca": False,
    }


@pytest.mark.parametrize(
    ("none", "pca", "verdicts"),
    [
        (8, 16, ["holds here", "holds here"]),
        (8, 48, ["holds here", "no effect here"]),
        (52, 8, ["fails here", "holds here"]),
        (44, 44, ["undecided", "undecided"]),  # five points, which are the least that counts
    ],
)
def test_robustness_is_bought_where_an_sae_exceeds_the_network_and_pca_by_five_points(
    none, pca, verdicts, table
):
    right = {"none": (72, none, none), "sae": (64, 56, 48), "pca": (68, 48, pca)}
    rows = decide({"defences": table(network(right=right))}, {"confidence": 0.95})
    assert rows["verdict"].tolist() == verdicts
    assert rows["bound"].tolist() == ["> 0.05"] * 2
    assert set(rows["scope"]) == {"resnet18 layer1, topk 8, clean network"}
    expected = [(48 - none) / IMAGES, (48 - pca) / IMAGES]
    assert rows["measured"].tolist() == pytest.approx(expected)


@pytest.mark.parametrize(("images", "verdict"), [(71, "undecided"), (72, "no effect here")])
def test_images_of_which_none_differs_decide_only_where_five_points_would_be_seen(
    images, verdict, table
):
    """Of 72, none is one of the 5 % with a probability of 0.95 ** 72 < 0.025."""
    frame = network(right=dict.fromkeys(RIGHT, (50, 40, 30)))
    rows = decide({"defences": table(frame[frame["image"] < images])}, {"confidence": 0.95})
    assert (rows[["measured", "low", "high"]] == 0).all(axis=None)
    assert set(rows["verdict"]) == {verdict}
    if verdict == "undecided":
        assert set(rows["why"]) == {"images 71, to see 5% of them needs 72"}


def test_the_figure_has_the_adaptive_accuracy_of_each_defence_full_and_the_transferred_faint(table):
    rows = table(network())
    (axis,) = figure.draw(rows, {"architecture": "resnet18"}).axes
    drawn = {}
    for container in axis.containers:
        line = container.lines[0]
        drawn[container.get_label()] = ([round(y, 9) for y in line.get_ydata()], line.get_alpha())
    assert drawn == {
        "none": ([0.1], 1.0),
        "SAE": ([0.6], 1.0),
        "PCA, same FVU": ([0.2], 1.0),
        "SAE, transferred": ([0.7], 0.45),
        "PCA, same FVU, transferred": ([0.4], 0.45),
    }
