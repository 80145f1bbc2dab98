"""Do woken latents do the damage? Put them back where an attack broke a prediction, or put them in.

With f and f' the codes of clean activations x and attacked ones x' at one layer, a set S of latents
moves activations by D_S = Σ_{i∈S} (f'_i − f_i) d_i, d_i the decoder row. What the SAE leaves
unexplained, e and e', stays as it is.

- *restore*: x' − D_S goes on through the network. Predictions that the attack broke may return.
- *insert*: x + D_S goes on. Predictions that were right may break.

The sets, at every position, with W the latents that the attack woke:

- `woken`: W; `silenced`: those that fell silent; `latents`: all, so that one code becomes the other.
- `random`, `top`: as many as W has of the other latents that are active in either code, drawn at
  random, or the most active under attack.
- `error`: as far as W moves activations, ‖D_W‖, but along e' − e; `errors`: all of e' − e.
- `none`: nothing.

If an attack works through the latents that it wakes, W brings predictions back and the controls do not.
Codes are those of threshold inference. After each intervention the latents that are awake in the next
layer, if there is one, and were not in the clean image are counted: what is let through may compound.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from interference import compute
from interference.attacks.conditions import checked, pixels_at, read_attack
from interference.data.read import Images, read_split
from interference.models.network import Network, load_network
from interference.probes.inputs import Sweep, each, read_sweep
from interference.probes.layer import Layer
from interference.saes.dictionary import Dictionary
from interference.store.stretch import Stretch
from interference.store.tables import write_table

SETS = ("none", "woken", "silenced", "random", "top", "latents", "error", "errors")
INTERVENTIONS = ("restore", "insert")


@dataclass(frozen=True)
class Subject:
    """An SAE whose latents are intervened on.

    type, member: its type; its sparsity and sae_seed.
    following, after: the next layer and its SAE of the same type and seed; None without one.
    """

    type: str
    member: dict
    dictionary: Dictionary
    following: Layer | None
    after: Dictionary | None


def run(
    spec: dict,
    data: Path,
    model: Path,
    rows: Path,
    attack: Path,
    saes: list[Path],
    output: Path,
    next_rows: Sequence[Path] = (),
    next_saes: Sequence[Path] = (),
) -> None:
    """Write one row per (type, SAE seed, intervention, set, image), of each type's middle sparsity.

    spec: `Specs.intervene`; data, model, rows, attack: manifests of the images, the network, the
    layer's rows and the attack; saes: manifests in the spec's order; next_rows, next_saes: those of
    the next layer, none of the last; output: Parquet.
    Raises StoreError where an input is not of the spec's network, layer, attack or type.
    """
    images = read_split(data, "evaluation", spec["images"])
    of_network = {"model": spec["model"]}
    checked(model, of_network)
    checked(attack, {**of_network, "images": spec["images"], "attack": spec["attack"]})
    network = load_network(model).to(compute.device())
    layer, sweeps = _read(network, spec, spec["layer"], [rows], saes)
    following: tuple[Layer, list[Sweep]] | None = None
    if spec["next"] is not None:
        following = _read(network, spec, spec["next"], next_rows, next_saes)
    attacked = pixels_at(read_attack(attack, len(images.labels)), spec["epsilon"])
    subjects = [
        Subject(sweep.type, member, dictionary, None if following is None else following[0], after)
        for sweep, later in zip(sweeps, following[1] if following else [None] * len(sweeps))
        for (member, dictionary), after in _paired(sweep, later)
    ]
    outcomes = intervened(layer, subjects, images, attacked, spec["seed"])
    tables = [_columns(*pair, images) for pair in zip(subjects, outcomes, strict=True)]
    joined = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    write_table(output, {**spec["model"], "layer": spec["layer"], **joined}, spec)


def _read(
    network: Network, spec: dict, name: str, rows: Sequence[Path], saes: Sequence[Path]
) -> tuple[Layer, list[Sweep]]:
    """Read a layer and its sweeps, in the spec's order of types. Raises StoreError."""
    of_layer = {"model": spec["model"], "layer": name}
    sweeps = []
    ((_, only),) = each("rows", [name], rows)
    checked(only, of_layer)
    for sae_type, path in each("SAEs", spec["types"], saes):
        checked(path, {**of_layer, "type": sae_type})
        sweeps.append(read_sweep(path))
    return Layer.read(network, name, only), sweeps


def _middles(sweep: Sweep) -> Iterator[tuple[dict, Dictionary]]:
    """Yield the member of the middle sparsity, of an even number the upper, per SAE seed."""
    sparsities = sorted({member["sparsity"] for member in sweep.members})
    for member, dictionary in zip(sweep.members, sweep.dictionaries, strict=True):
        if member["sparsity"] == sparsities[len(sparsities) // 2]:
            yield member, dictionary


def _paired(
    sweep: Sweep, later: Sweep | None
) -> Iterator[tuple[tuple[dict, Dictionary], Dictionary | None]]:
    """Yield the middle members, each with that of the next layer's sweep and the same SAE seed."""
    of_seed = {m["sae_seed"]: dictionary for m, dictionary in _middles(later)} if later else {}
    for member, dictionary in _middles(sweep):
        yield (member, dictionary), of_seed.get(member["sae_seed"])


def intervened(
    layer: Layer, subjects: list[Subject], images: Images, attacked: Stretch, seed: int
) -> list[dict[str, np.ndarray]]:
    """Intervene on every SAE's latents: columns of `_outcomes` per subject, images the last axis.

    Images go through the network up to the layer once, whatever the number of SAEs.
    """
    parts: list[list[dict[str, np.ndarray]]] = [[] for _ in subjects]
    with torch.inference_mode():
        for batch in layer.batches(images, 2 + len(SETS)):
            clean = layer.standardised(images.pixels[batch])
            values = layer.standardised(attacked[batch])
            for subject, own in zip(subjects, parts, strict=True):
                dictionary, indices = subject.dictionary, images.indices[batch]
                moves = displacements(dictionary, clean, values, indices, seed)
                own.append(_outcomes(layer, subject, clean, values, moves))
    return [
        {name: np.concatenate([part[name] for part in own], axis=1) for name in own[0]}
        for own in parts
    ]


def _columns(
    subject: Subject, outcomes: dict[str, np.ndarray], images: Images
) -> dict[str, np.ndarray]:
    """Return the rows of one SAE, a row per (intervention, set, image)."""
    count, kinds = len(images.labels), len(INTERVENTIONS) * len(SETS)
    return {
        "type": np.full(kinds * count, subject.type),
        **{n: np.full(kinds * count, subject.member[n]) for n in ("sparsity", "sae_seed")},
        "intervention": np.repeat(INTERVENTIONS, len(SETS) * count),
        "set": np.tile(np.repeat(SETS, count), len(INTERVENTIONS)),
        "image": np.tile(images.indices, kinds),
        "label": np.tile(images.labels, kinds),
        **{name: array.ravel() for name, array in outcomes.items()},
    }


def displacements(
    dictionary: Dictionary, clean: np.ndarray, attacked: np.ndarray, images: np.ndarray, seed: int
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return set → (D_S (n, positions, d) float32, latents in S (n,) float64, a mean over positions).

    clean, attacked: (n, positions, d) float32, standardised. images: (n,) positions in the store; the
    random latents of an image hang on its own and the seed.
    """
    n, positions, d = clean.shape
    before, after = (dictionary.encode_threshold(x.reshape(-1, d)) for x in (clean, attacked))
    change = after - before
    woken, silenced = (before == 0) & (after > 0), (before > 0) & (after == 0)
    others = ((before > 0) | (after > 0)) & ~woken
    wanted = woken.sum(1)
    drawn = np.concatenate(
        [
            np.random.default_rng([seed, image]).random((positions, before.shape[1]))
            for image in images.tolist()
        ]
    )
    sets = {
        "woken": woken,
        "silenced": silenced,
        "random": _largest(drawn + 1, others, wanted),  # above 0, what is no other latent
        "top": _largest(after + 1, others, wanted),
        "latents": change != 0,
    }
    moves = {
        name: (np.where(chosen, change, 0) @ dictionary.w_dec, chosen.sum(1))
        for name, chosen in sets.items()
    }
    errors = (attacked - clean).reshape(-1, d) - moves["latents"][0]
    length = np.linalg.norm(errors, axis=1, keepdims=True)
    as_far = np.linalg.norm(moves["woken"][0], axis=1, keepdims=True)
    nothing = np.zeros(len(errors), np.int64)
    moves["none"] = np.zeros_like(errors), nothing
    moves["errors"] = errors, nothing
    moves["error"] = errors * (as_far / np.where(length > 0, length, 1)), nothing
    return {
        name: (move.reshape(n, positions, d), count.reshape(n, positions).mean(1))
        for name, (move, count) in moves.items()
    }


def _largest(keys: np.ndarray, among: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Mark the ``count`` largest keys of each row among some: (n, h) bool; all where there are fewer.

    keys: (n, h), positive. among: (n, h) bool. count: (n,).
    """
    keys = np.where(among, keys, 0)
    order = np.argsort(-keys, axis=1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(keys.shape[1])[None], axis=1)
    return (rank < count[:, None]) & among


def _outcomes(
    layer: Layer,
    subject: Subject,
    clean: np.ndarray,
    attacked: np.ndarray,
    moves: dict[str, tuple[np.ndarray, np.ndarray]],
) -> dict[str, np.ndarray]:
    """Return columns of (interventions · sets, images): prediction, latents, moved, next_woken.

    latents: in the set, per position; moved: root mean square over positions of ‖D_S‖; next_woken: as
    of this module, per position of the next layer; NaN without one.
    """
    device = compute.device()

    def onward(values: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        raw = torch.from_numpy(layer.statistics.restore(values)).to(device)
        later = dict(layer.network.after(raw, layer.name))
        awake = None
        following, after = subject.following, subject.after
        if following is not None and after is not None:
            rows = following.statistics.apply(later[following.name].cpu().numpy())
            awake = after.encode_threshold(rows.reshape(-1, rows.shape[2])) > 0
            awake = awake.reshape(*rows.shape[:2], -1)
        return later["logits"].argmax(1).cpu().numpy(), awake

    _, usual = onward(clean)
    rows: dict[str, list[np.ndarray]] = {}
    for intervention in INTERVENTIONS:
        for name in SETS:
            move, count = moves[name]
            values = attacked - move if intervention == "restore" else clean + move
            prediction, awake = onward(values)
            newly = np.full(len(clean), np.nan)
            if awake is not None and usual is not None:
                newly = (awake & ~usual).sum(2).mean(1)
            moved = np.sqrt((move.astype(np.float64) ** 2).sum(2).mean(1))
            columns = {"prediction": prediction, "latents": count, "moved": moved}
            for column, array in {**columns, "next_woken": newly}.items():
                rows.setdefault(column, []).append(array)
    return {name: np.stack(arrays) for name, arrays in rows.items()}
