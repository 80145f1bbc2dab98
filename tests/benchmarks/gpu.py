"""What a GPU does a second, beside peers on it and beside what its products and memory allow.

- `TYPE-dD-hH-bB-deadP-sweep6`: steps of a sweep of six SAEs by `saes.stacked`, as a job takes them,
  rows still on the host. The peers, of TopK, train one at a time on rows on the GPU, so their rate is
  over six; both multiply in TF32. The other types' peer is our TopK. The floor is the longer of two
  times: the products of a dense step, 10 d h FLOP a row and member, at the rate of a large TF32
  product; and what a step has to move at the rate of a large copy, which is all weights, moments and
  gradients, 7 arrays read or written, and pre-activations and their gradient written and read once.
- `toy-bB`: steps of both training modes. Peer: batched autograd. Floor: products in float32.
- `LAYER-SIZEpx`, `pgd-…`, `train-…`: images of the whole job. Peer, and floor: the bare passes through
  the network of batches in memory, as large as the job's.

    make bench-gpu        writes results/benchmarks/gpu.json
"""

import importlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from interference import compute
from interference.activations.extract import run as extract
from interference.attacks.craft import run as attack
from interference.attacks.victim import Victim
from interference.data.read import read_split
from interference.models.feeding import batch_size
from interference.models.training import train
from interference.saes.member import Member
from interference.saes.stacked import CapturedStack, Stack
from interference.toy import stacked
from interference.toy.state import initial
from tests.benchmarks import saes, toy
from tests.benchmarks.extraction import POSITIONS, write_images, write_network
from tests.benchmarks.rows import fastest, row, write

SIZES, BATCHES = ((64, 512), (256, 2048), (512, 4096)), (512, 4096)
#: type → settings of each of six SAEs; AuxK as in saes.py.
SWEEPS = {
    "topk": {"k": [saes.K]},
    "batch_topk": {"k": [saes.K]},
    "matryoshka": {"k": [saes.K], "prefixes": [0.125, 0.25, 0.5, 1.0]},
    "relu_l1": {"l1": [0.2], "warmup_fraction": 0.05, "gradient_clip": 1.0},
    "gated": {"l1": [0.2], "warmup_fraction": 0.05},
    "jumprelu": {"l0": [0.003], "warmup_fraction": 0.05, "initial_threshold": 0.1,
                 "bandwidth": 0.1},
}  # fmt: skip
#: Images of a batch of training.
TRAINED_BATCH = 256
#: Of the weights of a step: parameters, two moments, each read and written, and gradients read.
PASSES = 7
PGD = {"type": "pgd", "norm": "l2", "epsilons": [1.0], "steps": 10, "relative_step": 0.25,
       "random_start": True, "restarts": 1, "loss": "log-odds"}  # fmt: skip


def done() -> None:
    """Wait for the device."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def timed(work: Callable[[], object], repeats: int) -> tuple[Callable[[], None], int]:
    """As `rows.fastest` takes it: the device waited for after ``repeats`` calls."""

    def all_of_them() -> None:
        for _ in range(repeats):
            work()
        done()

    return all_of_them, 1


def rate(work: Callable[[], object], repeats: int = 20, rounds: int = 5) -> float:
    """Calls a second, the fastest round."""
    work(), done()
    return repeats / fastest({"": timed(work, repeats)}, rounds)[""]


def products(size: int, precision: str) -> float:
    """FLOP/s of a large matrix product. precision: ieee or tf32."""
    torch.backends.cuda.matmul.fp32_precision = precision
    a, b = torch.randn(2, size, size, device=compute.device())
    return 2 * size**3 * rate(lambda: a @ b)


def bandwidth(elements: int) -> float:
    """Bytes/s, read and written, of a large copy."""
    a, b = torch.randn(2, elements, device=compute.device())
    return 8 * elements * rate(lambda: b.copy_(a))


class Sweep:
    """Six members of a type, by the steps that a job takes on the device."""

    def __init__(self, name: str, d: int, h: int):
        module = importlib.import_module(f"interference.saes.types.{name}")
        settings = dict(SWEEPS[name])
        if "k" in settings:
            settings["k"] = [min(k, d // 2) for k in settings["k"]]
            settings |= {"aux_k": d // 2, "aux_weight": 1.0, "dead_after": saes.PATIENCE}
        settings = module.Settings(**settings)
        (sparsity,) = getattr(settings, module.SPARSITY)
        seeds = range(saes.MEMBERS)
        members = [Member(module, settings, sparsity, d, h, seed) for seed in seeds]
        kind = CapturedStack if torch.cuda.is_available() else Stack
        self.stack = kind(members, compute.device())

    def step(self, x: np.ndarray) -> None:
        self.stack.step(x, saes.STILL, 1.0)

    def kill(self, latents: slice) -> None:
        self.stack.parameters["w_enc"][:, latents] *= 0.01
        self.stack.state["silent"][:, latents] = 1 << 40


def sae_sweep(
    peers: Iterable, name: str, d: int, h: int, batch: int, dead: int, seconds: Callable
) -> Iterator[dict]:
    """A row a peer of one type's sweep. seconds: FLOP and bytes → the least that they take."""
    x = saes.sparse_rows(batch, d, seed=0)
    sizes = (d, h, min(saes.K, d // 2), saes.STILL, saes.PATIENCE, batch)
    there = x.to(compute.device())
    works: dict[str, Callable] = {"ours": Sweep(name, d, h)}
    works |= {peer.name: peer(*sizes, device=compute.device().type) for peer in peers}
    if not peers:
        works["our topk"] = Sweep("topk", d, h)
    shown = {n: x.numpy() if isinstance(sae, Sweep) else there for n, sae in works.items()}
    for other, sae in works.items():
        for _ in range(5):  # warm up, capture
            sae.step(shown[other])
        done()
        if dead and hasattr(sae, "kill"):
            sae.kill(slice(0, h * dead // 100))
    done()
    best = fastest(
        {n: timed(lambda n=n, sae=sae: sae.step(shown[n]), 20) for n, sae in works.items()}, 3
    )
    best = {n: least / 20 for n, least in best.items()}
    ours = best.pop("ours")
    flop = 10 * d * h * batch * saes.MEMBERS
    moved = 4 * saes.MEMBERS * (2 * d * h * PASSES + 4 * batch * h)
    for other, theirs in best.items():
        theirs *= 1 if other == "our topk" else saes.MEMBERS
        case = f"{name}-d{d}-h{h}-b{batch}-dead{dead}-sweep{saes.MEMBERS}"
        yield row(case, 1 / ours, 1 / theirs, other, seconds(flop, moved) / ours)


def toy_steps(densities: int, batch: int, peak: float) -> dict:
    """peak: FLOP/s in float32."""
    spec = {
        "features": toy.FEATURES, "hidden": toy.HIDDEN, "seeds": [0], "batch_size": batch,
        "densities": np.geomspace(1, 0.1, densities).tolist(), "learning_rate": 0.001,
        "weight_decay": 0.0,
        "adversarial": {"relative_epsilon": 0.1, "radius": "sample", "weight": 0.5,
                        "attack": toy.ATTACK},
    }  # fmt: skip
    state, place = initial(spec), compute.device()
    ours = stacked.Stepper(spec, state, place)
    with place:
        peers = [toy.Peer(spec, mode) for mode in toy.FLOP]
        works = {
            "ours": timed(lambda: ours.step(*state.draw(spec)), 50),
            "peer": timed(lambda: [peer.step() for peer in peers], 50),
        }
        for work, _ in works.values():
            work()
        best = fastest(works, 3)
    floor = sum(toy.FLOP.values()) * batch * densities / peak
    rates = {name: 50 / least for name, least in best.items()}
    return row(f"toy-b{batch}", rates["ours"], rates["peer"], toy.PEER, floor * rates["ours"])


def network_jobs(images: int, size: int, positions: dict[str, int], rounds: int) -> Iterator[dict]:
    """Extraction a layer, an attack and training, each beside its bare passes."""
    place = compute.device()
    with tempfile.TemporaryDirectory() as folder:
        data, model, output = (Path(folder, f"{name}.json") for name in ("images", "m", "out"))
        write_images(data, images, size)
        network = write_network(model).to(place)
        split = read_split(data, "train")
        few = min(images, 512)
        x = torch.from_numpy(split.pixels[:few]).to(place).float() / 255
        labels = torch.zeros(few, dtype=torch.int64, device=place)
        batches = x.split(batch_size(x.shape))

        def beside(case: str, job: Callable, count: int, bare: Callable, bare_count: int) -> dict:
            job(), bare(), done()
            best = fastest({"job": timed(job, 1), "bare": timed(bare, 1)}, rounds)
            ours, peer = count / best["job"], bare_count / best["bare"]
            return row(f"{case}-{size}px", ours, peer, "bare passes, torch", ours / peer)

        for layer, kept in positions.items():
            spec = {"model": {"model": "m"}, "layer": layer, "positions": kept, "seed": 0}

            def forward(layer: str = layer) -> None:
                with torch.inference_mode():
                    for part in batches:
                        network.activations(part, layer)

            yield beside(
                layer, lambda spec=spec: extract(spec, data, model, output, []), images,
                forward, few,
            )  # fmt: skip

        def climb() -> None:
            for part in batches:
                loss, point = (
                    Victim(network, labels[: len(part)]).loss("log-odds"),
                    part.clone().requires_grad_(),
                )
                for _ in range(PGD["steps"]):
                    torch.autograd.grad(loss(point).sum(), point)
                with torch.no_grad():
                    loss(part), network(part)

        method = {"model": {"model": "m"}, "attack": "pgd", "images": few, "seed": 0, "method": PGD}
        method |= {"classes": 2, "source": None}
        yield beside("pgd", lambda: attack(method, data, model, output), few, climb, few)

        batch = min(few, TRAINED_BATCH)

        def descend() -> None:
            bare.train().requires_grad_()
            for part, of_part in zip(x.split(batch), labels.split(batch)):
                cross_entropy(bare(part), of_part).backward()
                for parameter in bare.parameters():
                    parameter.grad = None

        bare, trained = write_network(model).to(place), write_network(model).requires_grad_()
        settings = {"epochs": 1, "learning_rate": 1e-3, "weight_decay": 5e-4, "momentum": 0.9}
        settings["batch_size"] = batch

        def ours() -> None:
            train(trained, split, None, 0, **settings)

        yield beside("train", ours, images, descend, few)


def rows(
    peers: Iterable,
    sizes=SIZES,
    batches=BATCHES,
    types=tuple(SWEEPS),
    densities: int = 30,
    toy_batches: tuple[int, ...] = (256, 1024),
    images: int = 2048,
    size: int = 224,
    positions: dict[str, int] = POSITIONS,
    large: int = 8192,
    rounds: int = 2,
) -> Iterator[dict]:
    """A row a (case, peer); other types than TopK at the largest batch alone."""
    in_float32, copied = products(large, "ieee"), bandwidth(large**2)
    for batch in toy_batches:
        yield toy_steps(densities, batch, in_float32)
    yield from network_jobs(images, size, positions, rounds)
    in_tf32 = products(large, "tf32")
    print(f"float32 {in_float32:.3g} FLOP/s, TF32 {in_tf32:.3g} FLOP/s, memory {copied:.3g} B/s")

    def seconds(flop: float, moved: float) -> float:
        return max(flop / in_tf32, moved / copied)

    for d, h in sizes:
        for batch in batches:
            for dead in (0, 25):
                yield from sae_sweep(peers, "topk", d, h, batch, dead, seconds)
        for name in types:
            if name != "topk":
                yield from sae_sweep((), name, d, h, max(batches), 0, seconds)


if __name__ == "__main__":
    os.environ["SPARSIFY_DISABLE_TRITON"] = "0"
    from tests.benchmarks.peers import PEERS

    quick = {"sizes": SIZES[:1], "batches": BATCHES[:1], "images": 256, "toy_batches": (256,)}
    write("gpu", rows(PEERS, **(quick if "--quick" in sys.argv[1:] else {})))
