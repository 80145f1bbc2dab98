"""What an attack wakes, to be seen: latents of every layer, clean images on which they fire, attacked ones.

A latent *wakes* in an image where it is silent at every position of the clean image, and active at some
position of the attacked one, by threshold inference. Chosen are the latents that wake in most more images
under the attack than under noise of the same norm and radius, since any input that is off the data may wake
some. With each stand the clean images on which it is the most active, whatever they show, and the attacked
images into which it comes with the largest drive (see `latents`), nothing picked by hand.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from interference import compute
from interference.attacks.conditions import checked, pixels_at, read_attack
from interference.data.read import Images, read_manifest, read_split
from interference.models.network import load_network
from interference.probes.inputs import each, read_sweep
from interference.probes.layer import Layer
from interference.probes.pictures import alone, in_bytes, pictures, predictions
from interference.saes.dictionary import Dictionary
from interference.store.files import StoreError, sha256, write_json
from interference.store.stretch import Stretch
from interference.store.tables import write_table
from interference.store.tensors import write_tensors

#: Latents per layer; of each, clean images and attacked images at most.
LATENTS, TOP, STRIPS = 3, 6, 2
#: Clean images at most that the top ones are chosen from.
CANDIDATES = 2000
#: Instead of the position of an image where there is none.
NONE = -1


@dataclass(frozen=True)
class Subjects:
    """What latents are looked at on.

    clean: the images that are attacked; attacked, noisy: their pixels; candidates: the clean images that
    top ones are chosen from.
    """

    clean: Images
    attacked: Stretch
    noisy: Stretch
    candidates: Images


def run(
    spec: dict,
    data: Path,
    model: Path,
    attack: Path,
    noise: Path,
    rows: list[Path],
    saes: list[Path],
    output: Path,
) -> None:
    """Write the manifest ``output``, and beside it

    - .parquet, one row per chosen latent: layer, latent, woken, woken_by_noise, active;
    - .safetensors, of each layer the arrays of `top_images` and `strips`, named LAYER.top.… and
      LAYER.strip.…

    spec: `Specs.gallery`; data, model, attack, noise: manifests of the images, the network, the attack and
    the noise; rows, saes: manifests in the spec's order of layers.
    Raises StoreError where an input is not of the spec's network, layer, attack or type.
    """
    subjects = _read_subjects(spec, data, attack, noise)
    checked(model, {"model": spec["model"]})
    network = load_network(model).to(compute.device())
    columns: dict[str, list[np.ndarray]] = {"layer": [], "latent": []}
    arrays: dict[str, np.ndarray] = {}
    paths = zip(each("--rows", spec["layers"], rows), each("--saes", spec["layers"], saes))
    for (name, own_rows), (_, own_saes) in paths:
        of_layer = {"model": spec["model"], "layer": name}
        checked(own_rows, of_layer)
        checked(own_saes, {**of_layer, "type": spec["type"]})
        layer, sae = Layer.read(network, name, own_rows), _member(own_saes, spec)
        with torch.inference_mode():
            found, shown = gallery(layer, sae, subjects)
        columns["layer"].append(np.full(len(found["latent"]), name))
        for column, values in found.items():
            columns.setdefault(column, []).append(values)
        arrays |= {f"{name}.{key}": array for key, array in shown.items()}
    pixels = output.with_suffix(".safetensors")
    write_tensors(pixels, arrays, spec)
    which = {name: spec[name] for name in ("type", "sparsity", "sae_seed")}
    table = {name: np.concatenate(parts) for name, parts in columns.items()}
    write_table(output.with_suffix(".parquet"), {**spec["model"], **which, **table}, spec)
    class_names = read_manifest(data)["class_names"]
    write_json(output, {"spec": spec, "sha256": sha256(pixels), "class_names": class_names})


def _read_subjects(spec: dict, data: Path, attack: Path, noise: Path) -> Subjects:
    """Read the images. Raises StoreError."""

    def pixels(path: Path, name: str) -> Stretch:
        checked(path, {"model": spec["model"], "images": spec["images"], "attack": name})
        return pixels_at(read_attack(path, spec["images"]), spec["epsilon"])

    start, stop = read_manifest(data)["splits"]["evaluation"]
    several = min(stop - start, max(CANDIDATES, spec["images"]))
    return Subjects(
        clean=read_split(data, "evaluation", spec["images"]),
        attacked=pixels(attack, spec["attack"]),
        noisy=pixels(noise, spec["noise"]),
        candidates=read_split(data, "evaluation", several),
    )


def _member(saes: Path, spec: dict) -> Dictionary:
    """Read the SAE of the spec's sparsity and seed. Raises StoreError where there is none."""
    sweep, wanted = read_sweep(saes), {name: spec[name] for name in ("sparsity", "sae_seed")}
    for member, dictionary in zip(sweep.members, sweep.dictionaries, strict=True):
        if all(member[name] == value for name, value in wanted.items()):
            return dictionary
    raise StoreError(
        f"{saes}: no SAE of sparsity {wanted['sparsity']} and seed {wanted['sae_seed']}"
    )


def gallery(
    layer: Layer, sae: Dictionary, subjects: Subjects
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Choose the latents of one layer. Returns facts, a value per latent, and arrays of pictures.

    - latent: index in the SAE; woken, woken_by_noise: attacked images in which it wakes, and images under
      noise; active: share of the candidates on which it is active at some position.
    - top.…, strip.…: of `top_images` and `strips`.
    """
    clean, attacked, noisy = awake(
        layer, sae, subjects.clean, [subjects.clean.pixels, subjects.attacked, subjects.noisy]
    )
    woken, by_noise = (attacked & ~clean).sum(0), (noisy & ~clean).sum(0)
    latents = choose(woken, by_noise)
    few = replace(
        sae,
        w_enc=sae.w_enc[latents],
        b_enc=sae.b_enc[latents],
        w_dec=sae.w_dec[latents],
        threshold=np.broadcast_to(sae.threshold, sae.b_enc.shape)[latents],
    )
    before = look(layer, few, subjects.candidates, subjects.candidates.pixels)
    after = look(layer, few, subjects.clean, subjects.attacked)
    shown = {
        "top": top_images(layer, few, subjects.candidates, before),
        "strip": strips(layer, few, subjects, before, after),
    }
    facts = {
        "latent": latents,
        "woken": woken[latents],
        "woken_by_noise": by_noise[latents],
        "active": (before.maps > 0).any(1).mean(0),
    }
    return facts, {f"{kind}.{k}": v for kind, own in shown.items() for k, v in own.items()}


def awake(
    layer: Layer, sae: Dictionary, images: Images, sources: Sequence[Stretch]
) -> list[np.ndarray]:
    """Mark the latents that are active at some position: (images, h) bool for each source of pixels."""
    h, d = sae.w_enc.shape
    parts: list[list[np.ndarray]] = [[] for _ in sources]
    for batch in layer.batches(images, 1 + h // d):
        for pixels, own in zip(sources, parts, strict=True):
            values = layer.standardised(pixels[batch])
            codes = sae.encode_threshold(values.reshape(-1, d))
            own.append(np.any((codes > 0).reshape(*values.shape[:2], h), axis=1))
    return [np.concatenate(own) for own in parts]


def choose(woken: np.ndarray, by_noise: np.ndarray) -> np.ndarray:
    """Return the latents that wake in most more images under attack than under noise, the most first.

    woken, by_noise: (h,) images in which each wakes. Of equal ones the lower index comes first; none wakes
    in as many images under noise or more, so that there may be fewer than `LATENTS`, or none.
    """
    more = woken - by_noise
    order = np.argsort(-more, kind="stable")[:LATENTS]
    return order[more[order] > 0]


@dataclass(frozen=True)
class Look:
    """What a few latents do on images.

    maps: activations at threshold inference, (images, positions, latents) float32; along: w_i·x, of the
    same shape, so that differences are drives.
    """

    maps: np.ndarray
    along: np.ndarray

    @classmethod
    def at(cls, layer: Layer, sae: Dictionary, pixels: np.ndarray) -> "Look":
        """Look at images (n, channels, height, width). sae: the few latents."""
        values = layer.standardised(pixels)
        rows, shape = values.reshape(-1, values.shape[2]), (*values.shape[:2], len(sae.b_enc))
        maps, along = sae.encode_threshold(rows), rows @ sae.w_enc.T
        return cls(maps.reshape(shape), along.reshape(shape))


def look(layer: Layer, sae: Dictionary, images: Images, pixels: Stretch) -> Look:
    """Look at all of the images. pixels: theirs, clean or attacked."""
    parts = [Look.at(layer, sae, pixels[batch]) for batch in layer.batches(images, 2)]
    return Look(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("maps", "along")))


def look_closely(
    layer: Layer, sae: Dictionary, pixels: Stretch, picked: np.ndarray, positions: int
) -> Look:
    """Look with each latent at the images picked for it, one at a time: bytes that hang on no batch.

    picked: (latents, count). positions: of the layer. Returns arrays (latents, count, positions).
    """
    maps, along = np.zeros((2, *picked.shape, positions), np.float32)
    for place, image in zip(np.ndindex(picked.shape), alone(pixels, picked)):
        seen = Look.at(layer, sae, image)
        maps[place], along[place] = seen.maps[0, :, place[0]], seen.along[0, :, place[0]]
    return Look(maps, along)


def top_images(layer: Layer, sae: Dictionary, images: Images, seen: Look) -> dict[str, np.ndarray]:
    """Return the images on which each latent is the most active, by its maximum over positions.

    Arrays (latents, `TOP`, …): image, position in the store, `NONE` where the latent is active on fewer, and
    the rest says nothing; label; pixels (channels, height, width) uint8; map (side, side).
    """
    picked, there = _first(seen.maps.max(1), TOP)
    close = look_closely(layer, sae, images.pixels, picked, seen.maps.shape[1])
    return {
        "image": np.where(there, images.indices[picked], NONE),
        "label": images.labels[picked],
        "pixels": in_bytes(pictures(images.pixels, picked)),
        "map": _square(close.maps, there),
    }


def strips(
    layer: Layer, sae: Dictionary, subjects: Subjects, before: Look, after: Look
) -> dict[str, np.ndarray]:
    """Return the attacked images in which each latent wakes with the largest drive.

    before, after: of clean images, the attacked ones first, and of attacked images. The drive of an image
    is the largest over the positions at which the latent is active. Arrays (latents, `STRIPS`, …): image,
    `NONE` where it wakes in fewer; label; prediction, attacked_prediction; drive; clean, attacked (channels,
    height, width) uint8, perturbation of the same shape, float16 in pixel units; map (side, side) of the
    attacked image, that of the clean one being zero.
    """
    clean, attacked = subjects.clean.pixels, subjects.attacked
    silent = (before.maps[: len(clean)] == 0).all(1)
    drives = _drives(after.maps, after.along - before.along[: len(clean)], axis=1)
    picked, there = _first(np.where(silent, drives, -np.inf), STRIPS, least=-np.inf)
    positions = after.maps.shape[1]
    one, other = (look_closely(layer, sae, x, picked, positions) for x in (clean, attacked))
    shown, changed = pictures(clean, picked), pictures(attacked, picked)
    return {
        "image": np.where(there, subjects.clean.indices[picked], NONE),
        "label": subjects.clean.labels[picked],
        "prediction": predictions(layer.network, clean, picked),
        "attacked_prediction": predictions(layer.network, attacked, picked),
        "drive": np.where(there, _drives(other.maps, other.along - one.along, axis=2), 0),
        "clean": in_bytes(shown),
        "perturbation": (changed - shown).astype(np.float16),
        "attacked": in_bytes(changed),
        "map": _square(other.maps, there),
    }


def _drives(maps: np.ndarray, drives: np.ndarray, axis: int) -> np.ndarray:
    """Return the largest drive over positions at which a latent is active, −∞ where it is at none."""
    return np.where(maps > 0, drives, -np.inf).max(axis).astype(np.float32)


def _first(values: np.ndarray, count: int, least: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return the images of each latent's largest values, and which of these are above the least.

    values: (images, latents). Returns (latents, count) int64, of equal values the lower index first, and
    bool; both are filled up with image 0 where there are fewer images.
    """
    order = np.argsort(-values, axis=0, kind="stable")[:count].T
    order = np.pad(order, ((0, 0), (0, count - order.shape[1])))
    filled = np.arange(count) < len(values)
    return order, (np.take_along_axis(values.T, order, 1) > least) & filled


def _square(maps: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Return maps (latents, count, positions) as (latents, count, side, side), zero where there is none."""
    side = round(maps.shape[2] ** 0.5)
    return (maps * there[..., None]).reshape(*there.shape, side, side)
