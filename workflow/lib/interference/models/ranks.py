"""Several processes, one a GPU, that train one network together: who they are, and what each does.

A launcher starts the same verb once a rank: torchrun on one machine, srun on a cluster. Each rank
draws what one alone would draw for a batch and takes its share of the images, so that N ranks do
what one does, but for rounding. Torch's DistributedDataParallel averages the gradients; batch
statistics are those of the whole batch on GPUs (SyncBatchNorm) and, for want of that on a CPU, each
rank's own there.

One rank, which is the rule, starts none of this.
"""

import json
import os
import re
import socket
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed, nn

from interference import progress
from interference.provenance import InterferenceError, canonical, digest

#: How long a rank waits for the others, to come and at each step. A rank that dies is noticed at
#: once, by its closed connection or by the launcher; this is for one that hangs.
PATIENCE = timedelta(minutes=10)
#: Where the ranks of a Slurm step meet: a port below those that Linux gives to clients.
FIRST_PORT, PORTS = 20000, 12000


class RankError(InterferenceError):
    """The ranks cannot train together."""


@dataclass(frozen=True)
class Ranks:
    """Which of the ranks this process is. shared_statistics: batch statistics are the batch's."""

    rank: int = 0
    count: int = 1
    shared_statistics: bool = True

    def share(self, images: int) -> slice:
        """This rank's part of a batch of so many images; parts differ by at most one image."""
        return slice(images * self.rank // self.count, images * (self.rank + 1) // self.count)

    def weight(self, images: int) -> float:
        """What to weight a mean over this rank's share with, so that the ranks' mean is the batch's."""
        share = self.share(images)
        return (share.stop - share.start) * self.count / images

    def parallel(self, network: nn.Module) -> nn.Module:
        """``network`` to call in training: its gradients will be the mean of the ranks'.

        The network itself stays what it was, parameters and names; an attack calls it directly.
        """
        if self.count == 1:
            return network
        if self.shared_statistics:
            nn.SyncBatchNorm.convert_sync_batchnorm(network)
        return nn.parallel.DistributedDataParallel(network)

    def mean(self, values: Tensor) -> Tensor:
        """The ranks' mean of ``values``, at every rank."""
        if self.count > 1:
            distributed.all_reduce(values)
            values /= self.count
        return values

    def require(self, images: int) -> None:
        """Raise RankError where a batch of so many images is too small to share."""
        if self.count > 1 and images < 2 * self.count:
            raise RankError(
                f"a batch of {images} images is too small for {self.count} ranks, which take two or "
                "more each; raise models.batch_size, or ask for fewer ranks in the profile"
            )

    @property
    def facts(self) -> dict:
        """What a manifest says of them: nothing of one rank, whose bytes its spec determines.

        The bytes of more differ in rounding, and their statistics may, so both are recorded;
        Snakemake takes them for resources all the same, and reruns nothing over them.
        """
        if self.count == 1:
            return {}
        return {"ranks": self.count, "shared_statistics": self.shared_statistics}


ALONE = Ranks()


@dataclass(frozen=True)
class Presence:
    """What a rank shows the others before they begin.

    spec: its digest; visible: how many GPUs the process sees; index, gpu: which of them is its own,
    and that one's UUID, None where there is none.
    """

    rank: int
    host: str
    spec: str
    index: int
    visible: int
    gpu: str | None


def addresses(environment: Mapping[str, str]) -> dict[str, str]:
    """What torch calls a rank's place (RANK, WORLD_SIZE, ...), of this process; {} where it is alone.

    torchrun sets these names itself. Of Slurm's names only a step's count, which srun sets: a batch
    script or a shell in an allocation of many tasks is one process.
    """
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
    if all(name in environment for name in names):
        found = {name: environment[name] for name in names}
    elif "SLURM_STEP_NUM_TASKS" in environment:
        step = f"{environment['SLURM_JOB_ID']}.{environment['SLURM_STEP_ID']}"
        found = {
            "RANK": environment["SLURM_PROCID"],
            "WORLD_SIZE": environment["SLURM_STEP_NUM_TASKS"],
            "LOCAL_RANK": environment["SLURM_LOCALID"],
            "MASTER_ADDR": first_host(environment["SLURM_STEP_NODELIST"]),
            "MASTER_PORT": str(FIRST_PORT + zlib.crc32(step.encode()) % PORTS),
        }
    else:
        return {}
    return found if int(found["WORLD_SIZE"]) > 1 else {}


def first_host(nodes: str) -> str:
    """The first host of Slurm's short form of a list: gpu[07-09,12],cpu1 → gpu07."""
    first = re.match(r"(?:\[[^]]*\]|[^,[])+", nodes)[0]
    return re.sub(r"\[(\w+)[^]]*\]", r"\1", first)


def presence(place: Mapping[str, str], spec: dict) -> Presence:
    """What this process has to show. A rank that sees one GPU was given it alone (srun
    --gpus-per-task); of several it takes the one of its number on this host."""
    visible, index = torch.cuda.device_count(), 0
    if visible > 1:
        index = int(place["LOCAL_RANK"])
    gpu = str(torch.cuda.get_device_properties(index).uuid) if index < visible else None
    return Presence(
        int(place["RANK"]), socket.gethostname(), digest(canonical(spec)), index, visible, gpu
    )


def check(there: list[Presence]) -> None:
    """Raise RankError where the ranks do not belong together; every rank comes to the same."""
    owners: dict[str, Presence] = {}
    for one in there:
        who = f"rank {one.rank} of {len(there)} on {one.host}"
        if one.spec != there[0].spec:
            raise RankError(f"{who} has another spec than rank 0; start one command line for all")
        if one.gpu is None and any(other.gpu for other in there):
            raise RankError(
                f"{who} has no GPU of its own, and sees {one.visible}; ask for as many GPUs as "
                "ranks on every node (gpu or gres in the profile), or for fewer ranks"
            )
        if one.gpu is not None and owners.setdefault(one.gpu, one) is not one:
            raise RankError(
                f"{who} has the GPU of rank {owners[one.gpu].rank}; ask for as many GPUs as ranks "
                "on every node (gpu or gres in the profile), or for fewer ranks"
            )


@contextmanager
def joined(spec: dict) -> Iterator[Ranks]:
    """Join the other ranks of this job for the block, if it has any.

    The current CUDA device becomes this rank's own. Raises RankError where the ranks do not belong
    together, where another does not come, and where one is lost on the way.
    """
    place = addresses(os.environ)
    if not place:
        yield ALONE
        return
    os.environ.update(place)
    rank, count = int(place["RANK"]), int(place["WORLD_SIZE"])
    own = presence(place, spec)
    try:
        store, _, _ = next(distributed.rendezvous("env://", timeout=PATIENCE))
        store.set(f"rank {rank}", canonical(asdict(own)))
        there = [Presence(**json.loads(store.get(f"rank {other}"))) for other in range(count)]
        check(there)
        if own.gpu is not None:
            torch.cuda.set_device(own.index)
        distributed.init_process_group(
            "gloo" if own.gpu is None else "nccl",
            store=store,
            rank=rank,
            world_size=count,
            timeout=PATIENCE,
        )
        progress.say(f"rank {rank} of {count}: {own.host}, {own.gpu or 'CPU'}")
        if rank == 0 and own.gpu is None:
            progress.say(f"batch statistics are a rank's own on CPUs, of 1/{count} of a batch")
        yield Ranks(rank, count, shared_statistics=own.gpu is not None)
        distributed.destroy_process_group()
    except RuntimeError as error:
        # gloo throws what torch does not give a class of its own
        if not isinstance(error, distributed.DistError) and "gloo/transport" not in str(error):
            raise
        raise RankError(
            f"rank {rank} of {count} lost another one, whose own error says why: {error}"
        ) from None
