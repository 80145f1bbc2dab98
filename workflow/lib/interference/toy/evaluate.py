"""How much a perturbation costs each toy model, and how much superposition it has.

Models are clean-trained, adversarially trained for as many steps on as many inputs, and
clean-trained but shrunk (`shrinkage`). Each is attacked on fresh inputs of its own density, and on
inputs of one density common to all, with ε = relative_epsilon · mean ‖x‖ of the inputs used. Of one
seed, all models and attacks see paired inputs and noise.

The *vulnerability* is the relative increase (L_adv − L)/L over that of the reference, the
clean-trained models of the largest training density on the same kind of inputs under the same attack
(mean over seeds). Beside it stand the gain (L_adv − L)/ε² and the increase ratio
(L_adv − L)/(L'_adv − L'), ' the reference, as in Elhage et al. 2022, "Relationship to Adversarial
Robustness". The set-up is that of Gorton & Lewis 2025 (arXiv 2508.17456), toy models, which has
neither shrunk models nor a common density.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from interference.compute import generator
from interference.progress import track
from interference.store.tables import write_table
from interference.toy import measures, sampling
from interference.toy.attacks.every import worst_losses
from interference.toy.model import norms
from interference.toy.problem import losses, pose
from interference.toy.shrinkage import shrunk
from interference.toy.stack import REFERENCE, Columns, read_stack

MEASURES = (
    measures.features_per_dimension,
    measures.learned_features_per_dimension,
    measures.dimensionality,
    measures.learned_norm,
    measures.interference,
)


def with_shrunk(
    W: Tensor, b: Tensor, index: Columns, samples: int
) -> tuple[Tensor, Tensor, Columns]:
    """The stack of `read_stack` and, behind it, the shrunk models; float64. samples: of the refit."""
    W_shrunk, b_shrunk, mine = shrunk(W, index, samples)
    index = {name: np.concatenate([values, mine[name]]) for name, values in index.items()}
    return torch.cat([W.double(), W_shrunk]), torch.cat([b.double(), b_shrunk]), index


def model_losses(
    W: Tensor, b: Tensor, density: float, seed: int, spec: dict
) -> tuple[float, float, dict[str, float]]:
    """epsilon, the clean loss, and the loss under each attack, of one model.

    A model at a time, since attacks and bound hold some hundred times its inputs. The random
    numbers are the seed's, so all its models see the same.

    W: (m, n); b: (n,); density: of the inputs; spec: `Specs.toy_vulnerability`.
    """
    u = torch.rand(len(b), spec["samples"], generator=generator(seed, sampling.EVALUATION))
    x = sampling.sparse_inputs(u, torch.tensor([density]))
    epsilon = spec["relative_epsilon"] * norms(x).mean(dim=(-2, -1))
    problem = pose(W.unsqueeze(0), b.unsqueeze(0), x, epsilon)
    clean = losses(problem, torch.zeros_like(problem.push @ problem.target))
    worst = worst_losses(problem, generator(seed, sampling.EVALUATION_NOISE), spec)
    means = {name: loss.mean().item() for name, loss in worst.items()}
    return epsilon.item(), clean.mean().item(), means


def stack_losses(
    W: Tensor, b: Tensor, densities: np.ndarray, seeds: np.ndarray, spec: dict
) -> tuple[Columns, Columns]:
    """epsilon and loss_clean; and the loss under each attack and the bound, each (S,).

    W: (S, m, n); b: (S, n); densities: of each model's inputs, (S,); seeds: (S,).
    """
    models = track(zip(W, b, densities.tolist(), seeds.tolist()), total=len(W), label="toy attacks")
    epsilon, clean, attacked = zip(*(model_losses(*model, spec) for model in models))
    names = attacked[0]
    return (
        {"epsilon": np.array(epsilon), "loss_clean": np.array(clean)},
        {name: np.array([losses[name] for losses in attacked]) for name in names},
    )


def relative_columns(columns: Columns) -> Columns:
    """gain, relative_increase, vulnerability and increase_ratio of one attack, each (S,).

    columns: training, density, epsilon, loss_clean and loss_adversarial, each (S,), on one kind of
    inputs.
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

    clean: training, density, epsilon, loss_clean and others, each (S,), on one kind of inputs;
    attacked: the loss under each attack and the bound, each (S,). of_bound is the share of the
    bound's increase.
    """
    most = attacked["bound"] - clean["loss_clean"]
    tables = []
    for attack, loss in attacked.items():
        columns = clean | {"attack": np.full(len(loss), attack), "loss_adversarial": loss}
        columns |= relative_columns(columns)
        tables.append(columns | {"of_bound": (loss - clean["loss_clean"]) / most})
    return concatenated(tables)


def concatenated(tables: list[Columns]) -> Columns:
    """The rows of each table after those of the one before."""
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


def evaluate(spec: dict, models: Path, output: Path) -> None:
    """Write the table of vulnerability and superposition.

    One row a (inputs, attack, training, density, seed): inputs "own" or "common", the certified
    bound one of the attacks, training "clean", "adversarial" or "shrunk", density the training's.
    spec: `Specs.toy_vulnerability`; models: the manifest that `train.fit` wrote; output: Parquet.
    Raises StoreError where the models are damaged.
    """
    W, b, index = with_shrunk(*read_stack(models), spec["refit_samples"])
    geometry = {measure.__name__: measure(W).numpy() for measure in MEASURES}
    own = index["density"]
    tables = []
    for inputs, densities in (("own", own), ("common", np.full_like(own, spec["common_density"]))):
        clean, attacked = stack_losses(W, b, densities, index["seed"], spec)
        columns = index | {"inputs": np.full(len(own), inputs)} | clean | geometry
        tables.append(attacked_columns(columns, attacked))
    write_table(output, concatenated(tables), spec)
