"""A folder of pictures of any mode and size becomes RGB squares."""

import numpy as np
import pytest
from PIL import Image

from interference.data.sources import load
from interference.store.files import StoreError


@pytest.fixture
def pictures(tmp_path):
    """Two classes; grey, RGBA, palette and RGB pictures, wide, tall and small."""
    forms = [("L", (40, 30), "png"), ("RGBA", (20, 50), "png"), ("P", (16, 16), "gif")]
    forms += [("RGB", (64, 17), "jpg"), ("1", (33, 33), "bmp")]
    for part in ("train", "test"):
        for number, name in enumerate(("cat", "dog")):
            folder = tmp_path / part / name
            folder.mkdir(parents=True)
            for i, (mode, size, suffix) in enumerate(forms):
                picture = Image.new("RGB", size, (255, 0, 0) if number else (0, 0, 255))
                picture.convert(mode).save(folder / f"{i}.{suffix}")
    (tmp_path / "train" / "cat" / ".hidden").write_text("skipped")
    return tmp_path


def test_pictures_of_every_mode_and_size_become_rgb_squares(pictures):
    found = load("image-folder", str(pictures), 16)
    pixels = found.train.pixels(np.arange(10))
    assert found.class_names == ["cat", "dog"]
    assert found.train.labels.tolist() == [0] * 5 + [1] * 5
    assert pixels.shape == (10, 3, 16, 16)
    assert pixels.dtype == np.uint8
    rgba, palette = pixels[6], pixels[7]
    for picture in (rgba, palette):
        assert np.array_equal(picture, np.broadcast_to([[[255]], [[0]], [[0]]], (3, 16, 16)))


def test_the_centre_is_kept(pictures):
    wide = np.zeros((16, 48, 3), np.uint8)
    wide[:, 16:32] = 200
    Image.fromarray(wide).save(pictures / "train" / "cat" / "0.png")
    pixels = load("image-folder", str(pictures), 16).train.pixels(np.array([0]))
    assert np.array_equal(pixels, np.full((1, 3, 16, 16), 200))


@pytest.mark.parametrize("content", ["not a picture", "cut"])
def test_an_unreadable_picture_is_named(pictures, content):
    file = pictures / "test" / "dog" / "3.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(file)
    file.write_bytes(file.read_bytes()[:1500] if content == "cut" else content.encode())
    with pytest.raises(StoreError, match=r"test/dog/3\.jpg cannot be read as a picture"):
        load("image-folder", str(pictures), 16).test.pixels(np.arange(10))


def test_a_sixteen_bit_picture_is_refused_rather_than_clipped(pictures):
    Image.fromarray(np.full((20, 20), 3000, np.uint16)).save(pictures / "train" / "cat" / "0.png")
    with pytest.raises(StoreError, match=r"cat/0\.png has more than 8 bits"):
        load("image-folder", str(pictures), 16).train.pixels(np.array([0]))


def test_classes_that_differ_between_the_parts_are_named(pictures):
    (pictures / "test" / "dog").rename(pictures / "test" / "wolf")
    with pytest.raises(StoreError, match="only in train: dog; only in test: wolf"):
        load("image-folder", str(pictures), 16)


def test_an_empty_class_and_a_missing_part_are_named(pictures):
    for file in (pictures / "test" / "cat").iterdir():
        file.unlink()
    with pytest.raises(StoreError, match=r"no pictures in .*test/cat"):
        load("image-folder", str(pictures), 16)
    (pictures / "test").rename(pictures / "val")
    with pytest.raises(StoreError, match="test not found"):
        load("image-folder", str(pictures), 16)
