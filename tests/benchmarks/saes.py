"""Steps a second of our TopK trainer, against four libraries and the FLOP floor, on one thread.

A case is `topk-dD-hH-bB-deadP`: d dimensions, h latents, batch, and the percentage of latents that
are dead, so that AuxK works; k = 32. `…-sweep6` is six SAEs on the same rows; the libraries train
one at a time, so their single rate over six stands beside it. Dead latents are made: the first
quarter of the encoder's rows is shortened a hundredfold, so that none is ever among the top k
though half its pre-activations are positive, their counters are set beyond the patience, and the
learning rate is too small to change that within the steps timed. The six take their turns, of five
steps each, as members of a fit do. AuxK takes the top d/2 dead
latents; overcomplete's is not about dead ones: it takes h/2 latents, wherever P is not 0.

The floor is that of a dense step, 10 d h FLOP a row, at the rate of a large matrix product in the
same run; a TopK step needs less, so a floor_fraction may pass 1.

Rows `fvu-dD-hH` compare what training reaches, not time: ours and peer are the FVU on the same
unseen rows after the same steps, so there a ratio *below* 1 is better; floor_fraction is 0.

    make bench                                   both benchmarks
    make peers, then, with OMP_NUM_THREADS=1:
    .venv-peers/bin/python -m tests.benchmarks.saes [--quick]       writes results/benchmarks/saes.json
"""

import os
import sys
from collections.abc import Iterable, Iterator

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np  # noqa: E402
import torch  # noqa: E402

from interference.saes.compiled.topk import Step  # noqa: E402
from interference.saes.member import Member  # noqa: E402
from interference.saes.types import topk  # noqa: E402
from tests.benchmarks.rows import fastest, peak, row, write  # noqa: E402

K, MEMBERS, PATIENCE = 32, 6, 100_000
SIZES = ((64, 512), (128, 1024), (256, 2048), (512, 4096))
BATCHES = (512, 4096)
#: Steps a round and rounds, which take turns: 20 steps of each library.
STEPS, ROUNDS = 5, 4
#: A learning rate at which dead latents stay dead, and one that trains.
STILL, RATE = 1e-7, 1e-3
FVU_SIZES, FVU_STEPS, FVU_BATCH = SIZES[:2], 1000, 512


class Ours:
    name = "ours"

    def __init__(self, d: int, h: int, k: int, rate: float, dead_after: int, batch: int, seed=0):
        settings = topk.Settings(k=[k], aux_k=d // 2, aux_weight=1.0, dead_after=dead_after)
        self.member, self.rate = Member(topk, settings, k, d, h, seed), rate
        self.trainer = Step(self.member)

    def step(self, x: torch.Tensor) -> None:
        self.trainer.step(x.numpy(), self.rate, 0.0)

    def reconstruct(self, x: torch.Tensor) -> torch.Tensor:
        dictionary = self.member.dictionary()
        return torch.from_numpy(dictionary.decode(dictionary.encode(x.numpy())))

    def kill(self, latents: slice) -> None:
        self.member.parameters["w_enc"][latents] *= np.float32(0.01)
        self.member.state["silent"][latents] = 1 << 40


def sparse_rows(rows: int, d: int, seed: int) -> torch.Tensor:
    """(rows, d): sums of about 16 of 4 d random directions and a little noise, unit variance."""
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(4 * d, d, generator=torch.Generator().manual_seed(99)) / d**0.5
    codes = torch.rand(rows, 4 * d, generator=generator)
    codes = codes * (torch.rand(rows, 4 * d, generator=generator) < 16 / (4 * d))
    x = codes @ directions + 0.02 * torch.randn(rows, d, generator=generator)
    return (x - x.mean(0)) / x.std()


def speed(peers: Iterable, d: int, h: int, batch: int, dead: int) -> Iterator[dict]:
    """The rows of one case and of its sweep. dead: 0 or 25 per cent."""
    x = sparse_rows(batch, d, seed=0)
    sizes = (d, h, min(K, d // 2), STILL, PATIENCE, batch)
    single, *sweep = [Ours(*sizes, seed=seed) for seed in range(1 + MEMBERS)]
    libraries = [peer(*sizes) for peer in peers]
    for sae in (single, *sweep, *libraries):
        sae.step(x)
        if dead:
            sae.kill(slice(0, h * dead // 100))
        sae.step(x)  # compile, fill caches
    works = {"sweep": (lambda: [sae.step(x) for sae in sweep for _ in range(STEPS)], 1)}
    works |= {sae.name: (sae.step, STEPS) for sae in (single, *libraries)}
    works = {n: (w if n == "sweep" else lambda w=w: w(x), s) for n, (w, s) in works.items()}
    best = fastest(works, ROUNDS)
    still_dead = int((single.member.state["silent"] > PATIENCE).sum())
    assert still_dead == h * dead // 100, f"{still_dead} latents are dead"
    floor = 10 * d * h * batch / peak()
    case = f"topk-d{d}-h{h}-b{batch}-dead{dead}"
    for library in libraries:
        theirs = best[library.name]
        yield row(case, 1 / best["ours"], 1 / theirs, library.name, floor / best["ours"])
    for library in libraries:
        ours, theirs = best["sweep"] / STEPS, MEMBERS * best[library.name]
        name, fraction = f"{case}-sweep{MEMBERS}", MEMBERS * floor / ours
        yield row(name, 1 / ours, 1 / theirs, library.name, fraction)


def fvu(peers: Iterable, d: int, h: int, steps: int) -> Iterator[dict]:
    """The FVU that ours and each library reach on unseen rows."""
    x, unseen = sparse_rows(64 * FVU_BATCH, d, seed=0), sparse_rows(8192, d, seed=1)
    reached = {}
    for kind in (Ours, *peers):
        sae = kind(d, h, min(K, d // 2), RATE, PATIENCE, FVU_BATCH)
        for step in range(steps):
            sae.step(x[step % 64 * FVU_BATCH :][:FVU_BATCH])
        with torch.no_grad():
            error = (sae.reconstruct(unseen) - unseen).double().square().sum()
        reached[sae.name] = float(error / (unseen - unseen.mean(0)).double().square().sum())
    ours = reached.pop("ours")
    for name, theirs in reached.items():
        yield row(f"fvu-d{d}-h{h}", ours, theirs, name, 0.0)


def rows(peers: Iterable, sizes=SIZES, batches=BATCHES, fvu_sizes=FVU_SIZES) -> Iterator[dict]:
    """A row a (case, library); each size and batch without and with dead latents."""
    torch.set_num_threads(1)
    for d, h in sizes:
        for batch in batches:
            for dead in (0, 25):
                yield from speed(peers, d, h, batch, dead)
    for d, h in fvu_sizes:
        yield from fvu(peers, d, h, FVU_STEPS)


if __name__ == "__main__":
    from tests.benchmarks.peers import PEERS

    quick = {"sizes": SIZES[:1], "batches": BATCHES[:1], "fvu_sizes": ()}
    write("saes", rows(PEERS, **(quick if "--quick" in sys.argv[1:] else {})))
