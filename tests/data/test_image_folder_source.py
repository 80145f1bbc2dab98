"""A folder of pictures of any mode and size becomes RGB squares."""

import shutil

import numpy as np
import pytest
from PIL import Image

from interference.data.errors import DatasetError
from interference.data.sources import load

pytestmark = pytest.mark.xdist_group("imagenet")


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
    with pytest.raises(DatasetError, match="only in train: dog; only in test: wolf"):
        load("image-folder", str(pictures), 16)


def test_an_empty_class_and_a_missing_part_are_named(pictures):
    for file in (pictures / "test" / "cat").iterdir():
        file.unlink()
    with pytest.raises(DatasetError, match=r"no pictures in .*test/cat"):
        load("image-folder", str(pictures), 16)
    (pictures / "test").rename(pictures / "validation")
    with pytest.raises(
        DatasetError, match=r"test not found; it needs .*/val/CLASS/\* \(or test/CL"
    ):
        load("image-folder", str(pictures), 16)


def test_the_second_part_may_be_called_val_as_imagenet_calls_it(pictures):
    (pictures / "test").rename(pictures / "val")
    assert len(load("image-folder", str(pictures), 16).test.labels) == 10


# Folders one level off


def test_a_single_class_is_refused_and_told_where_classes_may_lie(pictures):
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            target = pictures / part / "photos" / name
            target.parent.mkdir(exist_ok=True)
            (pictures / part / name).rename(target)
    with pytest.raises(
        DatasetError,
        match=r"train has one class folder, photos, and .* at least two classes .*; photos itself "
        r"holds the folders cat, dog: .*one level too high.*train/CLASS",
    ):
        load("image-folder", str(pictures), 16)


def test_a_class_folder_of_all_pictures_is_refused(pictures):
    for part in ("train", "test"):
        shutil.rmtree(pictures / part / "dog")
    with pytest.raises(
        DatasetError, match=r"one class folder, cat, .*sort its pictures into one folde"
    ):
        load("image-folder", str(pictures), 16)


def test_pictures_without_class_folders_are_told(pictures):
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            for file in (pictures / part / name).iterdir():
                file.rename(pictures / part / f"{name}{file.name}")
            (pictures / part / name).rmdir()
    with pytest.raises(
        DatasetError, match=r"no class folders; .*at least two; not taken: .*cat0.png"
    ):
        load("image-folder", str(pictures), 16)


def test_parts_that_repeat_their_name_are_told_by_what_they_hold(pictures):
    for part in ("train", "test"):
        (pictures / part).rename(pictures / "moved")
        (pictures / part).mkdir()
        (pictures / "moved").rename(pictures / part / part)
    with pytest.raises(
        DatasetError, match=r"one class folder, train, .*train itself holds the folders"
    ):
        load("image-folder", str(pictures), 16)


def test_a_root_one_level_off_is_told_where_the_parts_lie(pictures):
    root = pictures / "set"
    root.mkdir()
    for part in ("train", "test"):
        (pictures / part).rename(root / part)
    with pytest.raises(DatasetError, match=r"one level too high: set there has a train$"):
        load("image-folder", str(pictures), 16)
    with pytest.raises(DatasetError, match=rf"one level too low: give {root}$"):
        load("image-folder", str(root / "train"), 16)
    (root / "train").rename(root / "Train")
    with pytest.raises(DatasetError, match=r"train not found.*; it holds Train, test$"):
        load("image-folder", str(root), 16)


@pytest.mark.parametrize("beside", ["boxes.txt", "README", None])
def test_pictures_one_folder_deeper_are_named_with_an_example(pictures, beside):
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            folder = pictures / part / name
            files = list(folder.iterdir())
            (folder / "images").mkdir()
            for file in files:
                file.rename(folder / "images" / file.name)
            if beside is not None:
                (folder / beside).write_text("cat_0.JPEG 0 0 62 62")
    with pytest.raises(
        DatasetError, match=r"train/cat lie deeper .*train/cat/images/0.png; .*move them"
    ):
        load("image-folder", str(pictures), 16)


def test_a_second_part_without_classes_is_named(pictures):
    (pictures / "test").rename(pictures / "val")
    (pictures / "val" / "cat").rename(pictures / "val" / "images")
    shutil.rmtree(pictures / "val" / "dog")
    with pytest.raises(
        DatasetError, match=r"val has one class folder; sort its pictures into one fold"
    ):
        load("image-folder", str(pictures), 16)


def test_a_folder_beside_pictures_without_an_ending_is_no_deeper_layout(pictures):
    folder = pictures / "train" / "cat"
    for number, file in enumerate(sorted(folder.glob("*.*"))):
        file.rename(folder / f"picture{number}")
    (folder / "thumbs").mkdir()
    (folder / "thumbs" / "0.png").write_bytes((folder / "picture0").read_bytes())
    untaken = load("image-folder", str(pictures), 16).untaken["train"]
    assert untaken == [("cat/thumbs", "a folder, whose 1 entries are not taken")]


# Names of classes

COMPOSED, DECOMPOSED = "caf\N{LATIN SMALL LETTER E WITH ACUTE}", "cafe\N{COMBINING ACUTE ACCENT}"


def test_a_class_in_two_unicode_forms_is_one(pictures, tmp_path):
    (pictures / "train" / "cat").rename(pictures / "train" / COMPOSED)
    (pictures / "test" / "cat").rename(pictures / "test" / DECOMPOSED)
    (pictures / "test" / "dog").rename(pictures / "test" / "cafz")
    (pictures / "train" / "dog").rename(pictures / "train" / "cafz")
    found = load("image-folder", str(pictures), 16)
    assert found.class_names == ["cafz", COMPOSED]
    for part, own in ((found.train, COMPOSED), (found.test, DECOMPOSED)):
        (block,) = stream(part, tmp_path, 10)
        assert len(block.pixels) == 10
        assert block.corrupt == []
        assert {name.rpartition("/")[0] for name in block.names} == {"cafz", own}
        assert (block.pixels[1, 0] == 255).all()  # dogs are red
        assert (block.pixels[6, 2] == 255).all()  # cats are blue


def test_a_class_twice_in_one_part_is_refused(pictures):
    (pictures / "train" / "cat").rename(pictures / "train" / COMPOSED)
    (pictures / "train" / "dog").rename(pictures / "train" / DECOMPOSED)
    with pytest.raises(
        DatasetError, match=rf"the class {COMPOSED} twice, in two Unicode forms: .*u0301"
    ):
        load("image-folder", str(pictures), 16)


@pytest.mark.parametrize("other", ["Dog", "dog ", "DOG", "d\N{NO-BREAK SPACE}og"])
def test_classes_that_differ_by_case_or_spaces_are_told_so(pictures, other):
    (pictures / "test" / "dog").rename(pictures / "test" / other)
    with pytest.raises(
        DatasetError, match=r"differ only in letter case, spaces or .*'dog' and '"
    ) as error:
        load("image-folder", str(pictures), 16)
    assert repr(other) in str(error.value)
