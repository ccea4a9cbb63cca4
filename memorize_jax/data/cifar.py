"""CIFAR-10 and CIFAR-100: 50,000 + 10,000 images of 32 x 32 x 3 in 10 or 100 classes."""

import gzip
import pathlib
import posixpath
import tarfile
import zlib
from typing import NamedTuple

import numpy as np

from memorize_jax.data import tfds_sources
from memorize_jax.data.downloads import GZIP, Wanted, data_folder, find, first_bytes, listed, missing, seen
from memorize_jax.data.splits import Split, Splits

SOURCE = "https://www.cs.toronto.edu/~kriz"
PIXELS = 3 * 32 * 32


class Archive(NamedTuple):
    """What is in one of the two archives in the "binary version" format.

    Attributes:
      name: of the data set.
      file: name of the archive.
      train: members with training records, in order.
      test: member with test records.
      records_per_member: (training, test).
      label_bytes: before the pixels of each record; the last is the label, a first one of two is the coarse label.
      num_classes: P.
    """

    name: str
    file: str
    train: tuple[str, ...]
    test: str
    records_per_member: tuple[int, int]
    label_bytes: int
    num_classes: int


CIFAR10 = Archive(
    "cifar10",
    "cifar-10-binary.tar.gz",
    tuple(f"cifar-10-batches-bin/data_batch_{number}.bin" for number in range(1, 6)),
    "cifar-10-batches-bin/test_batch.bin",
    (10_000, 10_000),
    1,
    10,
)
CIFAR100 = Archive(
    "cifar100",
    "cifar-100-binary.tar.gz",
    ("cifar-100-binary/train.bin",),
    "cifar-100-binary/test.bin",
    (50_000, 10_000),
    2,
    100,
)


def _members(path: pathlib.Path, sizes: dict[str, int]) -> dict[str, bytes]:
    """Reads members of a tar archive by their exact names, after checking their sizes; extracts nothing."""
    found, names = {}, []
    opener = gzip.open if first_bytes(path).startswith(GZIP) else open
    try:
        # As a stream: going back to a member would unpack everything before it again. By gzip, because tarfile does
        # not compare the checksum of what it unpacks; gzip does, at the end.
        with opener(path, "rb") as unpacked, tarfile.open(fileobj=unpacked, mode="r|") as archive:
            for member in archive:
                # An archive that was packed again may have ./ before its names.
                name = posixpath.normpath(member.name)
                names.append(name)
                if name not in sizes:
                    continue
                if not member.isfile() or member.size != sizes[name]:
                    raise ValueError(
                        f"{path}: expected {name} to be a file of {sizes[name]} bytes, got "
                        f"{'a file' if member.isfile() else 'something else'} of {member.size}"
                    )
                found[name] = archive.extractfile(member).read()
            while unpacked.read(1 << 20):
                pass
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path}: damaged archive ({error})") from error
    absent = [name for name in sizes if name not in found]
    if absent:
        raise ValueError(
            f"{path}: expected the members {', '.join(sizes)}, got none named {', '.join(absent)}; it holds "
            f"{listed(names)}"
        )
    return found


def _files(folder: pathlib.Path, sizes: dict[str, int]) -> dict[str, bytes]:
    """Reads the same members where somebody unpacked the archive, after checking their sizes."""
    paths = {name: folder / posixpath.basename(name) for name in sizes}
    for name, path in paths.items():
        if not path.is_file():
            raise ValueError(f"{folder}: expected a file {path.name}; unpack the archive again (it {seen(folder)})")
        first_bytes(path)
        if path.stat().st_size != sizes[name]:
            raise ValueError(f"{folder}: expected {path.name} to have {sizes[name]} bytes, got {path.stat().st_size}")
    return {name: path.read_bytes() for name, path in paths.items()}


def read_archive(path: pathlib.Path, archive: Archive) -> Splits:
    """Reads an archive as it was downloaded, or the folder in it.

    Args:
      path: of the .tar.gz file, or .tar, or of the unpacked folder.
      archive: what it must hold.

    Returns:
      Splits with images [n, 32, 32, 3] uint8, in the order of the files, which is also TFDS's order by id; for
      CIFAR-100 with the fine labels.

    Raises:
      ValueError: damaged, or not this archive.
    """
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
        return Split(np.ascontiguousarray(images), labels, archive.num_classes, archive.name)

    return Splits(split(archive.train), split([archive.test]))


def _load(archive: Archive, data_dir: str | None) -> Splits:
    folder, (inside, _, test) = data_folder(data_dir), archive.test.partition("/")
    # The archive first: it has a checksum. Last a file of the folder, which may have another name.
    wanted = Wanted(
        (archive.file, archive.file.removesuffix(".gz"), inside, test),
        f"put the binary version (not the python or Matlab version), {SOURCE}/{archive.file}, there as it is",
        "cifar",
    )
    path = find(wanted, folder)
    if path is None:
        return tfds_sources.load(archive.name, data_dir, by_hand=missing(wanted, folder))
    return read_archive(path.parent if path.name == test else path, archive)


def load_cifar10(data_dir: str | None = None) -> Splits:
    """Loads CIFAR-10, from the archive or the folder in it if one lies in `data_dir`, else by TFDS.

    Args:
      data_dir: folder with cifar-10-binary.tar.gz (or .tar), with cifar-10-batches-bin (CIFAR-100: cifar-100-binary),
        that folder itself, or with a prepared TFDS copy; default TFDS's own.

    Returns:
      Splits with images [n, 32, 32, 3] uint8.

    Raises:
      FileNotFoundError: not there and not to be had; says how to get it.
      ValueError: a damaged archive or folder.
    """
    return _load(CIFAR10, data_dir)


def load_cifar100(data_dir: str | None = None) -> Splits:
    """Loads CIFAR-100 with its 100 fine labels; the rest is as for `load_cifar10`."""
    return _load(CIFAR100, data_dir)
