"""What our TopK reaches on the embedded activations beside two libraries: FVU and dead latents.

Rows of the clean network of a finished default run (`make run` first), its latents, batches and
number of rows; the same rows in the same order for all. Ours has the AuxK of config.yaml, a library
its own settings, and each of four rates the one with which its own mean FVU is least. Every rate
falls to 0 over the last fifth. Means over three seeds, and the 95 % interval (Student's
t) of ours minus theirs, seed by seed; a latent is dead when no held-out row activates it.

    make peers, make run, then, with OMP_NUM_THREADS=1:
    .venv-peers/bin/python -m tests.benchmarks.quality       writes results/benchmarks/quality.json
"""

import os
from collections.abc import Iterator
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np  # noqa: E402
import torch  # noqa: E402
from scipy.stats import t  # noqa: E402

from interference.config.load import read_config  # noqa: E402
from interference.saes.compiled.topk import Step  # noqa: E402
from interference.saes.member import Member  # noqa: E402
from interference.saes.rows import batches  # noqa: E402
from interference.saes.types import topk  # noqa: E402
from interference.store.arrays import Reader, open_array  # noqa: E402
from interference.store.files import read_json  # noqa: E402
from tests.benchmarks.rows import write  # noqa: E402

CONFIG = Path(__file__).parents[2] / "config.yaml"
ROWS = Path("results/fashion-mnist/activations/clean-s0")
LAYERS, K, SEEDS, RATES = (
    ("layer1", "layer2", "layer3"),
    (8, 32),
    (0, 1, 2),
    (0.0025, 0.005, 0.0075, 0.01),
)


class Ours:
    name = "ours"

    def __init__(self, d: int, h: int, k: int, rate: float, dead_after: int, batch: int, seed: int):
        settings = read_config(CONFIG).saes.types.topk
        self.member = Member(
            topk, topk.Settings(k=[k], aux_k=settings.aux_k, aux_weight=settings.aux_weight, dead_after=settings.dead_after),
            k, d, h, seed,
        )  # fmt: skip
        self.trainer, self.rate = Step(self.member), rate

    def step(self, x: torch.Tensor) -> None:
        self.trainer.step(x.numpy(), self.rate, 0.0)

    def set_rate(self, rate: float) -> None:
        self.rate = rate

    def latents(self, x: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(self.member.dictionary().encode(x.numpy()))

    def reconstruct(self, x: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(self.member.dictionary().decode(self.latents(x).numpy()))


def trained(kind, layer: str, k: int, rate: float, seed: int) -> tuple[float, float]:
    """FVU and share of dead latents of one SAE on held-out rows."""
    store, heldout = opened(layer)
    saes = read_config(CONFIG).saes
    fit, settings = saes.layers[layer], saes.types.topk
    d, steps = store.shape[1], fit.rows // fit.batch_size
    sae = kind(d, fit.expansion_factor * d, k, rate, settings.dead_after, fit.batch_size, seed=seed)
    for step, x in enumerate(batches(store, fit.batch_size, fit.rows, seed)):
        sae.set_rate(rate * min(1.0, (1 - step / steps) / saes.decay_fraction))
        sae.step(torch.from_numpy(x))
    with torch.no_grad():
        error = (sae.reconstruct(heldout) - heldout).double().square().sum()
        dead = (sae.latents(heldout) > 0).sum(0) == 0
    variation = (heldout - heldout.mean(0)).double().square().sum()
    return float(error / variation), float(dead.double().mean())


def at_best(kind, layer: str, k: int, seeds, rates) -> tuple[float, np.ndarray]:
    """The best of the rates, and FVU and dead latents with it: (2, seeds)."""
    runs = {r: np.array([trained(kind, layer, k, r, s) for s in seeds]).T for r in rates}
    rate = min(runs, key=lambda r: runs[r][0].mean())
    return rate, runs[rate]


def opened(layer: str) -> tuple[Reader, torch.Tensor]:
    """Training rows, and held-out rows (n, d)."""
    path = ROWS / layer / "rows.json"
    if not path.exists():
        raise SystemExit(f"{path} is missing: run `make run` first")
    manifest = read_json(path)
    train, heldout = (
        open_array(path.with_suffix(f".{name}.zarr"), manifest[name])
        for name in ("train", "heldout")
    )
    return train, torch.from_numpy(heldout[:].reshape(-1, heldout.shape[2]))


def results(peers, layers=LAYERS, sparsities=K, seeds=SEEDS, rates=RATES) -> Iterator[dict]:
    """A row a (layer, k, library)."""
    torch.set_num_threads(1)
    for layer in layers:
        for k in sparsities:
            own_rate, (fvu, dead) = at_best(Ours, layer, k, seeds, rates)
            for peer in peers:
                rate, (theirs, their_dead) = at_best(peer, layer, k, seeds, rates)
                gap = fvu - theirs
                margin = t.ppf(0.975, len(seeds) - 1) * gap.std(ddof=1) / len(seeds) ** 0.5
                yield {
                    "case": f"{layer}-k{k}",
                    "peer_name": peer.name,
                    "rate": own_rate,
                    "peer_rate": rate,
                    "fvu": round(fvu.mean(), 5),
                    "peer_fvu": round(theirs.mean(), 5),
                    "difference_low": round(gap.mean() - margin, 5),
                    "difference_high": round(gap.mean() + margin, 5),
                    "dead_fraction": round(dead.mean(), 4),
                    "peer_dead_fraction": round(their_dead.mean(), 4),
                }


if __name__ == "__main__":
    from tests.benchmarks.peers import DictionaryLearning, SAELens

    write("quality", results((DictionaryLearning, SAELens)))
