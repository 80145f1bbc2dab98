"""Ranks: processes, one per GPU, that train one network together.

A launcher starts the same verb once per rank: torchrun on one machine, srun on a cluster. Every
rank draws what a single process would draw for a batch and takes its share of the images, so that N
ranks do the same but for rounding. Torch's DistributedDataParallel averages the gradients; batch
statistics are those of the whole batch on GPUs (SyncBatchNorm) and, as a CPU has no such layer, each
rank's own there.

A single rank, the usual case, starts none of this.
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
from torch.distributed.rendezvous import rendezvous

from interference import progress
from interference.provenance import InterferenceError, canonical, digest

#: How long a rank waits for the others, at the start and at each step. A rank that dies is noticed
#: at once, by its closed connection or by the launcher; this is for a rank that hangs.
PATIENCE = timedelta(minutes=10)
#: Where the ranks of a Slurm step meet: a port below those that Linux gives to clients.
FIRST_PORT, PORTS = 20000, 12000


class RankError(InterferenceError):
    """The ranks cannot train together."""


@dataclass(frozen=True)
class Ranks:
    """This process among the ranks.

    rank: from 0. count: of all ranks. shared_statistics: batch norms see the whole batch, not the
    rank's share.
    """

    rank: int = 0
    count: int = 1
    shared_statistics: bool = True

    def share(self, images: int) -> slice:
        """Return this rank's part of a batch; parts differ by at most one image."""
        return slice(images * self.rank // self.count, images * (self.rank + 1) // self.count)

    def weight(self, images: int) -> float:
        """Return the weight of a share's mean, with which the ranks' mean is the batch's."""
        share = self.share(images)
        return (share.stop - share.start) * self.count / images

    def parallel(self, network: nn.Module) -> nn.Module:
        """Return ``network`` as called in training, where its gradients are the ranks' mean.

        The network itself stays what it was, parameters and names; an attack calls it directly.
        """
        if self.count == 1:
            return network
        if self.shared_statistics:
            nn.SyncBatchNorm.convert_sync_batchnorm(network)
        return nn.parallel.DistributedDataParallel(network)

    def mean(self, values: Tensor) -> Tensor:
        """Return the ranks' mean of ``values``, at every rank; in place."""
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
        """Return what a manifest records of them: nothing of a single rank.

        With more, bytes differ in rounding and statistics may, so both are recorded; to Snakemake
        they are resources, and it reruns nothing over them.
        """
        if self.count == 1:
            return {}
        return {"ranks": self.count, "shared_statistics": self.shared_statistics}


ALONE = Ranks()


@dataclass(frozen=True)
class Presence:
    """What a rank tells the others before they begin.

    spec: digest of its job's spec. visible: how many GPUs the process sees. index: which of them it
    takes. gpu: the UUID of that GPU, None without any.
    """

    rank: int
    host: str
    spec: str
    index: int
    visible: int
    gpu: str | None


def addresses(environment: Mapping[str, str]) -> dict[str, str]:
    """Return torch's variables for this rank (RANK, WORLD_SIZE, ...); {} where it is alone.

    torchrun sets them itself. Of Slurm's variables only a step's, which srun sets, tell of ranks: a
    batch script or a shell in an allocation of many tasks is one process.
    """
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
    if all(name in environment for name in names):
        place = {name: environment[name] for name in names}
    elif "SLURM_STEP_NUM_TASKS" in environment:
        step = f"{environment['SLURM_JOB_ID']}.{environment['SLURM_STEP_ID']}"
        place = {
            "RANK": environment["SLURM_PROCID"],
            "WORLD_SIZE": environment["SLURM_STEP_NUM_TASKS"],
            "LOCAL_RANK": environment["SLURM_LOCALID"],
            "MASTER_ADDR": first_host(environment["SLURM_STEP_NODELIST"]),
            "MASTER_PORT": str(FIRST_PORT + zlib.crc32(step.encode()) % PORTS),
        }
    else:
        return {}
    return place if int(place["WORLD_SIZE"]) > 1 else {}


def first_host(nodes: str) -> str:
    """Return the first host of Slurm's short form of a list: gpu[07-09,12],cpu1 → gpu07."""
    first, *_ = re.findall(r"(?:\[[^]]*\]|[^,[])+", nodes)
    return re.sub(r"\[(\w+)[^]]*\]", r"\1", first)


def presence(place: Mapping[str, str], spec: dict) -> Presence:
    """Return what this process tells the others.

    A rank that sees a single GPU was given it alone (srun --gpus-per-task); of several it takes
    number LOCAL_RANK.
    """
    visible, index = torch.cuda.device_count(), 0
    if visible > 1:
        index = int(place["LOCAL_RANK"])
    gpu = str(torch.cuda.get_device_properties(index).uuid) if index < visible else None
    return Presence(
        int(place["RANK"]), socket.gethostname(), digest(canonical(spec)), index, visible, gpu
    )


def check(ranks: list[Presence]) -> None:
    """Raise RankError where the ranks do not belong together; every rank comes to the same."""
    owners: dict[str, Presence] = {}
    for rank in ranks:
        who = f"rank {rank.rank} of {len(ranks)} on {rank.host}"
        if rank.spec != ranks[0].spec:
            raise RankError(f"{who} has another spec than rank 0; start one command line for all")
        if rank.gpu is None and any(other.gpu for other in ranks):
            raise RankError(
                f"{who} has no GPU of its own, and sees {rank.visible}; ask for as many GPUs as "
                "ranks on every node (gpu or gres in the profile), or for fewer ranks"
            )
        if rank.gpu is not None and owners.setdefault(rank.gpu, rank) is not rank:
            raise RankError(
                f"{who} has the GPU of rank {owners[rank.gpu].rank}; ask for as many GPUs as ranks "
                "on every node (gpu or gres in the profile), or for fewer ranks"
            )


@contextmanager
def joined(spec: dict) -> Iterator[Ranks]:
    """Join the other ranks of this job, if it has any, for the block; yield which rank this is.

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
        store, _, _ = next(rendezvous("env://", timeout=PATIENCE))
        store.set(f"rank {rank}", canonical(asdict(own)))
        check([Presence(**json.loads(store.get(f"rank {other}"))) for other in range(count)])
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
