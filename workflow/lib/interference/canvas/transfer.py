"""The step that applies one network's flips to networks of other seeds.

Networks of a dose differ by their seed alone, and were taught on independent features or on
correlated ones (`compose`). The preprint and Stevinson et al. (arXiv 2510.11709) expect transfer
where the geometry of features is shared, which correlated features, the same for all seeds, make
likely. A least change just crosses the source's threshold; it is taken twice as far (`STRETCH`), and
counts for pairs that source and target both read right. The control is noise on the other cells of
the norm that the stretched change of the other cells has.
"""

from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from interference.attacks.matching import along
from interference.attacks.norms import norm_of
from interference.canvas.family import Member, Pool, identity, read_family
from interference.canvas.minimum import masks
from interference.canvas.pairs import BATCH, Chosen, choose, flips, right
from interference.canvas.streams import NOISE, PAIRS, canvases
from interference.compute import generator
from interference.progress import say
from interference.store.tables import write_table

#: How far a change is taken, over the least that flips the source.
STRETCH = 2.0
REGIONS = ("all", "own", "others")

#: Whether features are correlated, and the dose → the networks by seed.
Groups = dict[tuple[bool, float], dict[int, Member]]


def groups(families: list[Path], doses: list[float]) -> Groups:
    """Return the networks of these doses, grouped. Raises StoreError where weights are damaged."""
    found: Groups = {}
    for path in families:
        members, spec = read_family(path)
        for member in members:
            if member.settings["dose"] in doses:
                key = member.settings["correlated"], member.settings["dose"]
                found.setdefault(key, {})[spec["seed"]] = member
    return found


def stretched(member: Member, chosen: Chosen, spec: dict, seed: int) -> dict[str, Tensor]:
    """Return the canvases changed for a source, by region and by noise: (P, n, …) each.

    Where no flip was found the canvas is clean.
    """
    images = {}
    for region in REGIONS:
        change = flips(member, chosen, region, spec["flips"], seed).images - chosen.images
        images[region] = (chosen.images + STRETCH * change).clamp(0, 1)
    rows = range(len(chosen.feature))
    noise = torch.stack(
        [
            torch.randn(chosen.images.shape[1:], generator=generator(seed, NOISE, row))
            for row in rows
        ]
    )
    others = masks(chosen.feature, chosen.images.shape[1])["others"][:, :, None, None, None]
    target = norm_of(images["others"] - chosen.images, "l2")
    parts = zip(*(x.split(BATCH) for x in (chosen.images, noise * others, target)))
    images["noise"] = torch.cat([along(x, way, norm, "l2") for x, way, norm in parts])
    return images


def run(spec: dict, data: Path, families: list[Path], output: Path) -> None:
    """Write how often a source's changes flip a target.

    One row per (features, dose, source_seed, target_seed, region), the source itself among the targets
    as a check, and noise among the regions. success: share of the pairs that flip; pairs: those that
    source and target read right, and for which the source's flip in the region was found (of noise:
    in the other cells). spec: `Specs.transfer`; data: the images' manifest; families: manifests that
    `learn.run` wrote. Raises StoreError where images or weights are missing or damaged.
    """
    pool = Pool(data, "evaluation", spec)
    names = ("features", "dose", "source_seed", "target_seed", "region", "success", "pairs")
    rows: list[tuple] = []
    for (correlated, dose), members in groups(families, spec["transfer"]["doses"]).items():
        for source, member in members.items():
            settings = member.settings
            composer = pool.composer(settings["cells"], correlated=correlated)
            count = spec["transfer"]["pairs"]
            chosen = choose(composer, canvases(source, PAIRS), count, settings["read"])
            changed = stretched(member, chosen, spec, source)
            with torch.no_grad():
                found = outcomes(members, source, chosen, changed)
            kind = "correlated" if correlated else "independent"
            rows += [(kind, dose, source, *row) for row in found]
            say(f"{kind} features, dose {dose}, seed {source}: applied to {len(members)} networks")
    columns = {name: np.array(values) for name, values in zip(names, zip(*rows))}
    write_table(output, {**identity(spec), **columns}, spec)


def outcomes(
    members: dict[int, Member], source: int, chosen: Chosen, changed: dict[str, Tensor]
) -> list[tuple[int, str, float, int]]:
    """Return target seed, region, success and pairs; success is NaN where there is no pair."""
    clean = {seed: right(member, chosen, chosen.images) for seed, member in members.items()}
    rows = []
    for (seed, member), (region, images) in product(members.items(), changed.items()):
        moved = (images != chosen.images).flatten(1).any(1)
        counted = clean[source] & clean[seed] & moved
        flipped = ~right(member, chosen, images)[counted]
        rows.append((seed, region, flipped.double().mean().item(), int(counted.sum())))
    return rows
