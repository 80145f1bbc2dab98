"""Does removing what an SAE leaves out buy robustness? Reconstructions as defences, attacked through.

If adversarial perturbations work through small interference, a network that goes on from an SAE's
reconstruction of a layer, which leaves small interference out, should withstand them. Two things can
make a defence look better than it is, so both are measured:

- An attack that knows nothing of the defence. So beside the undefended network's adversarial images
  (*transferred*) stand those of the same attack through the defence (*adaptive*): the same settings,
  radius, random starts and images, with the gradient of `probes.defences` (Athalye et al. 2018:
  defences count under attacks that know them).
- Less variance. So beside each SAE stands the projection on as many principal components as leave the
  same FVU, which removes as much without a dictionary.
"""

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from interference import compute, progress
from interference.activations.standardise import Statistics
from interference.attacks.conditions import checked, pixels_at, read_attack
from interference.attacks.craft import check
from interference.attacks.draws import Draws
from interference.attacks.victim import Victim
from interference.data.read import Images, read_split
from interference.models.feeding import batch_size, to_network
from interference.models.network import Network, load_network
from interference.probes.defences import Defended, Projection, Reconstruction, Sae, pca_fvu
from interference.probes.inputs import each, read_sweep
from interference.saes.dictionary import Dictionary
from interference.saes.spectrum import Spectrum
from interference.store.arrays import open_array
from interference.store.files import StoreError
from interference.store.stretch import Stretch
from interference.store.tables import write_table

#: Bytes of the codes of a batch of images at most; a gradient holds some five times as much.
MOST_BYTES = 2**28
#: What names the network as it is; numbers that it has not are missing.
NONE = {
    "layer": "", "type": "", "defence": "none", "sparsity": np.nan, "sae_seed": np.nan,
    "components": np.nan, "fvu": 0.0,
}  # fmt: skip


@dataclass(frozen=True)
class Defence:
    """What is attacked.

    columns: layer, type, defence, sparsity, sae_seed, components and fvu.
    logits: (n, channels, height, width) in [0, 1] → (n, classes).
    latents: of all positions of an image, which says how many images fit in memory at once.
    """

    columns: dict
    logits: Callable[[Tensor], Tensor]
    latents: int = 0

    def batch(self, shape: tuple[int, ...]) -> int:
        """Return the images of a batch. shape: of all images' pixels."""
        fitting = MOST_BYTES // (4 * self.latents) if self.latents else batch_size(shape)
        return max(1, min(batch_size(shape), fitting))


def run(
    spec: dict,
    data: Path,
    model: Path,
    attack: Path,
    rows: list[Path],
    saes: list[Path],
    output: Path,
) -> None:
    """Write one row per (defence, image): the predictions clean, transferred and adaptive.

    Defences are the network as it is, and at each layer every SAE of the spec's sparsities, and PCA
    beside each. spec: `Specs.defend`; data, model, attack: manifests of the images, the network and
    its adversarial images; rows, saes: a manifest per layer of the spec, in its order; output: Parquet.
    Raises StoreError where an input is not of the spec's network, attack, layer, type or sparsities.
    """
    images = read_split(data, "evaluation", spec["images"])
    of_network = {"model": spec["model"]}
    checked(model, of_network)
    made = checked(attack, {**of_network, **{n: spec[n] for n in ("attack", "method", "seed")}})
    attacked = pixels_at(read_attack(attack, made["spec"]["images"]), spec["epsilon"])
    network = load_network(model).to(compute.device())
    defences = [Defence(NONE, network)]
    pairs = zip(each("--rows", spec["layers"], rows), each("--saes", spec["layers"], saes))
    for (layer, its_rows), (_, its_saes) in pairs:
        defences += _at_layer(network, {**spec, "layer": layer}, its_rows, its_saes, images)
    tables = [
        _columns(defence, images, withstood(defence, images, attacked, spec))
        for defence in progress.track(defences, total=len(defences), label="defences")
    ]
    joined = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    write_table(output, {**spec["model"], **joined}, spec)


def _of_sparsities(saes: Path, wanted: list[int]) -> list[tuple[dict, Dictionary]]:
    """Read the members of some sparsities. Raises StoreError where the sweep lacks one."""
    sweep = read_sweep(saes)
    found = {member["sparsity"] for member in sweep.members}
    if not found.issuperset(wanted):
        has, needs = (", ".join(f"{k:g}" for k in sorted(ks)) for ks in (found, wanted))
        raise StoreError(f"{saes}: sparsities are {has}, the job is about {needs}")
    pairs = zip(sweep.members, sweep.dictionaries, strict=True)
    return [(member, dictionary) for member, dictionary in pairs if member["sparsity"] in wanted]


def _at_layer(
    network: Network, spec: dict, rows: Path, saes: Path, images: Images
) -> Iterator[Defence]:
    """Yield each SAE of a layer, and beside it the projection whose FVU is nearest.

    spec: the job's, with the ``layer``; rows, saes: the layer's manifests. Raises StoreError.
    """
    of_layer = {name: spec[name] for name in ("model", "layer")}
    manifest = checked(rows, of_layer)
    checked(saes, {**of_layer, "type": spec["type"]})
    train, heldout = (
        open_array(rows.with_suffix(f".{part}.zarr"), manifest[part])
        for part in ("train", "heldout")
    )
    spectrum, statistics, device = Spectrum.of(train), Statistics.read(rows), compute.device()
    fvus = pca_fvu(spectrum, heldout[:])
    one = network.activations(to_network(torch.from_numpy(images.pixels[:1])), spec["layer"])
    for member, dictionary in _of_sparsities(saes, spec["k"]):
        components = int(np.abs(fvus - member["fvu"]).argmin()) + 1
        both: list[tuple[str, float, float, Reconstruction]] = [
            ("sae", np.nan, member["fvu"], Sae.of(dictionary, device)),
            ("pca", components, fvus[components - 1], Projection.of(spectrum, components, device)),
        ]
        for name, count, fvu, reconstruction in both:
            columns = {
                "layer": spec["layer"],
                "type": spec["type"],
                "defence": name,
                "sparsity": float(member["sparsity"]),
                "sae_seed": float(member["sae_seed"]),
                "components": float(count),
                "fvu": fvu,
            }
            defended = Defended(network, spec["layer"], statistics, reconstruction)
            yield Defence(columns, defended, one.shape[1] * len(dictionary.b_enc))


def withstood(
    defence: Defence, images: Images, attacked: Stretch, spec: dict
) -> dict[str, np.ndarray]:
    """Attack through a defence, as `attacks.craft` attacks the network.

    attacked: adversarial images of the network as it is, the same ones first.
    spec: ``method``, ``epsilon`` and ``seed``.
    Returns the predictions clean, transferred and adaptive, and zero_gradients of the attack, (n,)
    int64 each. Raises AttackError where an adversarial image leaves its ball or [0, 1].
    """
    settings, epsilon, device = dict(spec["method"]), spec["epsilon"], compute.device()
    method = importlib.import_module(f"interference.attacks.methods.{settings.pop('type')}")
    del settings["epsilons"]
    size, count = defence.batch(images.pixels.shape), len(images.labels)
    parts: dict[str, list[Tensor]] = {}
    for start in range(0, count, size):
        part = slice(start, min(start + size, count))
        x, moved = (to_network(torch.from_numpy(p[part])) for p in (images.pixels, attacked))
        victim = Victim(defence.logits, torch.from_numpy(images.labels[part]).to(device))
        draws = Draws.of(spec["seed"], epsilon, images.indices[part].tolist(), device)
        found = method.perturb(victim, x, epsilon=epsilon, draws=draws, **settings)
        check(x, found.images, settings["norm"], epsilon)
        own = {"zero_gradients": found.zero_gradients}
        with torch.no_grad():
            for name, shown in (("clean", x), ("transferred", moved), ("adaptive", found.images)):
                own[name] = defence.logits(shown).argmax(1)
        for name, values in own.items():
            parts.setdefault(name, []).append(values)
    return {name: torch.cat(values).cpu().numpy() for name, values in parts.items()}


def _columns(
    defence: Defence, images: Images, outcomes: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return the rows of one defence, a row per image."""
    count = len(images.labels)
    return {
        **{name: np.full(count, value) for name, value in defence.columns.items()},
        "image": images.indices,
        "label": images.labels,
        **outcomes,
    }
