"""Small copies of the data sets that come as one archive, in their true formats; and what is said of bad ones."""

import io
import pathlib
import tarfile
import zipfile
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import PIL.Image
import pytest

from memorize_jax import data
from memorize_jax.data import cifar, tiny_imagenet
from memorize_jax.data.downloads import POINTER

POINTER_FILE = POINTER + b".github.com/spec/v1\noid sha256:00\nsize 5\n"


def refused(name, data_dir, *words, kind=ValueError):
    """One line with the words, raised as a kind of error."""
    with pytest.raises(kind) as error:
        data.load(name, data_dir=str(data_dir))
    for word in words:
        assert str(word) in str(error.value)
    assert "\n" not in str(error.value)


class Small(NamedTuple):
    """A small data set: files by their names in its folder, (images, labels) of training and test."""

    file: str
    folder: str
    contents: dict[str, bytes]
    splits: tuple
    num_classes: int
    # Takes a monkeypatch; makes the reader expect the small set.
    shrink: Callable
    write: Callable
    # The file that is read last, and another version of the data set.
    last: str
    other: str

    def unpack(self, place: pathlib.Path, contents=None) -> pathlib.Path:
        for name, content in (self.contents if contents is None else contents).items():
            path = place / self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return place / self.folder

    def pack(self, place: pathlib.Path, contents=None, folder=None) -> pathlib.Path:
        place.mkdir(parents=True, exist_ok=True)
        contents = self.contents if contents is None else contents
        named = {f"{folder or self.folder}/{name}": content for name, content in contents.items()}
        # As in the original, files nobody asked for come along; and one that would lie outside.
        self.write(place / self.file, {"../../outside": b"x", "readme.html": b"hello", **named})
        return place / self.file


def write_tar(path, contents):
    with tarfile.open(path, "w:gz") as out:
        for name, content in contents.items():
            info = tarfile.TarInfo(name)
            if content is None:
                info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            info.size = len(content or b"")
            out.addfile(info, io.BytesIO(content or b""))


def write_zip(path, contents):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in contents.items():
            out.writestr(name, content)


def _cifar(name):
    archive = cifar.ARCHIVES[name]._replace(records_per_member=(7, 4))
    rng = np.random.default_rng(0)
    made = {}
    for member in (*archive.train, archive.test):
        num = archive.records_per_member[member == archive.test]
        images = rng.integers(0, 256, (num, 32, 32, 3)).astype(np.uint8)
        labels = rng.integers(0, archive.num_classes, num).astype(np.uint8)
        coarse = b"\x13" if archive.label_bytes == 2 else b""
        # Pixels in the format's order: all red, then green, then blue.
        records = [coarse + bytes([labels[i]]) + images[i].transpose(2, 0, 1).tobytes() for i in range(num)]
        made[member.rpartition("/")[2]] = images, labels, b"".join(records)
    *train, test = made.values()
    return Small(
        archive.file,
        archive.test.partition("/")[0],
        {member: content for member, (_, _, content) in made.items()},
        ([np.concatenate(part) for part in list(zip(*train, strict=True))[:2]], test[:2]),
        archive.num_classes,
        lambda monkeypatch: monkeypatch.setitem(cifar.ARCHIVES, name, archive),
        write_tar,
        archive.test.partition("/")[2],
        archive.file.replace("binary", "python"),
    )


# Not in alphabetical order, as in the original.
CLASSES = ("n02124075", "n01443537", "n03444034")
TEST_CLASSES = ("n03444034", "n01443537", "n01443537", "n02124075")


def picture(seed, side=64, mode="RGB", kind="JPEG"):
    """A flat image of a color of its own: it survives compression."""
    color = np.random.default_rng(seed).integers(0, 256, 3)
    image = PIL.Image.fromarray(np.broadcast_to(color, (side, side, 3)).astype(np.uint8)).convert(mode)
    stream = io.BytesIO()
    image.save(stream, kind, quality=95)
    return stream.getvalue(), np.asarray(image.convert("RGB"))


def _tiny():
    # One of them is gray, as some are in the original.
    train = {f"train/{name}/images/{name}_{i}.JPEG": picture(int(name[1:]) + i) for name in CLASSES for i in range(2)}
    test = {f"val/images/val_{i}.JPEG": picture(i, mode="L" if i == 1 else "RGB") for i in range(4)}
    rows = "".join(f"val_{number}.JPEG\t{name}\t0\t32\t44\t62\n" for number, name in enumerate(TEST_CLASSES))
    texts = {"wnids.txt": "\n".join(CLASSES), "words.txt": "n00001740\tentity\n", "val/val_annotations.txt": rows}
    images = [np.stack([pixels for _, (_, pixels) in sorted(part.items())]) for part in (train, test)]
    labels = np.repeat(np.arange(3), 2), [sorted(CLASSES).index(name) for name in TEST_CLASSES]
    sizes = {"NUM_CLASSES": 3, "TRAIN_PER_CLASS": 2, "NUM_TEST": 4}
    return Small(
        "tiny-imagenet-200.zip",
        "tiny-imagenet-200",
        {name: jpeg for name, (jpeg, _) in (train | test).items()}
        | {name: text.encode() for name, text in texts.items()},
        tuple(zip(images, labels, strict=True)),
        3,
        lambda monkeypatch: [monkeypatch.setattr(tiny_imagenet, name, size) for name, size in sizes.items()],
        write_zip,
        "val/images/val_3.JPEG",
        "tiny-imagenet-100.zip",
    )


SMALL = {"cifar10": _cifar("cifar10"), "cifar100": _cifar("cifar100"), "tiny_imagenet": _tiny()}
