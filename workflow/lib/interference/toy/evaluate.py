"""How much a perturbation costs each toy model, and how much superposition it has.

Each model is attacked on fresh inputs of its own density, with ε = relative_epsilon · mean ‖x‖ of
these inputs. Of one seed, all modes and densities see paired inputs and noise.

The *vulnerability* is the relative increase (L_adv − L)/L over that of the reference, the
clean-trained models at the largest density (mean over seeds). Beside it stand the gain
(L_adv − L)/ε² and the increase ratio (L_adv − L)/(L'_adv − L'), ' the reference, as in Elhage et
al. 2022, "Relationship to Adversarial Robustness". The set-up is that of Gorton & Lewis 2025 (arXiv
2508.17456), toy models.
"""

from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from interference.compute import generator
from interference.store.tables import write_table
from interference.store.tensors import read_described
from interference.toy import measures, sampling
from interference.toy.attacks import Attack, one_step
from interference.toy.model import encode, loss, norms

#: Training mode of the models that vulnerability is measured against.
REFERENCE = "clean"

MEASURES = (
    measures.features_per_dimension,
    measures.learned_features_per_dimension,
    measures.dimensionality,
    measures.learned_norm,
    measures.interference,
)

Columns = dict[str, np.ndarray]


def read_stack(models: Path) -> tuple[Tensor, Tensor, Columns]:
    """The stack of a manifest: W (S, m, n), b (S, n), and training, density, seed, each (S,).

    Raises StoreError where the weights are missing, or not those that the manifest describes.
    """
    tensors, manifest = read_described(models)
    index = {
        "training": np.array(manifest["modes"])[tensors["mode"]],
        "density": tensors["density"],
        "seed": tensors["seed"],
    }
    return torch.from_numpy(tensors["W"]), torch.from_numpy(tensors["b"]), index


def attacked_losses(
    W: Tensor, b: Tensor, x: Tensor, epsilon: Tensor, attack: Attack, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Clean and adversarial loss, each (S,) float64, both against the clean input.

    W: (S, m, n); b: (S, n); x: (S, n, B); epsilon: L2 radius, (S,).
    """
    hidden = encode(W, x)
    perturbation = attack(W, b, x, epsilon.reshape(-1, 1, 1), random)
    return loss(W, b, hidden, x), loss(W, b, hidden + perturbation.shift, x)


def seed_losses(W: Tensor, b: Tensor, density: np.ndarray, seed: int, spec: dict) -> Columns:
    """epsilon, loss_clean and loss_adversarial, each (S,), of the models of one seed.

    W: (S, m, n); b: (S, n); density: (S,); spec: `Specs.toy_vulnerability`.
    """
    draw = generator(seed, sampling.EVALUATION)
    u = torch.rand(W.shape[-1], spec["samples"], generator=draw)
    x = sampling.sparse_inputs(u, torch.from_numpy(density).float())
    epsilon = spec["relative_epsilon"] * norms(x).mean(dim=(-2, -1))
    attack = partial(one_step, noise=spec["noise"])
    random = generator(seed, sampling.EVALUATION_NOISE)
    clean, adversarial = attacked_losses(W, b, x, epsilon, attack, random)
    return {
        "epsilon": epsilon.double().numpy(),
        "loss_clean": clean.numpy(),
        "loss_adversarial": adversarial.numpy(),
    }


def relative_columns(columns: Columns) -> Columns:
    """gain, relative_increase, vulnerability and increase_ratio, each (S,).

    columns: training, density, epsilon, loss_clean and loss_adversarial, each (S,).
    """
    increase = columns["loss_adversarial"] - columns["loss_clean"]
    relative = increase / columns["loss_clean"]
    density = columns["density"]
    reference = (columns["training"] == REFERENCE) & (density == density.max())
    return {
        "gain": increase / columns["epsilon"] ** 2,
        "relative_increase": relative,
        "vulnerability": relative / relative[reference].mean(),
        "increase_ratio": increase / increase[reference].mean(),
    }


def evaluate(spec: dict, models: Path, output: Path) -> None:
    """Write the table of vulnerability and superposition, one row a (training mode, density, seed).

    spec: `Specs.toy_vulnerability`; models: the manifest that `train.fit` wrote; output: Parquet.
    Raises StoreError where the models are damaged.
    """
    W, b, index = read_stack(models)
    losses = {name: np.empty(len(W)) for name in ("epsilon", "loss_clean", "loss_adversarial")}
    for seed in np.unique(index["seed"]).tolist():
        rows = np.flatnonzero(index["seed"] == seed)
        for name, values in seed_losses(
            W[rows], b[rows], index["density"][rows], seed, spec
        ).items():
            losses[name][rows] = values
    columns = {**index, "attack": "one-step", **losses}
    columns |= relative_columns(columns)
    columns |= {measure.__name__: measure(W).numpy() for measure in MEASURES}
    write_table(output, columns)
