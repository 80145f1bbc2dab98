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


def stream(part, tmp_path, count):
    """All that comes of the first pictures of a part, in its own order."""
    settings = {"resize": 16, "corrupt": "skip"}
    return list(part.stream(np.arange(count), count, settings, tmp_path))


def test_pictures_of_every_mode_and_size_become_rgb_squares(pictures):
    found = load("image-folder", str(pictures), 16)
    (block,) = stream(found.train, pictures, 10)
    pixels = block.pixels
    assert found.class_names == ["cat", "dog"]
    assert found.train.labels.tolist() == [0] * 5 + [1] * 5
    assert block.names[:2] == ["cat/0.png", "cat/1.png"]
    assert pixels.shape == (10, 3, 16, 16)
    assert pixels.dtype == np.uint8
    rgba, palette = pixels[6], pixels[7]
    for picture in (rgba, palette):
        assert np.array_equal(picture, np.broadcast_to([[[255]], [[0]], [[0]]], (3, 16, 16)))


def test_a_name_that_is_no_utf_8_can_stand_in_a_table(pictures):
    folder = bytes(pictures / "train" / "cat")
    with open(folder + b"/0\xff.png", "wb") as file:
        file.write((pictures / "train" / "cat" / "0.png").read_bytes())
    (block,) = stream(load("image-folder", str(pictures), 16).train, pictures, 3)
    assert block.names == ["cat/0.png", "cat/0\N{REPLACEMENT CHARACTER}.png", "cat/1.png"]


def test_classes_that_differ_between_the_parts_are_named(pictures):
    (pictures / "test" / "dog").rename(pictures / "test" / "wolf")
    with pytest.raises(StoreError, match="only in train: dog; only in test: wolf"):
        load("image-folder", str(pictures), 16)


def test_an_empty_class_and_a_missing_part_are_named(pictures):
    for file in (pictures / "test" / "cat").iterdir():
        file.unlink()
    with pytest.raises(StoreError, match=r"no pictures in .*test/cat"):
        load("image-folder", str(pictures), 16)
    (pictures / "test").rename(pictures / "validation")
    with pytest.raises(StoreError, match=r"test not found; it needs .*/val/CLASS/\* \(or test/CL"):
        load("image-folder", str(pictures), 16)


def test_the_second_part_may_be_called_val_as_imagenet_calls_it(pictures):
    (pictures / "test").rename(pictures / "val")
    assert len(load("image-folder", str(pictures), 16).test.labels) == 10
