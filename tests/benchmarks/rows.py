"""What every benchmark writes: rows of one case each, ours beside a peer, in one run."""

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import torch

RESULTS = Path("results/benchmarks")


def peak(size: int = 1024, rounds: int = 20) -> float:
    """float32 FLOP/s of the fastest of some large matrix products on one thread."""
    a, b = torch.randn(2, size, size)
    return 2 * size**3 / min(seconds(lambda: a @ b) for _ in range(rounds))


def seconds(work: Callable[[], object], repeats: int = 1) -> float:
    """Seconds that one of ``repeats`` calls took."""
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - start) / repeats


def fastest(works: dict[str, tuple[Callable[[], object], int]], rounds: int) -> dict[str, float]:
    """Seconds a call of each, the least over rounds that take turns, so that all see the same noise.

    works: name → (work, calls a round).
    """
    best = dict.fromkeys(works, float("inf"))
    for _ in range(rounds):
        for name, (work, repeats) in works.items():
            best[name] = min(best[name], seconds(work, repeats))
    return best


def row(case: str, ours: float, peer: float, peer_name: str, floor_fraction: float) -> dict:
    """ours, peer: rates, so that ratio is above 1 where ours is faster."""
    return {
        "case": case,
        "ours": round(ours, 4),
        "peer": round(peer, 4),
        "peer_name": peer_name,
        "ratio": round(ours / peer, 3),
        "floor_fraction": round(floor_fraction, 3),
    }


def write(name: str, rows: Iterable[dict]) -> None:
    """Print each row as it comes; write all to results/benchmarks/NAME.json."""
    written = []
    for entry in rows:
        print("  ".join(f"{key} {value}" for key, value in entry.items()), flush=True)
        written.append(entry)
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    print(f"{len(written)} rows in {RESULTS / name}.json")
