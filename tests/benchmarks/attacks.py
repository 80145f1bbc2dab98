"""Images × steps a second of attacks beside foolbox's and torchattacks', and what each attack finds.

A network is trained on the embedded Fashion-MNIST subset as the default experiment trains its robust one
of the middle epsilon. All attack the same images on the same network and thread, in turns, with as many
steps of the same length; FGSM and PGD start at the images, Auto-PGD and Square at random, each at its own
points. Beside rates stand accuracy under the attack and the mean cross-entropy in nats: ours keeps an
image's best iterate, a peer's PGD its last. torchattacks' Auto-PGD and Square are AutoAttack's, which no
registry has. Rates are on images that the network is right about. Square's peer asks no more of images that
it has fooled, so that rates there say nothing of one query. floor_fraction is of the bare passes forward and back.

    python -m tests.benchmarks.attacks        writes results/benchmarks/attacks.json
"""

import importlib
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from interference.attacks.draws import Draws
from interference.attacks.victim import Victim
from interference.config.load import read_config
from interference.data.images import run as make_images
from interference.data.read import read_split
from interference.models.finetune import run as finetune
from interference.models.network import Network, load_network
from interference.models.trunk import run as train
from interference.plan.specs import Specs
from tests.benchmarks.rows import fastest, row, write
from tests.support import REPO

EPSILONS = {"l2": 1.0, "linf": 0.0627}
STEPS, QUERIES = 20, 100
#: Length of PGD's steps over epsilon: 2.5 / steps.
RELATIVE = 2.5 / STEPS
ONCE = {"restarts": 1}
#: Ours by type: settings, and gradients or queries per image.
OURS = {
    "fgsm": ({}, 1),
    "pgd": ({"steps": STEPS, "relative_step": RELATIVE, "random_start": False, **ONCE,
             "loss": "log-odds"}, STEPS),
    "apgd": ({"steps": STEPS, **ONCE, "loss": "log-odds"}, STEPS),
    "square": ({"queries": QUERIES}, QUERIES),
}  # fmt: skip

#: Images and labels → adversarial images.
Attack = Callable[[Tensor, Tensor], Tensor]


def ours(network: Network, name: str, norm: str) -> Attack:
    method = importlib.import_module(f"interference.attacks.methods.{name}")
    epsilon, (settings, _) = EPSILONS[norm], OURS[name]

    def attack(x: Tensor, labels: Tensor) -> Tensor:
        draws = Draws.of(0, epsilon, range(len(x)), x.device)
        victim = Victim(network, labels)
        found = method.perturb(victim, x, norm=norm, epsilon=epsilon, draws=draws, **settings)
        return found.images

    return attack


def trained(folder: Path, model: str = "l2-1-s0") -> tuple[Network, Tensor, Tensor]:
    """A network of the default experiment, and its evaluation images and labels."""
    specs = Specs(read_config(REPO / "config.yaml"))
    data, trunk, network = (folder / f"{name}.json" for name in ("images", "trunk", "network"))
    make_images(json.loads(specs.images()), data)
    train(json.loads(specs.trunk(0)), data, trunk)
    finetune(json.loads(specs.finetune(model)), data, trunk, network)
    images = read_split(data, "evaluation")
    pixels = torch.from_numpy(images.pixels[:]).float() / 255
    return load_network(network), pixels, torch.from_numpy(images.labels)


def rows(
    peers: dict[str, Callable[[Network, str, str], Attack | None]],
    network: Network,
    x: Tensor,
    labels: Tensor,
    rounds: int = 3,
    speed_images: int = 100,
) -> Iterator[dict]:
    """A row per attack, norm and peer. peers: name → (network, type, norm) → its attack, or None."""
    torch.set_num_threads(1)

    def outcome(attack: Attack) -> tuple[float, float]:
        """Accuracy, and mean cross-entropy in nats."""
        found = [attack(*part) for part in zip(x.split(200), labels.split(200))]
        with torch.no_grad():
            logits = torch.cat([network(part) for part in found])
        accuracy = (logits.argmax(1) == labels).double().mean().item()
        return accuracy, cross_entropy(logits.double(), labels).item()

    with torch.no_grad():  # torchattacks' Auto-PGD and Square leave all others out
        right = network(x[: 2 * speed_images]).argmax(1) == labels[: 2 * speed_images]
    few, of_few = (all_of[: len(right)][right][:speed_images] for all_of in (x, labels))

    def bare(passes: int, gradient: bool) -> None:
        for _ in range(passes):
            point = few.clone().requires_grad_(gradient)
            with torch.set_grad_enabled(gradient):
                losses = cross_entropy(network(point), of_few)
            if gradient:
                torch.autograd.grad(losses, point)

    for norm in EPSILONS:
        for name, (_, passes) in OURS.items():
            mine = ours(network, name, norm)
            accuracy, loss = outcome(mine)
            for peer, make in peers.items():
                theirs = make(network, name, norm)
                if theirs is None:
                    continue
                works = {
                    "ours": (lambda mine=mine: mine(few, of_few), 1),
                    "peer": (lambda theirs=theirs: theirs(few, of_few), 1),
                    "bare": (lambda p=passes, g=name != "square": bare(p, g), 1),
                }
                for work, _ in works.values():
                    work()
                best = fastest(works, rounds)
                rates = {who: len(few) * passes / seconds for who, seconds in best.items()}
                peer_accuracy, peer_loss = outcome(theirs)
                share = rates["ours"] / rates["bare"]
                yield row(f"{name}-{norm}", rates["ours"], rates["peer"], peer, share) | {
                    "accuracy": round(accuracy, 4),
                    "peer_accuracy": round(peer_accuracy, 4),
                    "loss": round(loss, 4),
                    "peer_loss": round(peer_loss, 4),
                }


def foolbox_attack(network: Network, name: str, norm: str) -> Attack | None:
    import foolbox

    kinds = {
        ("fgsm", "l2"): "L2FastGradientAttack",
        ("fgsm", "linf"): "LinfFastGradientAttack",
        ("pgd", "l2"): "L2ProjectedGradientDescentAttack",
        ("pgd", "linf"): "LinfProjectedGradientDescentAttack",
    }
    if (name, norm) not in kinds:
        return None
    settings = {"steps": STEPS, "rel_stepsize": RELATIVE} if name == "pgd" else {}
    attack = getattr(foolbox.attacks, kinds[name, norm])(random_start=False, **settings)
    model = foolbox.PyTorchModel(network, bounds=(0, 1), device="cpu")
    return lambda x, labels: attack(model, x, labels, epsilons=[EPSILONS[norm]])[1][0]


def torchattacks_attack(network: Network, name: str, norm: str) -> Attack | None:
    import torchattacks

    epsilon, norm_name = EPSILONS[norm], {"l2": "L2", "linf": "Linf"}[norm]
    length = {"eps": epsilon, "alpha": RELATIVE * epsilon, "steps": STEPS, "random_start": False}
    makers = {
        ("fgsm", "linf"): lambda: torchattacks.FGSM(network, eps=epsilon),
        ("pgd", "linf"): lambda: torchattacks.PGD(network, **length),
        ("pgd", "l2"): lambda: torchattacks.PGDL2(network, **length),
        **{("apgd", n): lambda: torchattacks.APGD(network, norm=norm_name, eps=epsilon, steps=STEPS)
           for n in EPSILONS},
        **{("square", n): lambda: torchattacks.Square(
            network, norm=norm_name, eps=epsilon, n_queries=QUERIES) for n in EPSILONS},
    }  # fmt: skip
    return makers[name, norm]() if (name, norm) in makers else None


#: Each names itself in a row.
PEERS = {"foolbox": foolbox_attack, "torchattacks": torchattacks_attack}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        network, x, labels = trained(Path(folder))
        write("attacks", rows(PEERS, network, x[:400], labels[:400]))
