"""One picture from bytes to a square: torchvision's values bit for bit, or a reason why not."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision import transforms

from interference.data.dataset import fit
from interference.data.decode import CorruptPicture, Place, decode, read
from interference.store.files import StoreError


def noise(mode: str, width: int, height: int) -> Image.Image:
    rng = np.random.default_rng(width * 1000 + height)
    shape = (height, width, len(mode)) if len(mode) > 1 else (height, width)
    return Image.fromarray(
        rng.integers(0, 256, shape, dtype=np.uint8), mode if len(mode) > 1 else None
    )


def encoded(picture: Image.Image, form: str = "JPEG", **options) -> bytes:
    content = io.BytesIO()
    picture.save(content, form, **options)
    return content.getvalue()


def torchvisions(content: bytes, resize: int, size: int) -> np.ndarray:
    """What ImageFolder with the preprint's transforms makes of a file."""
    steps = transforms.Compose([transforms.Resize(resize), transforms.CenterCrop(size)])
    return np.asarray(steps(Image.open(io.BytesIO(content)).convert("RGB"))).transpose(2, 0, 1)


@settings(deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 40), st.integers(0, 15))
def test_sizes_and_places_are_rounded_as_by_torchvision(width, height, crop, more):
    content = encoded(noise("RGB", width, height), "PNG")
    expected = torchvisions(content, crop + more, crop)
    assert np.array_equal(decode(content, crop + more, crop), expected)


@pytest.mark.parametrize(
    ("mode", "form"),
    [("L", "JPEG"), ("RGB", "JPEG"), ("CMYK", "JPEG"), ("RGBA", "PNG"), ("LA", "PNG"),
     ("P", "GIF"), ("1", "PNG"), ("P", "PNG"), ("YCbCr", "TIFF"), ("RGB", "WEBP")],
)  # fmt: skip
def test_every_mode_becomes_rgb_as_pillow_converts_it(mode, form):
    content = encoded(noise("RGB", 71, 64).convert(mode), form)
    assert np.array_equal(decode(content, 40, 32), torchvisions(content, 40, 32))


@pytest.mark.filterwarnings("ignore:Palette images")
def test_a_transparent_palette_is_converted_as_by_torchvision():
    content = encoded(noise("RGB", 40, 50).convert("P"), "PNG", transparency=b"\x00\x80\xff")
    assert np.array_equal(decode(content, 40, 32), torchvisions(content, 40, 32))


def test_the_orientation_in_exif_data_is_ignored():
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = noise("RGB", 60, 40)
    turned, plain = encoded(picture, exif=exif), encoded(picture)
    assert turned != plain
    assert np.array_equal(decode(turned, 40, 40), decode(plain, 40, 40))


def test_an_array_without_a_resize_keeps_its_centre():
    wide = np.zeros((16, 48), np.uint8)
    wide[:, 16:32] = 200
    assert np.array_equal(fit(Image.fromarray(wide), 16, 16), np.full((1, 16, 16), 200))


GOOD = encoded(noise("RGB", 200, 150))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no bytes"),
        (b"<html>not found</html>", "not a picture in a format that pillow reads"),
        (GOOD[: len(GOOD) // 2], "truncated"),
        (GOOD[:100], "Truncated"),
        (encoded(noise("RGB", 50, 50), "PNG")[:-3000], "truncated|broken|OSError"),
        (encoded(Image.fromarray(np.full((9, 9), 3000, np.uint16)), "PNG"), "more than 8 bits .*I;16"),
        (encoded(Image.fromarray(np.full((9, 9), 0.5, np.float32)), "TIFF"), "more than 8 bits .*mode F"),
    ],
)  # fmt: skip
def test_a_corrupt_picture_is_told_with_its_reason(content, reason):
    with pytest.raises(CorruptPicture, match=reason):
        decode(content, 40, 32)


def test_a_decompression_bomb_is_corrupt_before_it_is_unpacked(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200 * 150 - 1)
    with pytest.raises(CorruptPicture, match=r"DecompressionBombWarning.* exceeds limit"):
        decode(GOOD, 40, 32)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(CorruptPicture, match=r"DecompressionBombError.* exceeds limit"):
        decode(GOOD, 40, 32)


@settings(deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255), st.integers(0, len(GOOD)))
def test_damage_anywhere_gives_a_square_or_a_reason(place, flip, cut):
    content = bytearray(GOOD)
    content[place] ^= flip
    try:
        square = decode(bytes(content[:cut]), 40, 32)
    except CorruptPicture:
        return
    assert square.shape == (3, 32, 32)


def test_a_stretch_of_a_file_is_read_and_a_lost_file_is_no_corrupt_picture(tmp_path):
    file = tmp_path / "shard"
    file.write_bytes(b"before" + GOOD + b"after")
    assert read(Place("a", str(file), 6, len(GOOD))) == GOOD
    with pytest.raises(StoreError, match=r"gone was there and cannot be read \(.*No such file"):
        read(Place("b", str(tmp_path / "gone")))
