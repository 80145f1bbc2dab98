"""The ruler: proxies of superposition on bottlenecks whose superposition is known.

The dose n/m moves in two ways, by features at fixed dimensions (which is like for like for an SAE)
and by dimensions at fixed features. At one dose three things move that a proxy should not follow:
the density of features on the canvases, the width at n/m = 2, and the scale of activations, which
are standardised and then multiplied. Of every network stand beside the proxies what is known:
interference-to-signal, the median over features (it has no bound where one is not learned), and the
sum of squared cosines, the mean.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from interference.attacks.matching import along
from interference.attacks.norms import norm_of
from interference.canvas import measures
from interference.canvas.bounded import Adversary, attacked, drawn
from interference.canvas.compose import Composer
from interference.canvas.family import Member, Pool, identity, read_family
from interference.canvas.network import Network
from interference.canvas.proxies import Activations, of_saes, own_measure
from interference.canvas.streams import ACCURACY, ATTACKED, NOISE, PAIRS, ROWS, canvases
from interference.canvas.thresholds import BATCH, Evidence, evidence
from interference.compute import generator
from interference.progress import say
from interference.store.tables import write_table

#: Features per dimension of the network whose canvases and scale vary, or the nearest there is; and
#: of the networks of several widths.
DOSE, WIDTH_DOSE = 3.0, 2.0
#: Canvases that are attacked, and steps of the attack.
UNDER_ATTACK, STEPS = 96, 8
#: Canvases of the known measures, and the first of them, all pairs of which give interference.
KNOWN, CROSSED = 400, 100
#: Keeps the standardisation of a silent dimension finite.
TINY = 1e-6


@dataclass(frozen=True)
class Point:
    """One network, and how it is looked at.

    vary: dose_n, dose_m, density, width or scale; value: of what varies. density: of the canvases.
    scale: of the standardised activations.
    """

    vary: str
    value: float
    member: Member
    density: float
    scale: float = 1.0


def points(dose: list[Member], factorial: list[Member], spec: dict) -> Iterator[Point]:
    """Yield what is measured. dose, factorial: the members of these families."""
    density, ruler = spec["regime"]["density"], spec["ruler"]
    narrow = min(member.settings["dimensions"] for member in factorial)
    for member in factorial:
        if member.settings["dimensions"] == narrow:
            yield Point("dose_n", member.settings["cells"], member, density)
    for member in dose:
        yield Point("dose_m", member.settings["dimensions"], member, density)
    for member in factorial:
        if member.settings["dose"] == WIDTH_DOSE:
            yield Point("width", member.settings["dimensions"], member, density)
    chosen = min(dose, key=lambda member: abs(member.settings["dose"] - DOSE))
    for other in sorted({density, *ruler["densities"]}):
        yield Point("density", other, chosen, other)
    for scale in ruler["scales"]:
        yield Point("scale", scale, chosen, density, scale)


@torch.no_grad()
def bottleneck(network: Network, images: Tensor) -> Tensor:
    """Return z: (b, n, channels, side, side) → (b, m)."""
    return network.contributions(images).sum(1)


def rows(network: Network, composer: Composer, seed: int, count: int) -> np.ndarray:
    """Return the bottleneck on the first canvases of a seed: (count, m) float32."""
    parts = [
        bottleneck(network, composer.compose(seed, first, min(BATCH, count - first)).images)
        for first in range(0, count, BATCH)
    ]
    return torch.cat(parts).numpy()


def moved(network: Network, composer: Composer, epsilon: float, seed: int) -> list[np.ndarray]:
    """Return the bottleneck under attack and under noise of the same norm: (UNDER_ATTACK, m) each."""
    batch = composer.compose(canvases(seed, PAIRS), 0, UNDER_ATTACK)
    feature = drawn(batch.labels, generator(seed, ATTACKED))
    adversary = Adversary(epsilon, STEPS, "all")
    changed = attacked(network, batch.images, batch.labels, feature, adversary)
    noise = torch.randn(changed.shape, generator=generator(seed, NOISE))
    noisy = along(batch.images, noise, norm_of(changed - batch.images, "l2"), "l2")
    return [bottleneck(network, images).numpy() for images in (changed, noisy)]


def activations(point: Point, pools: dict[str, Pool], spec: dict) -> Activations:
    """Return the rows of a network, standardised, at the scale of a point."""
    network, settings, count = point.member.network, point.member.settings, spec["ruler"]["rows"]
    composers = {
        split: pool.composer(settings["cells"], density=point.density)
        for split, pool in pools.items()
    }
    seed = canvases(spec["seed"], ROWS)
    heldout = composers["evaluation"]
    raw = [
        rows(network, composers["train"], seed, count),
        rows(network, heldout, seed, count),
        *moved(network, heldout, spec["ruler"]["epsilon"], spec["seed"]),
    ]
    mean, std = raw[0].mean(0, dtype=np.float64), raw[0].std(0, dtype=np.float64)
    scaled = ((each - mean) / np.maximum(std, TINY) * point.scale for each in raw)
    return Activations(*(each.astype(np.float32) for each in scaled))


def known(point: Point, pool: Pool, seed: int) -> dict[str, float]:
    """Return what is known of a network's superposition: a median and a mean over features."""
    member = point.member
    composer = pool.composer(member.settings["cells"], density=point.density)
    seen = evidence(member.network, composer, canvases(seed, ACCURACY), KNOWN)
    crossed = Evidence(*(value[:CROSSED] for value in vars(seen).values()))
    ratio = measures.interference_to_signal(member.network, crossed)
    return {
        "interference_to_signal": ratio.median().item(),
        "squared_cosines": measures.squared_cosines(measures.directions(seen)).mean().item(),
    }


def run(spec: dict, data: Path, families: list[Path], output: Path) -> None:
    """Write one row per (what varies, its value, proxy).

    Measures of the user's own get what SAEs get, the held-out rows (n, m) float32, and are named
    MODULE:FUNCTION. spec: `Specs.calibrate`; data: the images' manifest; families: the manifests of
    the families dose and factorial that `learn.run` wrote for this seed. Raises StoreError where
    images or weights are missing or damaged, MeasureError where a measure cannot be had, and
    TrainingError where rows or latents are too few.
    """
    ruler, seed = spec["ruler"], spec["seed"]
    own = {name: own_measure(name) for name in ruler["measures"]}
    pools = {split: Pool(data, split, spec) for split in ("train", "evaluation")}
    members = {content["family"]: found for found, content in map(read_family, families)}
    measured: dict[tuple[Network, float, float], dict[str, float]] = {}
    table: list[tuple] = []
    for point in points(members["dose"], members["factorial"], spec):
        key = point.member.network, point.density, point.scale
        if key not in measured:
            found = activations(point, pools, spec)
            measured[key] = (
                of_saes(found, ruler, seed)
                | known(point, pools["evaluation"], seed)
                | {name: float(measure(found.heldout)) for name, measure in own.items()}
            )
        dose = point.member.settings["dose"]
        table += [(point.vary, dose, float(point.value), *pair) for pair in measured[key].items()]
        say(f"{point.vary} {point.value:g}, dose {dose:g}: measured")
    names = ("vary", "dose", "value_of_what_varies", "proxy", "value")
    columns = {name: np.array(values) for name, values in zip(names, zip(*table))}
    write_table(output, {**identity(spec), "seed": seed, **columns}, spec)
