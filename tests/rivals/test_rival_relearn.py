"""Networks that learn from attacks alone: the step on small images, and lessons made by hand."""

import pytest
import torch

from interference.compute import generator
from interference.rivals import relearn
from interference.rivals.descent import Attack, Pools, attacked, teach
from interference.rivals.network import Stack
from interference.store.tables import read_columns

pytestmark = pytest.mark.xdist_group("rivals")

SPEC = {
    "classes": 4, "hidden": 6, "epsilons": [0.1], "steps": 1, "seed": 0,
    "attack": {"epsilon": 0.1, "steps": 3},
    "training": {"steps": 60, "batch_size": 16, "learning_rate": 0.01},
}  # fmt: skip
CLEAN = Attack("linf", 0.0, 0)


@pytest.fixture(scope="module")
def table(small_images, tmp_path_factory):
    output = tmp_path_factory.mktemp("relearned") / "relearned-s0.parquet"
    relearn.run(SPEC, small_images, output)
    return output


def test_one_row_per_source_and_targets_with_noise_beside_it(table):
    columns = read_columns(table)
    assert [*zip(columns["epsilon"], columns["targets"])] == [
        (epsilon, targets) for epsilon in (0.0, 0.1) for targets in ("random", "next")
    ]
    for name in (
        "source_accuracy",
        "success",
        "accuracy",
        "fitted",
        "noise_accuracy",
        "noise_fitted",
    ):
        assert ((columns[name] >= 0) & (columns[name] <= 1)).all()
    for name in ("noise_accuracy", "noise_fitted"):  # no source is in noise
        assert (columns[name][:2] == columns[name][2:]).all()
    assert (columns["distance"] <= 0.1 * 16 + 1e-6).all()  # 256 pixels
    assert (columns["noise_distance"] > 0).all()


def test_the_same_spec_gives_the_same_bytes(small_images, table, tmp_path):
    relearn.run(SPEC, small_images, tmp_path / "again.parquet")
    assert (tmp_path / "again.parquet").read_bytes() == table.read_bytes()


def test_of_each_class_every_target_is_drawn_equally_often_and_the_next_is_never_the_own():
    labels = torch.arange(4).repeat_interleave(torch.tensor([401, 400, 399, 398]))
    labels = labels[torch.randperm(len(labels), generator=generator(5))]
    found = relearn.targets(labels, 4, generator(0))
    counts = torch.zeros(4, 4).index_put_((labels, found["random"]), torch.tensor(1.0), True)
    assert ((counts.max(1).values - counts.min(1).values) <= 1).all()
    assert not torch.equal(found["random"], relearn.targets(labels, 4, generator(1))["random"])
    assert torch.equal(found["next"], torch.tensor([1, 2, 3, 0])[labels])


def test_noise_moves_every_pixel_by_the_radius_where_there_is_room():
    x = torch.tensor([[0.0, 0.5, 1.0]]).repeat(400, 1)
    moved = relearn.noisy(x, 0.1, generator(1)) - x
    torch.testing.assert_close(moved[:, 1].abs(), torch.full((400,), 0.1))
    assert 0.4 < (moved[:, 1] > 0).double().mean() < 0.6
    torch.testing.assert_close(moved[:, 0].unique(), torch.tensor([0.0, 0.1]))
    torch.testing.assert_close(moved[:, 2].unique(), torch.tensor([-0.1, 0.0]))


def linear(rows: list[list[float]]) -> Stack:
    """One network whose logits are x · rows, for x ≥ 0."""
    W = torch.tensor(rows)[None]
    size = W.shape[2]
    return Stack(
        U=torch.eye(size)[None], u=torch.zeros(1, 1, size), A=None, W=W,
        b=torch.zeros(1, 1, len(rows)), classes=torch.tensor([len(rows)]),
    )  # fmt: skip


def test_a_targeted_attack_goes_towards_the_class_and_an_untargeted_one_away_from_it():
    """A logit per pixel: the target's pixel rises by the radius, and the others fall."""
    network = linear([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]])
    x, attack = torch.full((1, 1, 3), 0.5), Attack("linf", 0.1, 5)
    towards = attacked(network, x, torch.tensor([[2]]), attack, targeted=True)
    away = attacked(network, x, torch.tensor([[2]]), attack)
    torch.testing.assert_close(towards[0, 0], torch.tensor([0.4, 0.4, 0.6]))
    torch.testing.assert_close(away[0, 0], torch.tensor([0.6, 0.6, 0.4]))


def test_networks_of_a_stack_each_learn_their_own_images_and_labels():
    """Two networks see the same two images under swapped labels: each knows its own."""
    x = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).expand(2, 2, 2)
    labels = torch.tensor([[0, 1], [1, 0]])
    stack = relearn.alike(2, 8, 3, 2, generator(2))
    training = {"steps": 200, "batch_size": 8, "learning_rate": 0.05}
    teach(stack, Pools(x, labels), training, CLEAN, generator(3))
    assert relearn.share(stack, x, labels).tolist() == [1.0, 1.0]
    assert relearn.share(stack, x, labels.flip(0)).tolist() == [0.0, 0.0]


def test_who_learns_from_noise_knows_chance_and_from_planted_perturbations_the_classes():
    """Images of a class are a patch each, faint beside what is added: nothing, or the patch of the target.
    From the first nobody can learn; from the second one learns what each patch stands for."""
    draw, times = generator(4), 12
    labels = torch.arange(4).repeat(100)
    patches = torch.eye(4).repeat_interleave(6, dim=1)
    x = (patches[labels] * 0.3 + 0.2 * torch.rand(400, 24, generator=draw)).clamp(0, 1)
    wanted = torch.stack([relearn.targets(labels, 4, draw)["random"] for _ in range(times)])
    turned = (x + 0.5 * patches[wanted]).clamp(0, 1)
    pools = Pools(torch.cat([x.expand_as(turned), turned]), wanted.repeat(2, 1))
    stack = relearn.alike(2 * times, 16, 4, 24, draw)
    teach(stack, pools, {"steps": 300, "batch_size": 32, "learning_rate": 0.01}, CLEAN, draw)
    known = relearn.share(stack, x.expand(2 * times, 400, 24), labels.expand(2 * times, 400))
    nothing, patch = known.split(times)
    assert abs(nothing.mean() - 0.25) < 0.12
    assert patch.min() > 0.9
    assert relearn.share(stack, pools.pixels, pools.labels)[times:].min() > 0.95
