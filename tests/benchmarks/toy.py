"""Steps a second of the toy trainer, against batched autograd and the FLOP floor, on one thread.

A stack of 30 densities, as in the preprint, of one training mode. The peer is what one writes
first: all models in one batched product, autograd, torch.optim.Adam, and a fresh uniform times a
fresh mask for each model. The floor counts matrix products alone, at the peak rate that a large
product reaches in the same run: 5 of 2 n m FLOP a sample for a clean step; 8 and two of 2 m² for an
adversarial one, whose attack needs the clean backward pass only.

    python -m tests.benchmarks.toy        writes results/benchmarks/toy.json
"""

from collections.abc import Iterator

import numpy as np
import torch

from interference.toy import compiled
from interference.toy.state import ARRAYS, initial
from tests.benchmarks.rows import fastest, peak, row, write

FEATURES, HIDDEN = 100, 20
PEER = "batched autograd, torch"
FLOP = {
    "clean": 10 * FEATURES * HIDDEN,
    "adversarial": 16 * FEATURES * HIDDEN + 4 * HIDDEN**2,
}
ATTACK = {"type": "gradient", "steps": 1, "relative_step": 1.0, "noise": 0.0}


class Peer:
    """Batched autograd. W: (S, m, n); b: (S, n); batches (S, B, n)."""

    def __init__(self, spec: dict, mode: str):
        self.batch, self.mode, self.robust = spec["batch_size"], mode, spec["adversarial"]
        self.density = torch.tensor(spec["densities"])[:, None, None]
        models, deviation = len(self.density), (2 / (FEATURES + HIDDEN)) ** 0.5
        W = torch.randn(models, HIDDEN, FEATURES) * deviation
        b = self.density[:, 0].expand(-1, FEATURES) / 2
        self.parameters = [W.requires_grad_(), b.clone().requires_grad_()]
        self.adam = torch.optim.Adam(self.parameters, lr=spec["learning_rate"])

    def losses(self, inputs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        W, b = self.parameters
        hidden = torch.bmm(inputs, W.mT)
        return (torch.bmm(hidden, W) + b[:, None]).relu().sub(target).square().mean(dim=(1, 2))

    def step(self) -> None:
        shape = (len(self.density), self.batch, FEATURES)
        x = torch.rand(shape) * (torch.rand(shape) < self.density)
        loss = self.losses(x, x)
        if self.mode == "adversarial":
            point = x.clone().requires_grad_()
            (gradient,) = torch.autograd.grad(self.losses(point, x).sum(), point)
            radius = self.robust["relative_epsilon"] * x.norm(dim=-1, keepdim=True)
            delta = radius * gradient / gradient.norm(dim=-1, keepdim=True).clamp(min=1e-12)
            weight = self.robust["weight"]
            loss = (1 - weight) * loss + weight * self.losses(x + delta, x)
        self.adam.zero_grad(set_to_none=True)
        loss.sum().backward()
        self.adam.step()


class Ours:
    """The compiled steps on the half of a stack that has one training mode."""

    def __init__(self, spec: dict, mode: str):
        self.spec, self.state = spec, initial(spec)
        self.stepper = compiled.Stepper(spec, self.state)
        models = len(spec["densities"])
        half = slice(0, models) if mode == "clean" else slice(models, None)
        self.state.arrays = {name: self.state.arrays[name][half].copy() for name in ARRAYS}
        self.stepper.models = tuple(values[half] for values in self.stepper.models)

    def step(self) -> None:
        self.stepper.step(*self.state.draw(self.spec))


def rows(
    densities: int = 30, batches: tuple[int, ...] = (64, 256, 1024), rounds: int = 12
) -> Iterator[dict]:
    """One row a (training mode, batch)."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    for batch in batches:
        for mode, flop in FLOP.items():
            spec = {
                "features": FEATURES,
                "hidden": HIDDEN,
                "densities": np.geomspace(1, 0.1, densities).tolist(),
                "seeds": [0],
                "batch_size": batch,
                "learning_rate": 0.001,
                "weight_decay": 0.0,
                "adversarial": {
                    "relative_epsilon": 0.1, "radius": "sample", "weight": 0.5, "attack": ATTACK,
                },
            }  # fmt: skip
            ours, peer = Ours(spec, mode), Peer(spec, mode)
            ours.step(), peer.step()  # compile, fill caches
            best = fastest({"ours": (ours.step, 20), "peer": (peer.step, 3)}, rounds)
            floor = flop * batch * densities / peak()
            yield row(
                f"{mode}-b{batch}", 1 / best["ours"], 1 / best["peer"], PEER, floor / best["ours"]
            )


if __name__ == "__main__":
    write("toy", rows())
