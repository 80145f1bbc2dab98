"""The step that flips features of a family's networks by least changes, and measures superposition.

All networks of a family and seed see the same canvases with the same feature to flip, where they
have as many cells. Each is attacked in three regions: all cells, the feature's own, and all others.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from interference.canvas import measures
from interference.canvas.certificate import certified
from interference.canvas.family import Member, Pool, identity, read_family
from interference.canvas.minimum import masks
from interference.canvas.network import Trunk
from interference.canvas.noise import spread
from interference.canvas.pairs import Chosen, as_pairs, choose, flips, right
from interference.canvas.streams import ACCURACY, PAIRS, canvases
from interference.canvas.thresholds import Evidence, balanced, evidence
from interference.progress import say
from interference.store.tables import write_table

#: Canvases of the measures, and the first of them, all pairs of which give interference-to-signal.
CANVASES, CROSSED = 400, 100
#: Pairs that are certified, the first: 36 would take half as long as the attack on 144.
CERTIFIED = 12
REGIONS = ("all", "own", "others")

Columns = dict[str, np.ndarray]


def flips_of(member: Member, chosen: Chosen, noise: dict[str, Tensor], spec: dict) -> Columns:
    """One row per region, canvas and feature. noise: of each region, (P,), over the signal."""
    count = len(chosen.feature)
    with torch.no_grad():
        read = right(member, chosen, chosen.images)
    bounds = certificates(member, chosen)
    repeated = {
        "canvas": torch.arange(count),
        "feature": chosen.feature,
        "block_dose": member.doses()[chosen.feature],
        "on": chosen.on,
        "right": read,
    }
    columns = {name: np.tile(value.numpy(), len(REGIONS)) for name, value in repeated.items()}
    columns["region"] = np.repeat(REGIONS, count)
    radius = [flips(member, chosen, name, spec["flips"], spec["seed"]).radius for name in REGIONS]
    for name, parts in (
        ("radius", radius),
        ("certified", [bounds[region] for region in REGIONS]),
        ("noise", [noise[region] for region in REGIONS]),
    ):
        columns[name] = torch.cat(parts).numpy()
    return columns


def certificates(member: Member, chosen: Chosen) -> dict[str, Tensor]:
    """Return certified radii by region, (P,) each; NaN beyond `CERTIFIED` pairs, and where hidden
    units or a mounted network leave no bound."""
    bounds = {region: torch.full((len(chosen.feature),), torch.nan) for region in REGIONS}
    if not member.network.shape.hidden and isinstance(member.network.trunk, Trunk):
        first = Chosen(*(value[:CERTIFIED] for value in vars(chosen).values()))
        every = masks(first.feature, member.network.shape.cells)["all"]
        for region, radius in certified(member.network, as_pairs(member, first, every)).items():
            bounds[region][:CERTIFIED] = radius
    return bounds


def features_of(
    member: Member, chosen: Chosen, noise: dict[str, Tensor], seen: Evidence
) -> tuple[Columns, Columns]:
    """One row per feature that is read, and one per two of them, i < j.

    noise: of each region, (P,); a feature's is the root mean square of its pairs', NaN without any.
    """
    read = member.read
    V = measures.directions(seen)[:read]
    crossed = Evidence(*(value[:CROSSED] for value in vars(seen).values()))
    columns = {
        "block_dose": member.doses()[:read],
        "feature": torch.arange(read),
        "accuracy": member.accuracy[:read],
        "threshold": member.thresholds[:read],
        "interference_to_signal": measures.interference_to_signal(member.network, crossed)[:read],
        "squared_cosines": measures.squared_cosines(V),
        "dimensionality": measures.dimensionality(V),
        "norm": V.norm(dim=1),
    }
    mine = torch.nn.functional.one_hot(chosen.feature, member.network.shape.cells)[
        :, :read
    ].double()
    for region, values in noise.items():
        squares = values.double().square() @ mine / mine.sum(0)
        columns[f"noise_{region}"] = squares.sqrt()
    i, j = torch.triu_indices(read, read, offset=1)
    cosines = {"i": i, "j": j, "cosine": measures.cosines(V)[i, j].float()}
    return _arrays(columns), _arrays(cosines)


def _arrays(columns: dict[str, Tensor]) -> Columns:
    return {name: value.numpy() for name, value in columns.items()}


def flipped(members: list[Member], pool: Pool, spec: dict) -> dict[str, list[Columns]]:
    """Return the rows of each member by table: flips, features and cosines.

    spec: regime, seed and flips, as of `Specs.flip`.
    """
    seed, read = spec["seed"], min(member.read for member in members)
    tables: dict[str, list[Columns]] = {"flips": [], "features": [], "cosines": []}
    for member in members:
        network, settings = member.network, member.settings
        composer = pool.composer(settings["cells"], correlated=settings["correlated"])
        chosen = choose(composer, canvases(seed, PAIRS), spec["flips"]["pairs"], read)
        seen = evidence(network, composer, canvases(seed, ACCURACY), CANVASES)
        logits = balanced(network, seen)
        signal = (logits.on.mean(0) - logits.off.mean(0)).abs()[chosen.feature] / 2
        noise = {region: value / signal for region, value in spread(network, chosen, seed).items()}
        features, cosines = features_of(member, chosen, noise, seen)
        features["epsilon"] = np.repeat(settings["epsilon"], member.read)
        features["attacked"] = np.repeat(settings["attacked"] or "", member.read)
        found = {
            "flips": flips_of(member, chosen, noise, spec),
            "features": features,
            "cosines": cosines,
        }
        for name, columns in found.items():
            tables[name].append(_named(member, columns))
        radius = found["flips"]["radius"].reshape(len(REGIONS), -1)
        say(
            f"{member.name}: median radius {np.median(radius[0]):.3f}, own {np.median(radius[1]):.3f}"
        )
    return tables


def write_flips(
    tables: dict[str, list[Columns]], spec: dict, output: Path, **first: object
) -> None:
    """Write each table beside ``output`` (.flips.parquet). first: columns of one value ahead of all others."""
    same = {**first, "family": spec["family"], **identity(spec), "seed": spec["seed"]}
    for name, parts in tables.items():
        joined = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
        path = output.with_name(output.name.replace(".flips.", f".{name}."))
        write_table(path, same | joined, spec)


def run(spec: dict, data: Path, family: Path, output: Path) -> None:
    """Flip, certify and measure every network of a family; write ``output`` and two tables beside it.

    spec: `Specs.flip`; data: the images' manifest; family: the manifest that `learn.run` wrote.
    output: .flips.parquet, one row per network, region, canvas and feature; beside it
    .features.parquet, one row per network and feature, and .cosines.parquet, one row per network and
    two features. noise is over the feature's signal, half the step of its mean logit. Raises StoreError where
    images or weights are missing or damaged.
    """
    members, _ = read_family(family)
    pool = Pool(data, "evaluation", spec)
    write_flips(flipped(members, pool, spec), spec, output)


def _named(member: Member, columns: Columns) -> Columns:
    """The columns behind what names a network."""
    rows = len(next(iter(columns.values())))
    names = {"network": member.name} | {
        name: member.settings[name] for name in ("dose", "cells", "dimensions")
    }
    return {name: np.repeat(value, rows) for name, value in names.items()} | columns
