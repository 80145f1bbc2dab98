"""What the figures of geometry show: overlaps of features of a few models, and one attacked input.

The models are those of the first seed at a few densities, evenly spaced over the trained ones. The
example has the density at which the clean-trained model has nearest to `EXAMPLE` features per
dimension. Both training modes get the same input: of `INPUTS` that are drawn, the one at which the
loss of the clean-trained model rises by the median, each model under the strongest attack on it.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from interference.compute import generator
from interference.store.tables import write_table
from interference.toy import measures, sampling
from interference.toy.attacks.every import every
from interference.toy.model import encode, norms, reconstruct
from interference.toy.problem import losses, perturbation, pose
from interference.toy.stack import REFERENCE, Columns, read_stack

#: One more than antipodal pairs store: a model past their plateau, and still legible as a graph.
EXAMPLE = 3
#: Inputs that the example is chosen of; epsilon is relative to their mean norm.
INPUTS = 256


def shown(densities: np.ndarray, count: int) -> np.ndarray:
    """``count`` of the densities, largest first, evenly spaced by index, both ends included."""
    ordered = np.unique(densities)[::-1]
    return ordered[np.linspace(0, len(ordered) - 1, count).round().astype(int)]


def pairs(W: Tensor, training: np.ndarray, density: np.ndarray) -> Columns:
    """One row per model and pair of features i ≤ j: overlap W_i · W_j, and if both are learned.

    W: (S, m, n); training, density: (S,).
    """
    i, j = np.triu_indices(W.shape[-1])
    learned = measures.learned(W).numpy()
    W = W.double()
    return {
        "training": np.repeat(training, len(i)),
        "density": np.repeat(density, len(i)),
        "i": np.tile(i.astype(np.int16), len(W)),
        "j": np.tile(j.astype(np.int16), len(W)),
        "overlap": (W.mT @ W).numpy()[:, i, j].astype(np.float32).ravel(),
        "learned": (learned[:, i] & learned[:, j]).ravel(),
    }


def attacked(
    W: Tensor, b: Tensor, reference: int, density: float, seed: int, spec: dict
) -> Columns:
    """The example, one column a quantity, each (S, n) float64: the input and output of S models.

    W: (S, m, n) and b: (S, n), of one density; reference: which of them the input is chosen at;
    spec: `Specs.geometry`.
    """
    draw = generator(seed, sampling.EXAMPLE)
    u = torch.rand(W.shape[-1], INPUTS, generator=draw)
    x = sampling.sparse_inputs(u, torch.full((len(W),), density))
    problem = pose(W, b, x, spec["relative_epsilon"] * norms(x).mean(dim=(-2, -1)))
    v = every(problem, draw, spec)["strongest"]
    increase = losses(problem, v) - losses(problem, torch.zeros_like(v))
    chosen = increase[reference].argsort(stable=True)[[INPUTS // 2]]
    W, b, x = W.double(), b.double(), x.double()[..., chosen]
    inputs = {"clean": x, "attacked": x + perturbation(W, v[..., chosen])}
    outputs = {name: reconstruct(W, b, encode(W, value)) for name, value in inputs.items()}
    columns = {f"input_{name}": value for name, value in inputs.items()}
    columns |= {f"output_{name}": value for name, value in outputs.items()}
    return {name: value.squeeze(-1).numpy() for name, value in columns.items()}


def run(spec: dict, models: Path, output: Path) -> None:
    """Write the overlaps, and beside them as .example.parquet the attacked input.

    spec: `Specs.geometry`; models: the manifest that `train.run` wrote; output: Parquet.
    Raises StoreError where the models are damaged.
    """
    W, b, index = read_stack(models)
    seed = int(index["seed"][0])
    of_seed = index["seed"] == seed
    chosen = of_seed & np.isin(index["density"], shown(index["density"], spec["densities"]))
    write_table(output, pairs(W[chosen], index["training"][chosen], index["density"][chosen]), spec)

    references = np.flatnonzero(chosen & (index["training"] == REFERENCE))
    distances = (measures.features_per_dimension(W[references]) - EXAMPLE).abs()
    density = float(index["density"][references[distances.argmin()]])
    rows = np.flatnonzero(of_seed & (index["density"] == density))
    training = index["training"][rows]
    reference = training.tolist().index(REFERENCE)
    columns = attacked(W[rows], b[rows], reference, density, seed, spec)
    features = W.shape[-1]
    write_table(
        output.with_suffix(".example.parquet"),
        {
            "training": np.repeat(training, features),
            "density": density,
            "feature": np.tile(np.arange(features), len(rows)),
            **{name: value.ravel() for name, value in columns.items()},
        },
        spec,
    )
