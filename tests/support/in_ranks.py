"""Ranks of a training, each a process of its own: `python in_ranks.py MODE COUNT IMAGES FOLDER`.

`gradients`: three steps of every case of CASES, batch statistics frozen; writes the gradients of
each step, as SGD gets them, to FOLDER/CASE-RANK.pt. `endless`: trains for as long as it is let, and
makes FOLDER/RANK after its third step.

Libraries are loaded once: the ranks are forks, whose ids are printed, and their statuses once all
have ended. What one says is in FOLDER/RANK.log.
"""

import itertools
import os
import sys
from pathlib import Path

import torch
from torch import nn

from interference.data.read import read_split
from interference.models import sgd
from interference.models.network import Network
from interference.models.ranks import joined
from interference.models.training import Adversary, train

#: name → (batch size, attack). Of 40 images, batches of 13 or 14 give 3 ranks unequal shares.
CASES = {
    "clean": (20, None),
    "clean-unequal": (13, None),
    "l2-unequal": (13, {"norm": "l2", "epsilon": 0.5, "steps": 2, "relative_step": 0.75}),
    "linf-unequal": (13, {"norm": "linf", "epsilon": 0.03, "steps": 1, "relative_step": 1.25}),
}


def network() -> Network:
    torch.manual_seed(0)
    return Network(
        architecture="resnet18",
        stem="imagenet",
        width=16,
        channels=1,
        classes=4,
        mean=[0.4],
        std=[0.2],
    )


def gradients(images: Path, folder: Path) -> None:
    nn.BatchNorm2d.train = lambda self, mode=True: nn.Module.train(self, False)
    step = sgd.SGD.step
    with joined({}) as ranks:
        for name, (batch_size, attack) in CASES.items():
            seen = []

            def record(self, rate, seen=seen):
                seen.append([parameter.grad.clone() for parameter in self.parameters])
                step(self, rate)

            sgd.SGD.step = record
            log = train(
                network(),
                read_split(images, "train"),
                attack and Adversary(**attack, random_start=True),
                seed=0,
                ranks=ranks,
                epochs=1,
                learning_rate=0.01,
                batch_size=batch_size,
                weight_decay=5e-4,
                momentum=0.9,
            )
            loss = torch.from_numpy(log["loss"])
            torch.save({"gradients": seen, "loss": loss}, folder / f"{name}-{ranks.rank}.pt")


def endless(images: Path, folder: Path) -> None:
    step, count = sgd.SGD.step, itertools.count(1)
    with joined({}) as ranks:

        def mark(self, rate):
            step(self, rate)
            if next(count) == 3:
                (folder / f"{ranks.rank}").touch()

        sgd.SGD.step = mark
        train(
            network(),
            read_split(images, "train"),
            None,
            seed=0,
            ranks=ranks,
            epochs=10**6,
            learning_rate=1e-6,
            batch_size=20,
            weight_decay=0,
            momentum=0.9,
        )


if __name__ == "__main__":
    work = {"gradients": gradients, "endless": endless}[sys.argv[1]]
    count, images, folder = int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4])
    import torch._dynamo  # as DistributedDataParallel does

    children = []
    for rank in range(count):
        if not (child := os.fork()):
            os.dup2(os.open(folder / f"{rank}.log", os.O_WRONLY | os.O_CREAT), sys.stderr.fileno())
            os.environ |= {"WORLD_SIZE": str(count), "RANK": str(rank), "LOCAL_RANK": str(rank)}
            work(images, folder)
            sys.exit()
        children.append(child)
    print(*children, flush=True)
    print(*(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
