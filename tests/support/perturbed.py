"""What perturbations look like, with a structure that is planted, as `attacks.structure` writes it."""

import numpy as np
import pandas as pd

#: Mean frequency of noise over Nyquist's, and how much of its energy lies in each band.
FREQUENCY, SHARES = 0.76, (0.015, 0.04, 0.15, 0.58, 0.215)


def looks(
    network: dict,
    images: int,
    *,
    coarse: float = 0.0,
    robust: float = 0.2,
    inherited: float = 0.1,
    draw: int = 0,
) -> pd.DataFrame:
    """One row per kind and image of one network.

    network: the columns that name it. coarse: by how much clean networks' perturbations are coarser than
    noise; robust: by how much those of networks trained at epsilon 1 are, beyond; inherited: what of that
    a step along the gradient has.
    """
    rng = np.random.default_rng([draw, network["model_seed"], int(100 * network["model_epsilon"])])
    beyond = network["model_epsilon"] / (1 + network["model_epsilon"]) * 2
    coarser = {
        "noise": 0.0,
        "perturbation": coarse + robust * beyond,
        "step": coarse + inherited * beyond,
    }
    parts = []
    for kind, shift in (*coarser.items(), ("gradient", coarser["step"])):
        by = shift + rng.normal(0, 0.02, images)
        tilt = np.clip(by, 0, 0.5)[:, None] * np.array([1, 1, 0, -1, -0.3])
        shares = np.clip(np.array(SHARES) + tilt, 0.001, None)
        shares /= shares.sum(1, keepdims=True)
        columns = {
            "kind": kind,
            "image": np.arange(images),
            "centroid": FREQUENCY - by,
            "coherence": by,
        }
        columns |= {f"share_{band}": column for band, column in enumerate(shares.T, 1)}
        parts.append(pd.DataFrame({**network, **columns}))
    return pd.concat(parts, ignore_index=True)


def exchanged(
    networks: list[dict], layers: tuple[str, ...], images: int = 40
) -> dict[str, pd.DataFrame]:
    """What the table exchange is made of: every network's attack on every network, and predictions.

    networks: the columns that name each.
    """
    rng, labels = np.random.default_rng(0), np.arange(images) % 4
    names = [network["model"] for network in networks]

    def predictions(share: float) -> dict:
        wrong = rng.random(images) < share
        return {"image": np.arange(images), "label": labels, "prediction": (labels + wrong) % 4}

    clean = [pd.DataFrame({**network, **predictions(0.1)}) for network in networks]
    attacked = [
        pd.DataFrame(
            {**network, "attack": attack, "epsilon": epsilon, **predictions(0.2 * epsilon)}
        )
        for network in networks
        for attack in ("pgd", "noise")
        for epsilon in (1.0, 2.0)
    ]
    passes = [
        pd.DataFrame({"source": one, "target": other, **predictions(0.8 if one == other else 0.4)})
        for one in names
        for other in names
    ]
    similarity = [
        {"one": names[i], "other": names[j], "layer": layer, "cka": rng.random()}
        for i in range(len(names))
        for j in range(i)
        for layer in layers
    ]
    return {
        "clean": pd.concat(clean, ignore_index=True),
        "attacked": pd.concat(attacked, ignore_index=True),
        "passes": pd.concat(passes, ignore_index=True),
        "similarity": pd.DataFrame(similarity),
    }
