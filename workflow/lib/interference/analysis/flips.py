"""Least changes of canvases: logarithms of radii, and their means over pairs that all networks have right.

    log r_full = log r_own + log(r_full / r_own)

r_full is the least norm that flips a feature over all pixels, r_own over those of its own cell. The
first term holds margin, norm and capacity; the second is what interference gives an attack, at most 0.
"""

import numpy as np
import pandas as pd

#: Columns that name networks which are compared on the same pairs, and one of these networks.
COMPARED = ["family", "regime", "decoder", "seed"]
NETWORK = [*COMPARED, "network", "dose", "cells", "dimensions"]
PAIR = ["canvas", "feature"]
#: Means over pairs.
MEANS = ["log_r_full", "log_r_own", "log_r_others", "others_found", "interference",
         "noise_interference", "certified"]  # fmt: skip
#: Means over features; of interference-to-signal the median, for it has no bound where a feature is not
#: learned, and its signal all but 0.
OF_FEATURES = ["accuracy", "interference_to_signal", "squared_cosines", "dimensionality"]

#: Terms whose gain over the clean network is a column; the first is the sum of the others.
GAINS = {"gain_full": "log_r_full", "gain_own": "log_r_own", "gain_interference": "interference"}


def logarithms(flips: pd.DataFrame) -> pd.DataFrame:
    """One row per (network, pair) that counts: right, and flipped over all and over own pixels, in every
    network that it is compared with. Columns NETWORK, block_dose, PAIR and MEANS.

    The least norm over all pixels is the least of those found over all, own and other pixels.

    flips: one row per (network, pair, region), radius inf where nothing was found.
    """
    pair = [*NETWORK, "block_dose", *PAIR]
    every, own, others = (
        flips[flips["region"] == region].set_index(pair) for region in ("all", "own", "others")
    )
    radius = pd.DataFrame(
        {"all": every["radius"], "own": own["radius"], "others": others["radius"]}
    )
    full = radius.min(axis=1)
    counts = every["right"] & np.isfinite(full) & np.isfinite(radius["own"])
    found = np.isfinite(radius["others"])
    with np.errstate(divide="ignore"):
        rows = pd.DataFrame(
            {
                "log_r_full": np.log(full),
                "log_r_own": np.log(radius["own"]),
                "log_r_others": np.log(radius["others"].where(found)),
                "others_found": found.astype(float),
                "interference": np.log(full / radius["own"]),
                "noise_interference": np.log(
                    (own["noise"] / every["noise"]).where(own["noise"] > 0)
                ),
                "certified": every["certified"] / full,
            }
        )
    everywhere = counts.groupby([*COMPARED, *PAIR]).transform("all")
    return rows[everywhere].reset_index()


def means(flips: pd.DataFrame, features: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """One row per value of ``by``: pairs, how many were counted, MEANS over them, and OF_FEATURES.

    noise_interference is a mean over the pairs that noise on the own cell moves at all: those whose own
    detectors are off have no logarithm. by: columns of NETWORK, or block_dose. No row where no pair
    counts.
    """
    rows = logarithms(flips).groupby(by)
    of_features = features.groupby(by)
    median = of_features["interference_to_signal"].median()
    measured = of_features[OF_FEATURES].mean().assign(interference_to_signal=median)
    return rows[MEANS].mean().join(measured).assign(pairs=rows.size()).reset_index()
