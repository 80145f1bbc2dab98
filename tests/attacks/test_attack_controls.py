"""Controls: norms after the clamp, who gets whose perturbation, what a band or a corruption leaves."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from interference.attacks.draws import Draws
from interference.attacks.matching import along
from interference.attacks.methods import corruption, frequency, shuffled, transferred
from interference.attacks.norms import norm_of
from interference.attacks.source import Source
from tests.attacks.test_attack_methods import CPU, NORMS, curved, images, perturb

COMMON = settings(max_examples=25, deadline=None)


@pytest.mark.parametrize("norm", NORMS)
@COMMON
@given(seed=st.integers(0, 500), target=st.floats(0.001, 3), scale=st.sampled_from([1e-6, 1, 1e4]))
def test_the_norm_after_the_clamp_is_the_one_asked_for_or_the_largest_there_is(
    norm, seed, target, scale
):
    x = images((3, 2, 6, 6), seed)
    direction = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))
    furthest = norm_of(torch.where(direction > 0, 1 - x, x), norm)
    moved = along(x, scale * direction, target, norm)
    torch.testing.assert_close(
        norm_of(moved - x, norm), furthest.clamp_max(target), rtol=1e-3, atol=1e-6
    )
    assert (norm_of(moved - x, norm) <= target).all()


@pytest.mark.parametrize("norm", NORMS)
def test_without_a_direction_or_a_length_the_image_stays(norm):
    x = images((2, 1, 5, 5))
    assert torch.equal(along(x, torch.zeros_like(x), 0.5, norm), x)
    assert torch.equal(along(x, torch.ones_like(x), torch.zeros(2), norm), x)


@COMMON
@given(count=st.integers(2, 60), seed=st.integers(0, 500))
def test_every_perturbation_goes_to_one_other_image(count, seed):
    rows = shuffled.partners(count, torch.Generator().manual_seed(seed))
    assert sorted(rows.tolist()) == list(range(count))
    assert (rows != torch.arange(count)).all()


def test_partners_are_drawn_and_those_of_transfer_are_the_images_themselves():
    a, b, c = (shuffled.partners(50, torch.Generator().manual_seed(s)) for s in (0, 0, 1))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert transferred.partners(3, torch.Generator()).tolist() == [0, 1, 2]


@pytest.mark.parametrize("norm", NORMS)
@COMMON
@given(seed=st.integers(0, 500))
def test_a_shuffled_perturbation_keeps_its_direction_and_the_norm_it_had(norm, seed):
    x, others = images((4, 1, 6, 6), seed, saturated=False), images((4, 1, 6, 6), seed + 1)
    adversarial = along(others, torch.randn(others.shape), 0.15, norm)
    found = shuffled.perturb(
        None, x, norm=norm, epsilon=0.15, draws=None, source=Source(others, adversarial)
    ).images
    delta, own = found - x, adversarial - others
    torch.testing.assert_close(norm_of(delta, norm), norm_of(own, norm), rtol=1e-4, atol=1e-6)
    cosine = torch.cosine_similarity(delta.flatten(1), own.flatten(1))
    torch.testing.assert_close(cosine, torch.ones(4), rtol=0, atol=1e-3)


def test_transferred_images_are_the_sources_as_they_are():
    x = images((2, 1, 5, 5))
    source = Source(x, x.flip(3))
    found = transferred.perturb(None, x, norm="l2", epsilon=9.0, draws=None, source=source)
    assert torch.equal(found.images, source.adversarial)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 9, 12)])
def test_bands_share_the_spectrum_between_them(shape):
    noise = Draws.of(0, 1.0, range(3), CPU).normal(*shape)
    low, high = (frequency.filtered(noise, band) for band in ("low", "high"))
    torch.testing.assert_close(low + high, noise, rtol=0, atol=1e-5)
    rows, columns = (torch.fft.fftfreq(side) for side in shape[1:])
    radius = (rows[:, None] ** 2 + columns[None, :] ** 2).sqrt()
    for band, outside in ((low, radius > 0.25), (high, radius <= 0.25)):
        spectrum = torch.fft.fft2(band).abs()
        assert spectrum[..., outside].max() < 1e-3
        assert spectrum[..., ~outside].min() > 1e-3
    assert high.mean((2, 3)).abs().max() < 1e-6


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("band", ["low", "high"])
def test_where_nothing_is_clamped_the_noise_has_its_band_alone(band, norm):
    x = images((2, 1, 16, 16), saturated=False)
    delta = perturb("frequency", curved, x, norm=norm, epsilon=0.1, band=band).images - x
    torch.testing.assert_close(frequency.filtered(delta, band), delta, rtol=0, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_corruptions_are_pillows(channels, tmp_path):
    random = np.random.default_rng(0)
    smooth = np.kron(random.integers(0, 256, (4, 4, channels)), np.ones((7, 7, 1))).astype(np.uint8)
    picture = Image.fromarray(smooth.squeeze())
    x = torch.from_numpy(smooth).permute(2, 0, 1)[None].float() / 255
    picture.save(tmp_path / "picture.jpg", quality=corruption.QUALITY)
    expected = {
        "jpeg": Image.open(tmp_path / "picture.jpg"),
        "blur": picture.filter(ImageFilter.GaussianBlur(1)),
    }
    for kind, other in expected.items():
        reference = np.asarray(other).reshape(smooth.shape).transpose(2, 0, 1) / 255
        found = corruption.CORRUPTIONS[kind](x)[0].numpy()
        assert np.abs(found - reference)[:, 2:-2, 2:-2].mean() < 0.01, kind
        assert np.abs(x[0].numpy() - reference).mean() > 0.01, kind
    grey = corruption.contrast(x)
    torch.testing.assert_close(grey.mean((2, 3)), x.mean((2, 3)))
    torch.testing.assert_close(grey.std((2, 3)), 0.4 * x.std((2, 3)))


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("kind", corruption.CORRUPTIONS)
def test_a_corruption_goes_towards_the_corrupted_image(kind, norm):
    x = images((2, 3, 12, 12), saturated=False)
    delta = perturb("corruption", curved, x, norm=norm, epsilon=0.03, kind=kind).images - x
    towards = corruption.CORRUPTIONS[kind](x) - x
    cosine = torch.cosine_similarity(delta.flatten(1), towards.flatten(1))
    torch.testing.assert_close(cosine, torch.ones(2), rtol=0, atol=1e-4)
    torch.testing.assert_close(norm_of(delta, norm), torch.full((2,), 0.03), rtol=1e-4, atol=0)


@pytest.mark.parametrize("kind", corruption.CORRUPTIONS)
def test_an_image_that_a_corruption_leaves_alone_stays(kind):
    x = torch.full((1, 1, 12, 12), 128 / 255)
    moved = perturb("corruption", curved, x, norm="l2", epsilon=0.5, kind=kind).images
    if kind != "blur":  # which rounds
        torch.testing.assert_close(moved, x, rtol=0, atol=1e-6)
    assert moved.isfinite().all()
