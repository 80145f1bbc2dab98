"""Shards, rows and members that are not taken are named, and refused or skipped as the config says."""

import shutil
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interference.data.errors import DatasetError
from interference.data.sources import load
from interference.data.webdataset import index
from tests.support import pictures

pytestmark = pytest.mark.xdist_group("imagenet")

REFUSE, SKIP = ({"resize": 56, "corrupt": how} for how in ("refuse", "skip"))


# Parquet


def parquets(root):
    return sorted((root / "data").glob("train-*.parquet"))


def test_parquet_shards_that_are_not_taken_are_refused_or_listed(copied, made):
    root = copied("image-parquet")
    first, _ = parquets(root)
    first.unlink()
    first.symlink_to("/nowhere")
    (root / "data" / "train-00002-of-00002.parquet.incomplete").touch()
    (root / "data" / "extra.parquet").touch()
    (root / "data" / "validation").mkdir()
    (root / "cat.jpg").touch()
    with pytest.raises(DatasetError, match=r"^5 entries of the dataset's folder are not taken"):
        made("image-parquet", root, REFUSE)
    rows, manifest = made("image-parquet", root, SKIP, train=40)
    assert manifest["skipped"] == {"train": 4, "test": 1}
    assert "link to nothing" in rows[f"data/{first.name}"][1]
    assert (
        "its name is not train-*.parquet" in rows["data/train-00002-of-00002.parquet.incomplete"][1]
    )
    assert rows["data/extra.parquet"][1] == "its name is of neither part"
    assert rows["cat.jpg"][0] == "train"
    assert rows["data/validation"] == ("test", "a folder, whose 0 entries are not taken")


def test_what_a_hub_keeps_beside_parquet_is_only_logged(copied, made, capfd):
    root = copied("image-parquet")
    for name in ("README.md", "classes.py", "dataset_infos.json", ".gitattributes"):
        (root / name).write_text("words")
    shutil.copy(parquets(root)[0], root / "data" / "test-00000-of-00001.parquet")
    rows, _ = made("image-parquet", root, REFUSE)
    assert rows == {}
    assert "README.md, classes.py, dataset_infos.json, test-0000" in capfd.readouterr().err


def test_a_missing_parquet_shard_is_known_by_the_names_of_the_others(copied, made):
    root = copied("image-parquet")
    parquets(root)[0].unlink()
    with pytest.raises(
        DatasetError, match=r"1 entries.*data/train-00000-of-00002.parquet \(no such"
    ):
        made("image-parquet", root, REFUSE)


def test_shards_in_two_folders_are_not_silently_those_of_one(copied, made):
    root = copied("image-parquet")
    shutil.copy(parquets(root)[0], root / "train-00000-of-00001.parquet")
    rows, _ = made("image-parquet", root, SKIP, train=40)
    assert rows.keys() == {f"data/{file.name}" for file in parquets(root)}
    assert f"the shards in {root} are read" in rows[f"data/{parquets(root)[0].name}"][1]


def test_a_parquet_shard_without_rows_is_named(copied, made):
    root = copied("image-parquet")
    first, second = parquets(root)
    schema = pq.read_schema(first)
    pq.write_table(schema.empty_table(), first)
    with pytest.raises(DatasetError, match=r"train-00000-of-00002\.parquet \(it has no rows"):
        made("image-parquet", root, REFUSE)
    rows, _ = made("image-parquet", root, SKIP, train=40)
    assert rows[first.name] == ("train", "it has no rows")
    pq.write_table(schema.empty_table(), second)
    with pytest.raises(DatasetError, match="there are no rows"):
        load("image-parquet", str(root), 16)


def test_a_part_with_no_parquet_that_can_be_read_says_why(copied):
    root = copied("image-parquet")
    for file in parquets(root):
        file.unlink()
        file.symlink_to("/nowhere")
    with pytest.raises(DatasetError, match=r"no train-\*.parquet in .*data can be read: .*nowhere"):
        load("image-parquet", str(root), 16)


def test_parquet_files_that_name_classes_otherwise_are_refused(copied):
    root = copied("image-parquet")
    file = next((root / "data").glob("validation-*"))
    table = pq.read_table(file)
    metadata = {
        key: value.replace(b"n01440000", b"n7") for key, value in table.schema.metadata.items()
    }
    pq.write_table(table.replace_schema_metadata(metadata), file)
    with pytest.raises(DatasetError, match=r"name the classes otherwise \(n01440000.*; n7"):
        load("image-parquet", str(root), 16)


def test_a_parquet_picture_without_bytes_is_listed(copied, made):
    root = copied("image-parquet")
    file = parquets(root)[0]
    table = pq.read_table(file)
    images = table["image"].to_pylist()
    images[3] = None
    schema = table.schema
    table = table.set_column(0, "image", pa.array(images, schema.field("image").type))
    pq.write_table(table.replace_schema_metadata(schema.metadata), file)
    rows, _ = made("image-parquet", root, SKIP, train=100)
    assert rows == {f"{file.name}:3": ("train", "no bytes")}


# webdataset


def tars(root):
    return sorted(root.glob("imagenet-train-*.tar"))


def test_tars_that_are_not_taken_are_refused_or_listed(copied, made):
    root = copied("image-webdataset")
    first, _ = tars(root)
    first.unlink()
    first.symlink_to("/nowhere")
    for name in (
        "imagenet-train-0002.tar.gz",
        "imagenet-train.tar",
        "others-7.tar",
        "imagenet-val-0003.tar.part",
    ):
        (root / name).touch()
    with pytest.raises(DatasetError, match=r"^5 entries of the dataset's folder are not taken"):
        made("image-webdataset", root, REFUSE)
    rows, manifest = made("image-webdataset", root, SKIP, train=40)
    assert manifest["skipped"] == {"train": 4, "test": 1}
    assert "link to nothing" in rows[first.name][1]
    assert rows["imagenet-train-0002.tar.gz"][1] == "its name is not *train*-NNNN.tar"
    assert rows["others-7.tar"][1] == "its name is of neither part"
    assert rows["imagenet-val-0003.tar.part"][0] == "test"


def test_a_gap_in_the_numbers_of_tars_is_named_and_a_stretch_of_them_is_none(copied, made):
    root = copied("image-webdataset")
    _, second = tars(root)
    second = second.rename(root / "imagenet-train-0003.tar")
    with pytest.raises(DatasetError, match=r"2 entries.*-0001.tar \(no such file.*train-0002.tar"):
        made("image-webdataset", root, REFUSE)
    tars(root)[0].unlink()
    rows, _ = made("image-webdataset", root, REFUSE, train=40)
    assert rows == {}


def test_a_tar_of_both_parts_is_refused(copied):
    root = copied("image-webdataset")
    shutil.copy(tars(root)[0], root / "train-val-0000.tar")
    with pytest.raises(DatasetError, match=r"train-val-0000.tar is named for both parts"):
        load("image-webdataset", str(root), 16)


def append(path, **members):
    with tarfile.open(path, "a") as tar:
        for name, content in members.items():
            pictures.add(tar, name.replace("__", "."), content)


def test_members_that_are_not_taken_are_refused_or_listed(copied, made, capfd):
    root = copied("image-webdataset")
    tar = tars(root)[0]
    content = pictures.jpeg(0, 0, 0)
    append(
        tar,
        lonely__jpg=content, word__jpg=content, word__cls=b"cat", label__cls=b"1",
        other__webp=content, n__v1__jpg=content, n__v1__cls=b"1", __DS_Store=b"x",
    )  # fmt: skip
    with tarfile.open(tar, "a") as file:
        link = tarfile.TarInfo("link.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "lonely.jpg"
        file.addfile(link)
    with pytest.raises(DatasetError, match=r"^7 entries of the dataset's folder are not taken"):
        made("image-webdataset", root, REFUSE)
    rows, manifest = made("image-webdataset", root, SKIP, train=100)
    assert manifest["skipped"] == {"train": 7, "test": 0}
    reasons = {name.partition("/")[2]: reason for name, (_, reason) in rows.items()}
    for name in ("lonely.jpg", "word.jpg"):
        assert reasons[name] == "a picture without a label that is a whole number"
    assert reasons["label"] == "a label without a picture that is jpg, jpeg, png"
    for name in ("other.webp", "n.v1.jpg", "n.v1.cls"):
        assert reasons[name] == "neither a picture nor a label of one"
    assert reasons["link.jpg"] == "a link or a device in a tar"
    assert "1 members whose names start with a dot are left out" in capfd.readouterr().err


def offsets(path):
    """Where each member of a tar starts, and where the last ends."""
    with tarfile.open(path) as tar:
        return [member.offset for member in tar.getmembers()] + [tar.offset]


def test_a_damaged_header_within_a_tar_does_not_end_it_without_a_word(copied):
    tar = tars(copied("image-webdataset"))[0]
    content, places = bytearray(tar.read_bytes()), offsets(tar)
    content[places[6]] ^= 1
    tar.write_bytes(content)
    with pytest.raises(
        DatasetError, match=rf"is damaged \(byte {places[6]:,} starts neither a member"
    ):
        index(tar)


def test_a_tar_cut_between_two_members_is_named(copied, made):
    root = copied("image-webdataset")
    tar = tars(root)[0]
    tar.write_bytes(tar.read_bytes()[: offsets(tar)[6]])
    with pytest.raises(
        DatasetError, match=rf"1 entries.*{tar.name} \(the tar has no mark at its end"
    ):
        made("image-webdataset", root, REFUSE)


def test_tars_one_after_another_in_a_file_are_named(copied):
    first, second = tars(copied("image-webdataset"))
    count = len(index(first).labels)
    first.write_bytes(first.read_bytes() + second.read_bytes())
    found = index(first)
    assert len(found.labels) == count
    assert found.untaken == [
        ("", "more follows the tar's end: are these several, one after another?")
    ]
