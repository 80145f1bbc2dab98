"""A stand-in for ImageNet: real JPEG files of many sizes and modes, and the same in shards.

Each is a crop of the photograph that matplotlib ships, tinted, with an item of the shipped
Fashion-MNIST subset pasted large: its class is the picture's, so that networks can learn it.
"""

import io
import json
import tarfile
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from interference.data.sources import load

#: Of every 40 pictures: grey, CMYK, and turned by their EXIF data; the rest are plain RGB.
PERIOD = 40
GREY, CMYK, TURNED = (3, 17), (8,), (12, 29)


@cache
def _photograph() -> Image.Image:
    path = Path(matplotlib.get_data_path(), "sample_data", "grace_hopper.jpg")
    return Image.open(path).convert("RGB")


@cache
def _items() -> tuple[np.ndarray, np.ndarray]:
    """Pixels (n, 28, 28) uint8 and labels (n,) of the shipped test images."""
    test = load("fashion-mnist-subset", None, None).test
    return test.pixels(np.arange(len(test.labels)))[:, 0], test.labels


def class_name(label: int) -> str:
    """A name as ImageNet's are, in the order of the labels: n01440000, n01440001, ..."""
    return f"n{1_440_000 + label:08d}"


def jpeg(label: int, number: int, seed: int) -> bytes:
    """One picture of a class as a JPEG file, sides of 150 to 500 pixels.

    Grey, CMYK, EXIF-turned and progressive ones occur by ``number``; equal arguments give equal
    bytes.
    """
    rng = np.random.default_rng((seed, label, number))
    width, height = (int(side) for side in rng.integers(150, 501, 2))
    photograph = _photograph()
    side = int(rng.integers(100, 400))
    left, top = (int(rng.integers(0, size - side)) for size in photograph.size)
    picture = photograph.crop((left, top, left + side, top + side)).resize((width, height))
    tint = Image.new("RGB", (width, height), tuple(int(v) for v in rng.integers(0, 256, 3)))
    picture = Image.blend(picture, tint, 0.3)

    pixels, labels = _items()
    item = Image.fromarray(rng.choice(pixels[labels == label % 10]))
    size = int(min(width, height) * 0.8)
    item = item.resize((size, size), Image.Resampling.BILINEAR)
    colour = tuple(int(v) for v in np.random.default_rng(label).integers(0, 256, 3))
    picture.paste(colour, ((width - size) // 2, (height - size) // 2), item)

    place, options = number % PERIOD, {}
    if place in TURNED:
        exif = Image.Exif()
        exif[0x0112] = 6  # orientation: turned by a quarter
        options["exif"] = exif
    if place in GREY or place in CMYK:
        picture = picture.convert("L" if place in GREY else "CMYK")
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=75, progressive=number % 7 == 0, **options)
    return content.getvalue()


def pictures(classes: int, per_class: int, seed: int) -> dict[str, list[tuple[int, str, bytes]]]:
    """Part (train or val) → label, file name as ImageNet's and bytes of each picture.

    per_class: of the train part; the val part has a quarter as many, at least one.
    """
    train = [
        (label, f"{class_name(label)}_{number}.JPEG", jpeg(label, number, seed))
        for label in range(classes)
        for number in range(per_class)
    ]
    few = max(1, per_class // 4)
    val = [
        (
            label,
            f"ILSVRC2012_val_{label * few + number + 1:08d}.JPEG",
            jpeg(label, number, seed + 1),
        )
        for label in range(classes)
        for number in range(few)
    ]
    return {"train": train, "val": val}


def make_folder(root: Path, classes: int, per_class: int, seed: int) -> None:
    """Write `pictures` as ImageNet's folders: ROOT/train/CLASS/*.JPEG and ROOT/val/CLASS/*.JPEG.

    classes × per_class training pictures, and a quarter as many in val, at least one a class; all
    are sound. About 5 ms and 15 kB a picture. The dataset `image-folder` reads them.
    """
    for part, entries in pictures(classes, per_class, seed).items():
        for label, name, content in entries:
            folder = root / part / class_name(label)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)


def make_parquet(root: Path, classes: int, per_class: int, seed: int, *, shards: int = 2) -> None:
    """Write `pictures` as Hugging Face's datasets does, in ``shards`` files a part, row groups of
    100: ROOT/data/{train,validation}-*.parquet. The dataset `image-parquet` reads them."""
    folder = root / "data"
    folder.mkdir(parents=True)
    names = [class_name(label) for label in range(classes)]
    info = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}}
    for part, entries in pictures(classes, per_class, seed).items():
        part = {"val": "validation"}.get(part, part)
        for shard in range(shards):
            mine = entries[shard::shards]
            table = pa.table(
                {
                    "image": [{"bytes": content, "path": name} for _, name, content in mine],
                    "label": pa.array([label for label, _, _ in mine], pa.int64()),
                }
            ).replace_schema_metadata({"huggingface": json.dumps(info)})
            path = folder / f"{part}-{shard:05d}-of-{shards:05d}.parquet"
            pq.write_table(table, path, row_group_size=100)


def make_webdataset(
    root: Path, classes: int, per_class: int, seed: int, *, shards: int = 2
) -> None:
    """Write `pictures` as tars of KEY.jpg and KEY.cls, ``shards`` a part:
    ROOT/imagenet-{train,val}-*.tar. The dataset `image-webdataset` reads them."""
    root.mkdir(parents=True)
    for part, entries in pictures(classes, per_class, seed).items():
        for shard in range(shards):
            with tarfile.open(root / f"imagenet-{part}-{shard:04d}.tar", "w") as tar:
                for label, name, content in entries[shard::shards]:
                    key = name.removesuffix(".JPEG")
                    add(tar, f"{key}.jpg", content)
                    add(tar, f"{key}.cls", str(label).encode())


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a file to a tar."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


#: Files of `imagenet` that are no sound pictures, by part: file → what was done to it.
DAMAGED = {
    "train": {
        "n01440000/n01440000_7.JPEG": "truncated",
        "n01440003/n01440003_0.JPEG": "truncated",
        "n01440003/n01440003_30.JPEG": "empty",
        "n01440009/n01440009_39.JPEG": "text",
        "n01440005/n01440005_24.JPEG": "sixteen bits",
    },
    "val": {"n01440002/ILSVRC2012_val_00000025.JPEG": "truncated"},
}


def damage(file: Path, how: str) -> None:
    """Spoil a picture."""
    content = file.read_bytes()
    if how == "sixteen bits":
        Image.fromarray(np.full((300, 300), 3000, np.uint16)).save(file, "PNG")
    else:
        spoilt = {
            "truncated": content[: len(content) * 2 // 3],
            "empty": b"",
            "text": b"no picture",
        }
        file.write_bytes(spoilt[how])
