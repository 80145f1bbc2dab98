"""One picture from bytes to a square: torchvision's values bit for bit, or a reason why not."""

import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile, PngImagePlugin
from torchvision import transforms

from interference.data.dataset import part_of, resized_crop
from interference.data.decode import CorruptPicture, Place, decode, decode_all, read
from interference.data.errors import DatasetError


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
    assert np.array_equal(resized_crop(Image.fromarray(wide), 16, 16), np.full((1, 16, 16), 200))


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
    with pytest.raises(DatasetError, match=r"gone was there and cannot be read \(.*No such file"):
        read(Place("b", str(tmp_path / "gone")))


# Pictures that would take too much memory


def header_of_gif(width: int, height: int, canvas: tuple[int, int] | None = None) -> bytes:
    """A GIF of that many pixels in a few hundred bytes; canvas: what its header says instead."""
    content = encoded(Image.new("P", (width, height)), "GIF")
    sides = struct.pack("<2H", *(canvas or (width, height)))
    return content[:6] + sides + content[10:]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (header_of_gif(1, 40_000), "1 x 40000 pixels would be 256 x 10240000 after the resize, more than 89,4"),
        (header_of_gif(40_000, 1), "40000 x 1 pixels would be 10240000 x 256 after the resize"),
        (header_of_gif(1, 40_000, (1, 1)), "1 x 40000 pixels would be 256 x 10240000"),
        (encoded(Image.new("1", (1, 40_000)), "PNG"), "would be 256 x 10240000"),
        (encoded(Image.new("CMYK", (3, 30_000)), "TIFF"), "would be 256 x 2560000"),
        (encoded(Image.new("L", (65_500, 10)), "JPEG"), "would be 1676800 x 256"),
        (encoded(Image.new("P", (1, 9_000)), "GIF", save_all=True,
                 append_images=[Image.new("P", (1, 9_000), 1)]), "would be 256 x 2304000"),
    ],
    ids=["high", "wide", "header that lies", "PNG", "TIFF", "JPEG", "frames"],
)  # fmt: skip
def test_a_thin_picture_that_the_resize_would_swell_is_corrupt_by_its_header(
    content, reason, monkeypatch
):
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda picture: pytest.fail("it was decoded"))
    with pytest.raises(CorruptPicture, match=reason):
        decode(content, 256, 224)


def test_a_header_that_understates_is_noticed_after_decoding():
    icon = encoded(Image.new("RGB", (1, 9_000)), "PNG")
    # an icon whose entry says 16 x 16 and whose picture is another
    entry = struct.pack("<4B2H2I", 16, 16, 0, 0, 1, 32, len(icon), 22)
    content = struct.pack("<3H", 0, 1, 1) + entry + icon
    with pytest.raises(CorruptPicture, match="1 x 9000 pixels would be 256 x 2304000"):
        decode(content, 256, 224)


def test_many_frames_are_decoded_as_the_first_alone():
    first, second = noise("RGB", 50, 40), noise("RGB", 40, 50)
    for form in ("TIFF", "GIF"):
        several = encoded(first, form, save_all=True, append_images=[second.resize((50, 40))])
        assert np.array_equal(decode(several, 40, 32), torchvisions(several, 40, 32))


def test_a_text_chunk_that_swells_is_corrupt():
    texts = PngImagePlugin.PngInfo()
    texts.add_text("comment", " " * 2**22, zip=True)
    content = encoded(noise("RGB", 50, 40), "PNG", pnginfo=texts)
    with pytest.raises(CorruptPicture, match="too large"):
        decode(content, 40, 32)


def test_a_file_beyond_all_bounds_is_corrupt_before_it_is_read(tmp_path):
    file = tmp_path / "sparse.JPEG"
    with file.open("wb") as sparse:
        sparse.truncate(2**40)
    (reason,) = decode_all([Place("a", str(file))], 40, 32).reasons
    assert reason == "1,099,511,627,776 bytes, more than 536,870,912"


@pytest.mark.parametrize(
    "failure", [MemoryError(), OSError("out of memory error when reading image")]
)
def test_a_picture_for_which_no_memory_is_left_is_named_and_not_skipped(
    tmp_path, monkeypatch, failure
):
    def fail(*arguments):
        raise failure

    file = tmp_path / "large.JPEG"
    file.write_bytes(GOOD)
    monkeypatch.setattr("interference.data.decode.resized_crop", fail)
    with pytest.raises(
        DatasetError, match=r"cat/large \(.*large.JPEG\): no memory is left to decode it"
    ):
        decode_all([Place("cat/large", str(file))], 40, 32)


def test_thin_pictures_within_bounds_are_torchvisions():
    content = encoded(noise("RGB", 3, 900), "PNG")
    assert np.array_equal(decode(content, 40, 32), torchvisions(content, 40, 32))


def test_arrays_that_the_resize_would_swell_are_refused():
    with pytest.raises(DatasetError, match=r"digits: 1 x 40000 .* data.image_size: null"):
        part_of(
            np.zeros((2, 1, 40_000, 1), np.uint8), [0, 1], classes=2, image_size=256, where="digits"
        )
