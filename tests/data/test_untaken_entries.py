"""What a folder of pictures holds and is not taken is named, and refused or skipped as the config says."""

import os
import shutil
import socket

import numpy as np
import pytest

from interference.data.decode import Place, decode_all
from interference.data.errors import DatasetError
from interference.data.sources import load
from tests.support import pictures

pytestmark = pytest.mark.xdist_group("imagenet")

REFUSE, SKIP = ({"resize": 56, "corrupt": how} for how in ("refuse", "skip"))


def spoil_folder(root):
    """One of each that a listing of files and folders passes over; name → what its reason says."""
    cat = root / "train" / pictures.class_name(0)
    (cat / "dangling.JPEG").symlink_to("/nowhere/at/all")
    (cat / "loop.JPEG").symlink_to("loop.JPEG")
    os.mkfifo(cat / "pipe.JPEG")
    server = socket.socket(socket.AF_UNIX)
    here = os.getcwd()
    os.chdir(cat)  # the path of a socket is short
    server.bind("socket.JPEG")
    os.chdir(here)
    server.close()
    (cat / "device.JPEG").symlink_to("/dev/null")
    (cat / "more").mkdir()
    (cat / "more" / "0.JPEG").write_bytes(pictures.jpeg(0, 0, 0))
    (root / "train" / "labels.txt").write_text("stray")
    (root / "val" / "unsorted.JPEG").write_bytes(pictures.jpeg(0, 0, 0))
    for part in ("train", "val"):
        (root / part / "n09999999").symlink_to("/nowhere/class")
    reasons = {
        "dangling.JPEG": "a symbolic link to nothing: /nowhere/at/all",
        "loop.JPEG": "leads back to itself",
        "pipe.JPEG": "named pipe",
        "socket.JPEG": "socket",
        "device.JPEG": "device",
        "more": "a folder, whose 1 entries are not taken",
    }
    train = {f"{cat.name}/{name}": reason for name, reason in reasons.items()}
    train |= {"labels.txt": "beside the class folders", "n09999999": "link to nothing"}
    return {
        "train": train,
        "test": {"unsorted.JPEG": "beside the class", "n09999999": "to nothing"},
    }


def test_skip_lists_and_counts_all_that_a_folder_holds_and_is_not_taken(copied, made):
    root = copied("image-folder")
    spoilt = spoil_folder(root)
    rows, manifest = made("image-folder", root, SKIP)
    assert manifest["skipped"] == {part: len(names) for part, names in spoilt.items()}
    listed = {name: reason for name, (_, reason) in rows.items()}
    for names in spoilt.values():
        for name, reason in names.items():
            assert reason in listed[name]
    assert manifest["classes"] == 4


def test_refuse_names_the_first_few_before_anything_is_decoded(copied, made, capfd, tmp_path):
    root = copied("image-folder")
    spoilt = spoil_folder(root)
    count = sum(map(len, spoilt.values()))
    with pytest.raises(
        DatasetError, match=rf"^{count} entries of the dataset's folder are not taken"
    ):
        made("image-folder", root, REFUSE)
    log = capfd.readouterr().err
    for names in spoilt.values():
        assert all(name in log for name in names)
    assert "decoded" not in log
    assert not (tmp_path / "store").exists()


def test_a_class_of_which_most_are_links_to_nothing_is_refused(copied, made):
    root = copied("image-folder")
    folder = root / "train" / pictures.class_name(1)
    for file in sorted(folder.iterdir())[:15]:
        file.unlink()
        file.symlink_to("/nowhere")
    with pytest.raises(
        DatasetError, match=r"15 entries.*_0.JPEG \(a symbolic link to nothing.*skip"
    ):
        made("image-folder", root, REFUSE)
    rows, manifest = made("image-folder", root, SKIP, train=70)
    assert len(rows) == manifest["skipped"]["train"] == 15


def test_a_class_of_links_to_nothing_and_too_few_pictures_say_why(copied, made):
    root = copied("image-folder")
    folder = root / "train" / pictures.class_name(1)
    files = sorted(folder.iterdir())
    for file in files[1:]:
        file.unlink()
        file.symlink_to("/nowhere")
    with pytest.raises(
        DatasetError, match=r"has 91 there, and 29 entries that are not taken: .*nowh"
    ):
        made("image-folder", root, SKIP)
    files[0].unlink()
    with pytest.raises(DatasetError, match=r"no pictures in .*; not taken: .*link to nothing"):
        made("image-folder", root, SKIP)


def test_a_class_that_is_a_link_to_nothing_in_one_part_is_explained(copied):
    root = copied("image-folder")
    shutil.rmtree(root / "val" / pictures.class_name(2))
    (root / "val" / pictures.class_name(2)).symlink_to("/nowhere")
    with pytest.raises(
        DatasetError, match=r"only in train: n01440002; not taken of val: n01440002 \(a"
    ):
        load("image-folder", str(root), 16)


def test_a_part_that_is_a_link_to_nothing_does_not_give_way_to_another(copied):
    root = copied("image-folder")
    (root / "val").rename(root / "test")
    (root / "val").symlink_to("/nowhere")
    with pytest.raises(DatasetError, match="val is no folder, or a symbolic link to none"):
        load("image-folder", str(root), 16)


def test_links_to_pictures_and_classes_are_taken(copied, made):
    root = copied("image-folder")
    folder = root / "train" / pictures.class_name(1)
    folder.rename(root / "elsewhere")
    folder.symlink_to(root / "elsewhere")
    file = root / "val" / pictures.class_name(0) / "linked.JPEG"
    file.symlink_to(next(file.parent.iterdir()))
    rows, manifest = made("image-folder", root, REFUSE, train=100, evaluation=29)
    assert rows == {}
    assert manifest["skipped"] == {"train": 0, "test": 0}


def test_names_with_a_dot_are_left_out_and_counted_in_the_log(copied, made, capfd):
    root = copied("image-folder")
    (root / "train" / ".DS_Store").touch()
    (root / "train" / pictures.class_name(0) / "._0.JPEG").symlink_to("/nowhere")
    (root / "val" / ".ipynb_checkpoints").mkdir()
    rows, _ = made("image-folder", root, REFUSE)
    assert rows == {}
    log = capfd.readouterr().err
    assert "train: 2 names that start with a dot are left out" in log
    assert "val: 1 names that start with a dot are left out" in log


def test_what_lies_beside_the_parts_is_named_in_the_log(copied, made, capfd):
    root = copied("image-folder")
    (root / "test").mkdir()
    (root / "README").touch()
    made("image-folder", root, REFUSE)
    assert "train and val are read, not README, test" in capfd.readouterr().err


def test_a_picture_that_nobody_may_read_is_corrupt(tmp_path, monkeypatch):
    def refuse(*arguments):
        raise PermissionError(13, "Permission denied", "a")

    monkeypatch.setattr("builtins.open", refuse)
    assert decode_all([Place("a", "a")], 16, 16).reasons == ["no permission to read it"]


def test_sound_layouts_hold_nothing_that_is_not_taken(layouts):
    for dataset, root in layouts.items():
        found = load(dataset, str(root), 16)
        assert found.untaken == {"train": [], "test": []}
        assert np.bincount(found.train.labels).tolist() == [30] * 4
