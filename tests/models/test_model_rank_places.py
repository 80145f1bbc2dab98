"""Who a rank is: its share of a batch, its place in a Slurm step, the GPU that is its own."""

from dataclasses import replace

import numpy as np
import pytest
from torch import nn

from interference.models import ranks
from interference.models.ranks import Presence, RankError, Ranks, addresses, first_host
from tests.support.in_ranks import network


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("images", [7, 8, 50])
def test_shares_cover_a_batch_once_and_weighted_means_are_its_mean(images, count):
    batch, all_ranks = np.arange(images) ** 2.0, [Ranks(rank, count) for rank in range(count)]
    shares = [batch[one.share(images)] for one in all_ranks]
    assert np.concatenate(shares).tolist() == batch.tolist()
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    mean = np.mean([one.weight(images) * part.mean() for one, part in zip(all_ranks, shares)])
    assert mean == pytest.approx(batch.mean(), rel=1e-12)


STEP = {
    "SLURM_JOB_ID": "7",
    "SLURM_STEP_ID": "0",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_STEP_NODELIST": "gpu[07-08]",
    "SLURM_PROCID": "3",
    "SLURM_LOCALID": "1",
}


def test_a_rank_of_a_slurm_step_finds_its_place():
    place = addresses(STEP)
    assert (place["RANK"], place["WORLD_SIZE"], place["LOCAL_RANK"]) == ("3", "4", "1")
    assert place["MASTER_ADDR"] == "gpu07"
    others = [addresses(STEP | {"SLURM_PROCID": str(rank)}) for rank in range(4)]
    assert {other["MASTER_PORT"] for other in others} == {place["MASTER_PORT"]}
    assert addresses(STEP | {"SLURM_JOB_ID": "8"})["MASTER_PORT"] != place["MASTER_PORT"]


def test_torchrun_in_a_slurm_step_is_what_counts():
    told = {
        "RANK": "0",
        "WORLD_SIZE": "2",
        "LOCAL_RANK": "0",
        "MASTER_ADDR": "a",
        "MASTER_PORT": "1",
    }
    assert addresses(STEP | told) == told


@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("node1", "node1"),
        ("a1,b2", "a1"),
        ("gpu[07-09,12],cpu1", "gpu07"),
        ("rack[2-3]n[4,6]", "rack2n4"),
        ("n-1.example.org,n-2.example.org", "n-1.example.org"),
    ],
)
def test_the_first_host_of_a_list_of_slurms(nodes, first):
    assert first_host(nodes) == first


PRESENT = [Presence(rank, "a", "x", rank, 2, gpu=f"GPU-{rank}") for rank in range(2)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"gpu": None, "visible": 1, "index": 1},
            "rank 1 of 2 on a has no GPU of its own, and sees 1",
        ),
        ({"gpu": "GPU-0"}, "rank 1 of 2 on a has the GPU of rank 0"),
        ({"spec": "y"}, "rank 1 of 2 on a has another spec"),
    ],
)
def test_ranks_that_do_not_belong_together_are_told_apart(change, message):
    ranks.check(PRESENT)
    with pytest.raises(RankError, match=message):
        ranks.check([PRESENT[0], replace(PRESENT[1], **change)])


def test_batch_statistics_are_shared_on_gpus_by_the_same_parameters_under_the_same_names(
    monkeypatch,
):
    """What a GPU would run is not run here: the network as it is given to DistributedDataParallel."""
    monkeypatch.setattr(nn.parallel, "DistributedDataParallel", lambda module: module)
    model = network()
    before = dict(model.named_parameters())
    names = model.state_dict().keys()
    shared = Ranks(0, 2, shared_statistics=True).parallel(model)
    norms = [m for m in shared.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    assert len(norms) == 20
    assert all(type(m) is nn.SyncBatchNorm for m in norms)
    assert model.state_dict().keys() == names
    assert all(parameter is before[name] for name, parameter in model.named_parameters())
