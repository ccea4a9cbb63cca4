"""CIFAR-10 and CIFAR-100: 50,000 + 10,000 images of 32 x 32 x 3 in 10 or 100 classes."""

import pathlib
import posixpath
import tarfile
from typing import NamedTuple

import numpy as np

from memorize_jax.data import tfds_sources
from memorize_jax.data.downloads import Wanted, data_folder, find, listed, missing, opened, unpacked_file
from memorize_jax.data.splits import Split, Splits

SOURCE = "https://www.cs.toronto.edu/~kriz"
PIXELS = 3 * 32 * 32


class Archive(NamedTuple):
    """An archive in the "binary version" format.

    Attributes:
      train: members with training records, in order.
      records_per_member: of training, of test.
      label_bytes: before the pixels of each record; the last is the label, a first one of two is the coarse label.
    """

    file: str
    train: tuple[str, ...]
    test: str
    records_per_member: tuple[int, int]
    label_bytes: int
    num_classes: int


ARCHIVES = {
    "cifar10": Archive(
        "cifar-10-binary.tar.gz",
        tuple(f"cifar-10-batches-bin/data_batch_{number}.bin" for number in range(1, 6)),
        "cifar-10-batches-bin/test_batch.bin",
        records_per_member=(10_000, 10_000),
        label_bytes=1,
        num_classes=10,
    ),
    "cifar100": Archive(
        "cifar-100-binary.tar.gz",
        ("cifar-100-binary/train.bin",),
        "cifar-100-binary/test.bin",
        records_per_member=(50_000, 10_000),
        label_bytes=2,
        num_classes=100,
    ),
}


def _members(path: pathlib.Path, sizes: dict[str, int]) -> dict[str, bytes]:
    found, names = {}, []
    # As a stream: going back to a member would unpack everything before it again. By gzip, because tarfile does
    # not compare the checksum of what it unpacks; gzip does, at the end.
    with opened(path, "archive") as unpacked, tarfile.open(fileobj=unpacked, mode="r|") as archive:
        for member in archive:
            # An archive that was packed again may have ./ before its names.
            name = posixpath.normpath(member.name)
            names.append(name)
            if name not in sizes:
                continue
            content = archive.extractfile(member) if member.isfile() else None
            if content is None or member.size != sizes[name]:
                got = f"{'a file' if content else 'something else'} of {member.size}"
                raise ValueError(f"{path}: expected {name} to be a file of {sizes[name]} bytes, got {got}")
            found[name] = content.read()
        while unpacked.read(1 << 20):
            pass
    absent = [name for name in sizes if name not in found]
    if absent:
        got = f"none named {', '.join(absent)}; it holds {listed(names)}"
        raise ValueError(f"{path}: expected the members {', '.join(sizes)}, got {got}")
    return found


def _files(folder: pathlib.Path, sizes: dict[str, int]) -> dict[str, bytes]:
    paths = {name: unpacked_file(folder, posixpath.basename(name), "the archive") for name in sizes}
    for name, path in paths.items():
        if path.stat().st_size != sizes[name]:
            raise ValueError(f"{folder}: expected {path.name} to have {sizes[name]} bytes, got {path.stat().st_size}")
    return {name: path.read_bytes() for name, path in paths.items()}


def load(name: str, data_dir: str | None = None) -> Splits:
    """Loads images [n, 32, 32, 3] and fine labels from an archive or the folder in it if one is there, else by TFDS.

    The order of the archive is also TFDS's order by id. Nothing is extracted.
    """
    archive, folder = ARCHIVES[name], data_folder(data_dir)
    inside, _, test = archive.test.partition("/")
    wanted = Wanted(
        # The archive first: it has a checksum.
        (archive.file, archive.file.removesuffix(".gz"), inside, test),
        f"put the binary version (not the python or Matlab version), {SOURCE}/{archive.file}, there as it is",
        "cifar",
        inside=(test,),
    )
    path = find(wanted, folder)
    if path is None:
        return tfds_sources.load(name, data_dir, by_hand=missing(wanted, folder))
    length = archive.label_bytes + PIXELS
    num_train, num_test = archive.records_per_member
    sizes = dict.fromkeys(archive.train, num_train * length) | {archive.test: num_test * length}
    members = _files(path, sizes) if path.is_dir() else _members(path, sizes)

    def split(names):
        records = np.frombuffer(b"".join(members[name] for name in names), np.uint8).reshape(-1, length)
        labels = records[:, archive.label_bytes - 1].astype(np.int32)
        if labels.max() >= archive.num_classes:
            raise ValueError(f"{path}: expected labels below {archive.num_classes}, got {labels.max()}")
        images = records[:, archive.label_bytes :].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        return Split(np.ascontiguousarray(images), labels, archive.num_classes, name)

    return Splits(split(archive.train), split([archive.test]))
