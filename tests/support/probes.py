"""A network with a layer's statistics, attacks and SAEs, as the rooms before `probes` write them."""

from pathlib import Path

import numpy as np
import torch

from interference.activations.forward import sums
from interference.activations.standardise import Statistics
from interference.data.read import read_split
from interference.models.network import Network
from interference.saes.dictionary import Dictionary, stack
from interference.store.arrays import writing
from interference.store.files import sha256, write_json
from interference.store.tensors import write_tensors

MODEL = {
    "model": "m",
    "model_architecture": "resnet18",
    "model_norm": "l2",
    "model_epsilon": 1.0,
    "model_seed": 0,
}
#: Channels of the layers that are looked at.
WIDTHS = {"stem": 16, "layer2": 32, "layer4": 128}
#: Evaluation images that are looked at.
IMAGES = 9
ATTACKS = {"pgd": [0.5, 1.0], "noise": [1.0]}
#: (attack, epsilon) in the order of the tables: those of pixels, then those within the layer.
PIXELS = [("clean", 0.0), ("pgd", 0.5), ("pgd", 1.0), ("noise", 1.0)]
CONDITIONS = [*PIXELS, ("displaced-random", 1.0), ("displaced-covariance", 1.0)]


def identity(d: int) -> Dictionary:
    """ReLU(x) − ReLU(−x) = x."""
    both = np.concatenate([np.eye(d), -np.eye(d)]).astype(np.float32)
    return Dictionary(both, np.zeros(2 * d, np.float32), both, np.zeros(d, np.float32))


def silent(d: int) -> Dictionary:
    """Never fires, so it says the mean of standardised rows."""
    whole = identity(d)
    return Dictionary(whole.w_enc, whole.b_enc - 1e9, whole.w_dec, whole.b_dec)


def sparse(d: int, k: int = 5, threshold: float = 0.0, seed: int = 0) -> Dictionary:
    """TopK with random directions: neither of the two."""
    w = np.random.default_rng(d + seed).standard_normal((2 * d, d)).astype(np.float32)
    w /= np.linalg.norm(w, axis=1, keepdims=True)
    return Dictionary(w, np.zeros(2 * d, np.float32), w, np.zeros(d, np.float32), k, threshold)


def dictionaries(sae_type: str, d: int) -> dict[float, Dictionary]:
    """The members of a sweep, by sparsity."""
    if sae_type == "topk":
        return {1.0: identity(d), 2.0: silent(d), 3.0: sparse(d)}
    return {0.1: sparse(d, 0, 0.7, seed=1), 0.2: sparse(d, 0, 1.4, seed=2)}


def job(layer: str = "stem", types: tuple[str, ...] = ("topk",), **changed: object) -> dict:
    """The spec of a job."""
    return {
        "model": MODEL,
        "layer": layer,
        "attacks": list(ATTACKS),
        "types": list(types),
        "images": IMAGES,
        "displaced": {"attack": "pgd", "epsilon": 1.0},
        "seed": 0,
        "code": {"roots": ["interference.probes.measure"], "digest": "0123456789abcdef"},
        **changed,
    }


def described(manifest: Path, arrays: dict[str, np.ndarray], **content: object) -> Path:
    """Write arrays, and their manifest beside them."""
    weights = manifest.with_suffix(".safetensors")
    write_tensors(weights, arrays, {})
    write_json(manifest, {"sha256": sha256(weights), **content})
    return manifest


def write_network(manifest: Path, seed: int = 0) -> Network:
    """An untrained network, a quarter as wide, with plausible BatchNorm statistics."""
    torch.manual_seed(seed)
    build = {"architecture": "resnet18", "stem": "imagenet", "width": 16}
    build |= {"channels": 1, "classes": 4, "mean": [0.4], "std": [0.2]}
    network = Network(**build).train()
    with torch.no_grad():
        for _ in range(4):
            network(torch.rand(8, 1, 16, 16))
    arrays = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    described(manifest, arrays, spec={"model": MODEL}, build=build)
    return network.eval()


def write_rows(manifest: Path, network: Network, data: Path, layer: str) -> None:
    """The statistics of a layer, its training rows and its held-out rows, at all positions."""
    train, heldout = (
        torch.from_numpy(read_split(data, split).pixels[:]).float() / 255
        for split in ("train", "heldout")
    )
    with torch.inference_mode():
        statistics = Statistics.of(sums(network.activations(train, layer)))
        rows = statistics.apply(network.activations(heldout, layer).numpy())
        trained = statistics.apply(network.activations(train, layer).flatten(0, 1).numpy())
    stores = {}
    for name, values, dtype in (("train", trained, "float16"), ("heldout", rows, "float32")):
        with writing(manifest.with_suffix(f".{name}.zarr"), values.shape, dtype, {}) as writer:
            writer.append(values)
        stores[name] = writer.manifest()
    arrays = {"mean": statistics.mean, "std": statistics.std}
    described(manifest, arrays, spec={"model": MODEL, "layer": layer}, **stores)


def write_attack(manifest: Path, name: str, seed: int = 50, images: int = IMAGES) -> None:
    """Made-up adversarial images; of this seed some latents of every layer wake more than under noise."""
    rng, epsilons = np.random.default_rng([seed, len(name)]), ATTACKS[name]
    attacked = rng.random((images * len(epsilons), 1, 16, 16)).astype(np.float32)
    with writing(manifest.with_suffix(".zarr"), attacked.shape, "float32", {}) as writer:
        writer.append(attacked)
    spec = {"model": MODEL, "attack": name, "images": images}
    write_json(manifest, {"array": writer.manifest(), "epsilons": epsilons, "spec": spec})


def write_sweep(
    manifest: Path, layer: str, sae_type: str, saes: dict[float, Dictionary], fvu: float = 0.1
) -> None:
    """SAEs of one type, all of them of one FVU."""
    members = [{"sparsity": sparsity, "sae_seed": 0, "fvu": fvu} for sparsity in saes]
    spec = {"model": MODEL, "layer": layer, "type": sae_type}
    described(manifest, stack(list(saes.values())), spec=spec, members=members)


def write_inputs(folder: Path, data: Path, layers: dict[str, int] = WIDTHS) -> None:
    """m.json, ATTACK.json, LAYER/rows.json and LAYER/TYPE.json of all that is here."""
    network = write_network(folder / "m.json")
    for name in ATTACKS:
        write_attack(folder / f"{name}.json", name)
    for layer, d in layers.items():
        (folder / layer).mkdir()
        write_rows(folder / layer / "rows.json", network, data, layer)
        for sae_type in ("topk", "relu_l1"):
            saes = dictionaries(sae_type, d)
            write_sweep(folder / layer / f"{sae_type}.json", layer, sae_type, saes)


def intervention(layer: str = "stem", types: tuple[str, ...] = ("topk",)) -> dict:
    """The spec of a job that intervenes at a layer, under pgd at 1."""
    following = dict(zip(WIDTHS, [*list(WIDTHS)[1:], None]))[layer]
    spec = {name: job(layer, types)[name] for name in ("model", "layer", "types", "images", "seed")}
    return {**spec, "next": following, "attack": "pgd", "epsilon": 1.0}


def intervention_inputs(folder: Path, data: Path, spec: dict) -> dict:
    """The arguments of such a job, of the files that `write_inputs` wrote."""
    following = [spec["next"]] if spec["next"] else []
    return {
        "data": data,
        "model": folder / "m.json",
        "attack": folder / f"{spec['attack']}.json",
        "rows": folder / spec["layer"] / "rows.json",
        "saes": [folder / spec["layer"] / f"{name}.json" for name in spec["types"]],
        "next_rows": [folder / name / "rows.json" for name in following],
        "next_saes": [folder / name / f"{t}.json" for name in following for t in spec["types"]],
    }


def inputs(folder: Path, data: Path, spec: dict) -> dict:
    """The arguments of a job, of the files that `write_inputs` wrote."""
    return {
        "data": data,
        "model": folder / "m.json",
        "rows": folder / spec["layer"] / "rows.json",
        "attacks": [folder / f"{name}.json" for name in spec["attacks"]],
        "saes": [folder / spec["layer"] / f"{name}.json" for name in spec["types"]],
    }


def gallery_job(**changed: object) -> dict:
    """The spec of a job that makes the gallery of pgd at 1, of TopK."""
    which = {"type": "topk", "sparsity": 3.0, "sae_seed": 0}
    attack = {"attack": "pgd", "epsilon": 1.0, "norm": "l2", "noise": "noise"}
    return {"model": MODEL, "layers": list(WIDTHS), "images": IMAGES, **which, **attack, **changed}


def gallery_inputs(folder: Path, data: Path, spec: dict) -> dict:
    """The arguments of such a job, of the files that `write_inputs` wrote."""
    return {
        "data": data,
        "model": folder / "m.json",
        "attack": folder / f"{spec['attack']}.json",
        "noise": folder / f"{spec['noise']}.json",
        "rows": [folder / name / "rows.json" for name in spec["layers"]],
        "saes": [folder / name / f"{spec['type']}.json" for name in spec["layers"]],
    }
