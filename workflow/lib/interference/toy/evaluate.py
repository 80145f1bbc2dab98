"""How much a perturbation costs each toy model, and how much superposition it has.

Each model is attacked on fresh inputs of its own density, with ε = relative_epsilon · mean ‖x‖ of
these inputs. Of one seed, all modes, densities and attacks see paired inputs and noise.

The *vulnerability* is the relative increase (L_adv − L)/L over that of the reference, the
clean-trained models at the largest density under the same attack (mean over seeds). Beside it stand the gain
(L_adv − L)/ε² and the increase ratio (L_adv − L)/(L'_adv − L'), ' the reference, as in Elhage et
al. 2022, "Relationship to Adversarial Robustness". The set-up is that of Gorton & Lewis 2025 (arXiv
2508.17456), toy models.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from interference.compute import generator
from interference.store.tables import write_table
from interference.store.tensors import read_described
from interference.toy import measures, sampling
from interference.toy.attacks.every import worst_losses
from interference.toy.model import norms
from interference.toy.problem import losses, pose

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


def seed_losses(
    W: Tensor, b: Tensor, density: np.ndarray, seed: int, spec: dict
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """epsilon and clean loss, each (S,), and the loss under each attack, of the models of one seed.

    W: (S, m, n); b: (S, n); density: (S,); spec: `Specs.toy_vulnerability`.
    """
    draw = generator(seed, sampling.EVALUATION)
    u = torch.rand(W.shape[-1], spec["samples"], generator=draw)
    x = sampling.sparse_inputs(u, torch.from_numpy(density).float())
    epsilon = spec["relative_epsilon"] * norms(x).mean(dim=(-2, -1))
    problem = pose(W, b, x, epsilon)
    clean = losses(problem, torch.zeros_like(problem.push @ problem.target))
    worst = worst_losses(problem, generator(seed, sampling.EVALUATION_NOISE), spec)
    means = {name: loss.mean(-1).numpy() for name, loss in worst.items()}
    return epsilon.double().numpy(), clean.mean(-1).numpy(), means


def relative_columns(columns: Columns) -> Columns:
    """gain, relative_increase, vulnerability and increase_ratio of one attack, each (S,).

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


def attacked_columns(clean: Columns, attacked: dict[str, np.ndarray]) -> Columns:
    """One row a (model, attack), attack by attack.

    clean: training, density, epsilon, loss_clean and others, each (S,); attacked: the loss under
    each attack and the bound, each (S,). of_bound is the share of the bound's increase.
    """
    most = attacked["bound"] - clean["loss_clean"]
    tables = []
    for attack, loss in attacked.items():
        columns = clean | {"attack": np.full(len(loss), attack), "loss_adversarial": loss}
        columns |= relative_columns(columns)
        tables.append(columns | {"of_bound": (loss - clean["loss_clean"]) / most})
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


def evaluate(spec: dict, models: Path, output: Path) -> None:
    """Write the table of vulnerability and superposition.

    One row a (training mode, density, seed, attack), the certified bound being one of the attacks.
    spec: `Specs.toy_vulnerability`; models: the manifest that `train.fit` wrote; output: Parquet.
    Raises StoreError where the models are damaged.
    """
    W, b, index = read_stack(models)
    clean = index | {name: np.empty(len(W)) for name in ("epsilon", "loss_clean")}
    clean |= {measure.__name__: measure(W).numpy() for measure in MEASURES}
    attacked = {}
    for seed in np.unique(index["seed"]).tolist():
        rows = np.flatnonzero(index["seed"] == seed)
        clean["epsilon"][rows], clean["loss_clean"][rows], found = seed_losses(
            W[rows], b[rows], index["density"][rows], seed, spec
        )
        for name, loss in found.items():
            attacked.setdefault(name, np.empty(len(W)))[rows] = loss
    write_table(output, attacked_columns(clean, attacked))
