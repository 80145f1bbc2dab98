"""Small synthetic results, as the other rooms write them."""

import itertools

import numpy as np
import pandas as pd
import pytest

from interference.probes.intervene import INTERVENTIONS, SETS
from interference.store.files import write_json
from tests.support import planted, rivalry
from tests.support.perturbed import exchanged, looks

#: name, training norm, epsilon, seed
NETWORKS = [("clean-s0", "clean", 0.0, 0), ("l2-1-s0", "l2", 1.0, 0), ("l2-2-s0", "l2", 2.0, 0)]
NETWORKS += [("linf-0.1-s0", "linf", 0.1, 0)]
IMAGES, LAYERS, TYPES = 20, ("stem", "layer1"), {"topk": (4, 8, 16), "relu_l1": (0.1, 0.2, 0.4)}
#: attack, type, norm, epsilons
ATTACKS = [("fgsm", "fgsm", "l2", (1.0,)), ("pgd", "pgd", "l2", (1.0, 2.0))]
ATTACKS += [("noise", "noise", "l2", (1.0, 2.0)), ("noise-max", "noise", "linf", (0.1,))]
ATTACKS += [("pgd-max", "pgd", "linf", (0.1,))]


def identity(network):
    model, norm, epsilon, seed = network
    return {
        "model": model,
        "model_architecture": "resnet18",
        "model_norm": norm,
        "model_epsilon": epsilon,
        "model_seed": seed,
    }


@pytest.fixture(scope="session")
def results(tmp_path_factory):
    """Table → paths of its inputs by name, as its module takes them."""
    folder, rng = tmp_path_factory.mktemp("results"), np.random.default_rng(0)
    kinds = (
        "clean",
        "attacked",
        "saes",
        "baselines",
        "l0",
        "splice",
        "interventions",
        "defences",
        "least",
        "structure",
    )
    paths = {kind: [] for kind in kinds} | {"toy": [folder / "toy.parquet"]}

    def save(kind, name, frame):
        paths[kind].append(folder / f"{kind}-{name}.parquet")
        frame.to_parquet(paths[kind][-1])

    def manifests(kind):
        return [path.with_suffix(".json") for path in paths[kind]]

    for network in NETWORKS:
        labels = np.arange(IMAGES) % 4
        common = {**identity(network), "label": labels, "image": np.arange(IMAGES)}

        def predictions(share, labels=labels):
            wrong = rng.random(IMAGES) > share
            return {"prediction": (labels + wrong) % 4, "loss": rng.random(IMAGES)}

        save("clean", network[0], pd.DataFrame({**common, **predictions(0.9)}))
        for attack, kind, norm, epsilons in ATTACKS:
            parts = [
                pd.DataFrame({
                    **common, "attack": attack, "type": kind, "norm": norm, "epsilon": epsilon,
                    "perturbation_norm": epsilon * rng.random(IMAGES), "zero_gradients": 0,
                    **predictions(0.8 if kind == "noise" else 0.3),
                })
                for epsilon in epsilons
            ]  # fmt: skip
            save("attacked", f"{network[0]}-{attack}", pd.concat(parts))

    for network, layer, sae_type in itertools.product(NETWORKS, LAYERS, TYPES):
        where = {**identity(network), "layer": layer, "type": sae_type}
        name, parts, members, l0, splice = f"{network[0]}-{layer}-{sae_type}", [], [], [], []
        for i, sparsity in enumerate(TYPES[sae_type]):
            size = 4 * 2**i * rng.uniform(0.9, 1.1)
            if sae_type == "relu_l1":
                size = 64 / size
            deviation = rng.uniform(5, 10, IMAGES)
            share = (0.9 - 0.1 * network[2]) / np.log2(size)
            key = {"sparsity": float(sparsity), "sae_seed": 0}
            part = {
                "squared_error": share * deviation * rng.uniform(0.8, 1.2, IMAGES),
                "deviation": deviation,
                "l0": size * rng.uniform(0.9, 1.1, IMAGES),
            }
            parts.append(pd.DataFrame({**where, **key, "image": np.arange(IMAGES), **part}))
            fvu = part["squared_error"].sum() / deviation.sum()
            members.append(
                {**key, "fvu": fvu, "r2": 1 - fvu, "mse": fvu, "l0": part["l0"].mean()}
                | {"dead_fraction": 0.1, "threshold": 0.0}
            )
            for attack, kind, _, epsilons in [("clean", "clean", "none", (0.0,)), *ATTACKS]:
                for epsilon in epsilons:
                    rise = {"clean": 0, "noise": 0.1}.get(kind, 0.5) * epsilon
                    values = size * (1 + rise) * rng.uniform(0.9, 1.1, IMAGES)
                    columns = {"attack": attack, "epsilon": epsilon, "image": np.arange(IMAGES)}
                    columns |= {"l0": values, "woken": rise * size * rng.uniform(1, 1.2, IMAGES)}
                    drive = 0 if kind == "clean" else 1  # of which interference has a part
                    columns |= {"drive": 2.0 * drive, "drive_own": 1.0 * drive}
                    columns |= {"drive_interference": drive * rng.uniform(0.4, 0.6, IMAGES)}
                    l0.append(pd.DataFrame({**where, **key, **columns}))
            cost = {"kl": rng.uniform(1, 2, IMAGES) / size, "correct": rng.random(IMAGES) > 0.2}
            cost |= {"l0": part["l0"], "loss": 0.5 + cost["kl"], "clean_loss": 0.5}
            cost |= {"ablated_loss": 2.5, "ablated_kl": 2.0, "ablated_correct": False}
            splice.append(
                pd.DataFrame(
                    {**where, **key, "image": np.arange(IMAGES), "clean_correct": True, **cost}
                )
            )
        outcomes = []
        for intervention, which in itertools.product(INTERVENTIONS, SETS):
            right = rng.random(IMAGES) < (0.5 if which == "woken" else 0.2)
            right = right if intervention == "restore" else ~right
            columns = {"intervention": intervention, "set": which, "image": np.arange(IMAGES)}
            columns |= {"label": 1, "prediction": np.where(right, 1, 2), "latents": 3.0}
            columns |= {"moved": rng.random(IMAGES), "next_woken": 2.0}
            outcomes.append(pd.DataFrame({**where, **key, **columns}))
        save("interventions", name, pd.concat(outcomes))
        save("saes", name, pd.concat(parts))
        save("splice", name, pd.concat(splice))
        save("l0", name, pd.concat(l0))
        spec = {"model": identity(network), "layer": layer, "type": sae_type}
        manifest = {"spec": spec, "members": members, "unique_rows": 100, "epochs": 2.5}
        write_json(paths["saes"][-1].with_suffix(".json"), manifest)
        if sae_type == "topk":
            frame = pd.concat(parts)
            frame = frame[frame["sparsity"] > 4]
            # The surrogate's FVU falls with epsilon too, but by less.
            harder = {"whitened": 2.0, "gaussian": 3 - network[2] / 2, "pca": 4.0}
            others = [
                frame.assign(
                    baseline=baseline,
                    squared_error=factor
                    * frame["squared_error"]
                    * rng.uniform(0.8, 1.2, len(frame)),
                )
                for baseline, factor in harder.items()
            ]
            save("baselines", name, pd.concat(others))
            found = {"spec": spec, "width": 64, "dimensions": 60, "raw_l0": 20.5}
            found |= {"participation_ratio": 9.0 - network[2], "effective_rank": 12.0}
            write_json(paths["baselines"][-1].with_suffix(".json"), found)
    rows = []
    # Shrunk models are half as long, and three quarters as robust, as adversarially trained ones.
    kinds = {"clean": (1.0, 1.0), "adversarial": (0.5, 0.5), "shrunk": (0.5, 0.625)}
    grid = itertools.product(kinds, (1.0, 0.5, 0.1), (0, 1, 2), ("own", "common"))
    attacks = {
        "one-step": 0.5,
        "analytic": 0.6,
        "pgd": 0.8,
        "trust-region": 0.7,
        "strongest": 0.9,
        "bound": 1.0,
    }
    for (training, density, seed, inputs), attack in itertools.product(grid, attacks):
        (robust, vulnerable), packed = kinds[training], 1 / density * rng.uniform(0.98, 1.02)
        rows.append({
            "training": training, "density": density, "seed": seed, "inputs": inputs,
            "attack": attack, "of_bound": attacks[attack],
            "loss_adversarial": attacks[attack] * (1 + seed),
            "features_per_dimension": robust * packed, "vulnerability": vulnerable * packed**2,
            "learned_features_per_dimension": robust**0.5 * packed,
            "interference": robust**2 * packed, "gain": rng.random(), "increase_ratio": packed,
        })  # fmt: skip
    pd.DataFrame(rows).to_parquet(paths["toy"][0])
    # Behind SAEs more is right under attack than behind PCA, which does nothing.
    for network in NETWORKS:
        parts = [({"layer": "", "type": "", "sparsity": np.nan, "sae_seed": np.nan}, "none", 0.1)]
        for layer, sparsity in itertools.product(LAYERS, (8.0, 16.0)):
            names = {"layer": layer, "type": "topk", "sparsity": sparsity, "sae_seed": 0.0}
            parts += [(names, "sae", 0.6), (names, "pca", 0.1)]
        labels, frames = np.arange(IMAGES) % 4, []
        for names, defence, share in parts:
            columns = {"image": np.arange(IMAGES), "label": labels, "defence": defence}
            columns |= {"components": 3.0 if defence == "pca" else np.nan, "fvu": 0.25}
            for seen, right in (("clean", 0.9), ("transferred", share + 0.2), ("adaptive", share)):
                columns[seen] = (labels + (rng.random(IMAGES) > right)) % 4
            columns["zero_gradients"] = 0
            frames.append(pd.DataFrame({**identity(network), **names, **columns}))
        save("defences", network[0], pd.concat(frames))
    # Least changes grow with the training epsilon; another stream, so that all else stays.
    lengths = np.random.default_rng(1).uniform(0.5, 1.5, IMAGES)
    for network in NETWORKS:
        radius = lengths * (0.3 + network[2])
        columns = {"image": np.arange(IMAGES), "radius": radius, "nearest": 5.0}
        save("least", network[0], pd.DataFrame({**identity(network), **columns}))
        save("structure", network[0], looks(identity(network), IMAGES))
    peers = [path for path in paths["saes"] if "topk" in path.name]
    return {
        "accuracy": {"clean": paths["clean"], "attacked": paths["attacked"]},
        "saes": {"manifests": manifests("saes"), "saes": paths["saes"]},
        "matched": {"saes": paths["saes"]},
        "baselines": {
            "manifests": manifests("baselines"),
            "baselines": paths["baselines"],
            "saes": peers,
        },
        "l0": {"l0": paths["l0"]},
        "fair": {"l0": paths["l0"], "clean": paths["clean"], "attacked": paths["attacked"]},
        "splice": {"splice": paths["splice"]},
        "interventions": {"outcomes": paths["interventions"]},
        "defences": {"outcomes": paths["defences"]},
        "least": {"least": paths["least"]},
        "structure": {"structure": paths["structure"]},
        "exchange": {**_exchanged(folder), "clean": paths["clean"], "attacked": paths["attacked"]},
        "toy": {"toy": paths["toy"]},
        **_of_canvases(folder),
        **rivalry.written(folder),
    }


def _exchanged(folder):
    """What the step exchange writes."""
    frames = exchanged([identity(network) for network in NETWORKS], LAYERS, IMAGES)
    (folder / "exchange").mkdir()
    steps = {name: [frames[name]] for name in ("passes", "similarity")}
    return planted.written(folder / "exchange", **steps)


def _of_canvases(folder):
    """The inputs of tables of canvases."""
    families = {
        "dose": ("dose", "frozen", "orthonormal", "width", "factorial"),
        "crossover": ("crossover",),
        "adversarial": ("ladder",),
    }
    found = {}
    for name, of_table in families.items():
        (folder / name).mkdir()
        found[name] = planted.of_families(folder / name, *of_table, regimes=("dense", "sparse"))
    (folder / "mounted").mkdir()
    found["mounted"] = planted.on_networks(folder / "mounted")
    found["transfer"] = planted.written(folder, transfers=[planted.transfers()])
    measured = [planted.proxies(seed) for seed in planted.CANVAS.seeds]
    found["proxies"] = planted.written(folder, proxies=measured)
    return found
