"""Train a network: a clean trunk, or a fine-tuned copy of it at one epsilon.

Every model of a seed starts from the same clean trunk and takes the same extra steps, epsilon 0
included, so that models differ in what they were trained against and in nothing else. The
training attack is FGSM with a random start (Wong et al. 2020) unless the config asks for more
steps.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from interference import compute, progress
from interference.attacks.ascent import ascend
from interference.attacks.norms import uniform_in_ball
from interference.attacks.victim import Victim
from interference.config.networks import TrainingAttack
from interference.config.values import Norm, Positive
from interference.data.read import Images, read_manifest, read_split
from interference.models.network import Network
from interference.models.ranks import ALONE, Ranks, joined
from interference.models.sgd import SGD, one_cycle
from interference.store.files import sha256, write_json
from interference.store.tables import write_table
from interference.store.tensors import read_described, write_tensors

#: Batches at the end of a training whose accuracy says how much was learned.
LAST = 20


class Adversary(TrainingAttack):
    """The attack inside training, PGD, at one norm and radius. epsilon: in pixel units."""

    norm: Norm
    epsilon: Positive

    def start(self, images: Tensor, generator: torch.Generator) -> Tensor | None:
        """Draw where in the ball around each image to begin, (n, ...); shape and device count."""
        if not self.random_start:
            return None
        return uniform_in_ball(images, self.epsilon, self.norm, generator)


def mirror(x: Tensor, mirrored: Tensor) -> Tensor:
    """Mirror some of the images. x: (n, channels, height, width); mirrored: (n,) bool."""
    return torch.where(mirrored.view(-1, 1, 1, 1).to(x.device), x.flip(3), x)


def attack_batch(
    network: Network, x: Tensor, labels: Tensor, adversary: Adversary, start: Tensor | None
) -> Tensor:
    """Attack the network as it is now, in eval mode with frozen weights; then set it to train.

    x: (n, channels, height, width) in [0, 1] → adversarial images of the same shape.
    labels: (n,) int64. start: as of `Adversary.start`.
    """
    network.eval().requires_grad_(False)
    images = ascend(
        Victim(network, labels).loss("log-odds"),
        x,
        norm=adversary.norm,
        epsilon=adversary.epsilon,
        steps=adversary.steps,
        relative_step=adversary.relative_step,
        start=start if start is None else start.to(x.device),
        keep_best=False,
    ).images
    network.train().requires_grad_(True)
    return images


def train(
    network: Network,
    images: Images,
    adversary: Adversary | None,
    seed: int,
    ranks: Ranks = ALONE,
    *,
    epochs: int,
    learning_rate: float,
    batch_size: int,
    weight_decay: float,
    momentum: float,
) -> dict[str, np.ndarray]:
    """Train in place. Returns the log, one row per step: step, learning_rate, loss, accuracy.

    learning_rate: the peak of the one-cycle rate; batch_size: images per step, over all ranks;
    weight_decay, momentum: of SGD with Nesterov momentum. Loss and accuracy are of the batch trained
    on. Every rank draws for whole batches, as a single rank would, and takes its share. Raises
    RankError where a batch is too small to share.
    """
    pixels = torch.from_numpy(images.pixels[:])  # all in memory, since a batch is any of them
    labels = torch.from_numpy(images.labels)
    device = compute.device()
    network.to(device).train()
    order = compute.generator(seed, 1)
    draws = compute.generator(seed, 2)
    sgd = SGD(list(network.parameters()), momentum=momentum, weight_decay=weight_decay)
    batches = max(1, len(pixels) // batch_size)
    ranks.require(len(pixels) // batches)
    parallel = ranks.parallel(network)
    steps = epochs * batches
    log: dict[str, list] = {"step": [], "learning_rate": [], "loss": [], "accuracy": []}
    indices: Iterator[Tensor] = (
        chunk
        for _ in range(epochs)
        for chunk in torch.randperm(len(pixels), generator=order).tensor_split(batches)
    )
    if ranks.rank == 0:
        indices = progress.track(indices, total=steps, label="training steps")
    for step, index in enumerate(indices):
        share, weight = ranks.share(len(index)), ranks.weight(len(index))
        mirrored = torch.rand(len(index), generator=draws) < 0.5
        x = mirror(pixels[index[share]].to(device).float() / 255, mirrored[share])
        y = labels[index[share]].to(device)
        if adversary is not None:
            start = adversary.start(x[:1].expand(len(index), -1, -1, -1), draws)
            x = attack_batch(network, x, y, adversary, start if start is None else start[share])
        logits = parallel(x)
        loss = cross_entropy(logits, y) * weight
        loss.backward()
        rate = one_cycle(step, steps + 1, learning_rate)
        sgd.step(rate)
        log["step"].append(step)
        log["learning_rate"].append(rate)
        log["loss"].append(loss.detach())
        log["accuracy"].append((logits.argmax(1) == y).float().mean() * weight)
    for name in ("loss", "accuracy"):
        log[name] = ranks.mean(torch.stack(log[name])).tolist()
    return {name: np.array(values, dtype=float) for name, values in log.items()}


def amount_learned(accuracy: np.ndarray, batch_size: int, labels: np.ndarray) -> str:
    """Return what the last batches of a training say: "nothing", "something" or "everything".

    nothing: as many are right as by always naming the most frequent class, within two standard
    errors; everything: none was wrong. Either may be intended; the manifest and the log say it.
    accuracy: (steps,) per batch; labels: (n,) int64, of the training images.
    """
    last = accuracy[-LAST:]
    if last.min() > 1 - 1e-6:
        return "everything"
    chance = np.bincount(labels).max() / len(labels)
    images = len(last) * min(batch_size, len(labels))
    error = np.sqrt(chance * (1 - chance) / images)
    return "nothing" if last.mean() <= chance + 2 * error else "something"


def train_and_write(spec: dict, data: Path, trunk: Path | None, output: Path) -> None:
    """Train from scratch, or from a trunk's weights; write weights, log and manifest.

    Of several ranks the first writes.
    spec: `Specs.trunk` or `Specs.finetune`; data: the images' manifest; trunk: a trunk's manifest;
    output: the network's, .safetensors and the log in .parquet beside it.
    """
    seed = spec["model"]["model_seed"]
    facts = read_manifest(data)
    build = {
        **spec["network"],
        "channels": facts["array"]["shape"][1],
        "classes": facts["classes"],
        "mean": facts["mean"],
        "std": facts["std"],
    }
    torch.manual_seed(int(torch.randint(2**62, (), generator=compute.generator(seed, 0))))
    network = Network(**build)
    if trunk is not None:
        weights, _ = read_described(trunk)
        network.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    images = read_split(data, "train")
    with joined(spec) as ranks:
        log = train(
            network,
            images,
            Adversary(**spec["attack"]) if spec["attack"] else None,
            seed,
            ranks,
            **spec["schedule"],
            **spec["optimiser"],
        )
    if ranks.rank > 0:
        return
    weights_path = output.with_suffix(".safetensors")
    write_tensors(weights_path, _arrays(network), spec)
    write_table(output.with_suffix(".parquet"), {**spec["model"], **log}, spec)
    learned = amount_learned(log["accuracy"], spec["optimiser"]["batch_size"], images.labels)
    manifest = {"spec": spec, "build": build, "steps": len(log["step"]), **ranks.facts}
    write_json(output, {**manifest, "learned": learned, "sha256": sha256(weights_path)})
    progress.say(f"last batches: accuracy {log['accuracy'][-LAST:].mean():.3f}, learned {learned}")


def _arrays(network: nn.Module) -> dict[str, np.ndarray]:
    return {name: tensor.cpu().numpy() for name, tensor in network.state_dict().items()}
