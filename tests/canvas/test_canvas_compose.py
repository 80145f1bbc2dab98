"""Canvases: known marginals, independent cells, and the same canvases whatever the batch."""

import pytest
import torch
from scipy import stats

from interference.canvas.compose import Composer, forced
from tests.support.canvases import composer

COUNT = 4000


def classes_shown(canvases, classes=4):
    """The class of every cell, read from the pixel that tells it: (b, n)."""
    return (canvases.images[..., 0, 0, 0] * classes).long()


def test_a_feature_is_on_exactly_where_its_cell_shows_its_class():
    drawn = composer().compose(1, 0, 500)
    assert torch.equal(classes_shown(drawn) == torch.arange(6) % 4, drawn.labels)


def test_features_are_on_with_the_density():
    on = composer().compose(1, 0, COUNT).labels.sum(0)
    for count in on.tolist():
        assert stats.binomtest(count, COUNT, 0.3).pvalue > 1e-4


def test_cells_are_independent_in_pairs():
    labels = composer().compose(1, 0, COUNT).labels.double()
    correlations = torch.corrcoef(labels.T).fill_diagonal_(0)
    assert correlations.abs().max() < 4.5 / COUNT**0.5


def test_off_cells_show_every_other_class_and_every_image_alike():
    drawn = composer(density=0.0).compose(1, 0, COUNT)
    for cell, shown in enumerate(classes_shown(drawn).T):
        counts = torch.bincount(shown, minlength=4)
        assert counts[cell % 4] == 0
        others = counts[counts > 0]
        assert len(others) == 3
        assert stats.chisquare(others.numpy()).pvalue > 1e-4
        places = (drawn.images[:, cell, 0, 0, 0] * 480).round().long()
        times = torch.bincount(places)
        assert (times > 0).sum() == 90
        assert stats.chisquare(times[times > 0].numpy()).pvalue > 1e-4


@pytest.mark.parametrize("size", [1, 3, 7])
def test_canvases_are_the_same_whatever_the_batch(size):
    make = composer()
    whole = make.compose(2, 5, 21)
    parts = [make.compose(2, 5 + first, size) for first in range(0, 21, size)]
    assert torch.equal(torch.cat([part.images for part in parts]), whole.images)
    assert torch.equal(torch.cat([part.labels for part in parts]), whole.labels)


def test_seeds_and_canvases_differ():
    make = composer()
    assert not torch.equal(make.compose(1, 0, 9).images, make.compose(2, 0, 9).images)
    assert len(make.compose(1, 0, 200).images.flatten(1).unique(dim=0)) == 200


def test_a_forced_feature_changes_its_own_cell_alone():
    make = composer()
    drawn = make.compose(4, 10, 50)
    other = make.given(4, 10, forced(drawn.labels, 2, True))
    same = (other.images == drawn.images).flatten(2).all(2)
    assert other.labels[:, 2].all()
    assert same[:, [0, 1, 3, 4, 5]].all()
    assert torch.equal(same[:, 2], drawn.labels[:, 2])


def test_halved_cells_are_means_of_two_by_two_pixels():
    images, labels = torch.rand(4, 3, 6, 6), torch.tensor([0, 1, 0, 1])
    make = Composer(images, labels, classes=2, cells=2, density=1.0, halved=True)
    cells, known = make.compose(0, 0, 8).images, images.unflatten(3, (3, 2)).unflatten(2, (3, 2))
    means = known.mean((3, 5))
    for cell, shown in enumerate(cells.transpose(0, 1)):
        of_class = means[labels == cell]
        assert all(any(torch.allclose(one, mean) for mean in of_class) for one in shown)


def test_a_class_without_images_is_refused():
    with pytest.raises(ValueError, match="no image of class 2"):
        Composer(
            torch.zeros(4, 1, 6, 6), torch.tensor([0, 1, 1, 3]),
            classes=4, cells=4, density=0.1, halved=False,
        )  # fmt: skip


def test_correlated_features_keep_their_density_and_have_the_stated_correlation():
    make = composer(cells=12, correlated=True)
    labels = make.labels(1, 0, 20000).double()
    for count in labels.sum(0).int().tolist():
        assert stats.binomtest(count, 20000, 0.3).pvalue > 1e-4
    found = torch.corrcoef(labels.T)
    known = 0.3 * (1 / 0.6 - 1) / 0.7
    same = (torch.arange(12)[:, None] // 6) == (torch.arange(12) // 6)
    torch.testing.assert_close(
        found[same & ~torch.eye(12, dtype=torch.bool)].mean().item(), known, rtol=0.03, atol=0
    )
    assert found[~same].abs().max() < 4.5 / 20000**0.5


def test_correlated_labels_are_the_same_whatever_the_batch():
    make = composer(cells=12, correlated=True)
    parts = [make.labels(2, first, 3) for first in range(0, 12, 3)]
    assert torch.equal(torch.cat(parts), make.labels(2, 0, 12))


def test_correlated_features_of_a_high_density_are_refused():
    with pytest.raises(ValueError, match=r"at most 0\.5"):
        composer(density=0.7, correlated=True)
