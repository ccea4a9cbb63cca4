"""MNIST and Fashion-MNIST from their idx files: 60,000 + 10,000 images of 28 x 28, 10 classes."""

import contextlib
import math
import pathlib
from collections.abc import Iterator
from typing import IO

import numpy as np
from jaxtyping import UInt8

from memorize_jax import memory
from memorize_jax.data import tfds_sources
from memorize_jax.data.downloads import Wanted, data_folder, find, missing, opened, seen
from memorize_jax.data.splits import Split, Splits, check_split

DEBIAN_FOLDER = "/usr/share/datasets/fashion-mnist"
FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
# The same names hold MNIST and Fashion-MNIST; their first training labels tell which.
FIRST_LABELS = {"mnist": [5, 0, 4, 1, 9, 2, 1, 3, 1, 4], "fashion_mnist": [9, 0, 0, 3, 0, 2, 7, 2, 5, 5]}
# Of the small copy: testing must not take longer than training on a subset.
SMALL_TEST = 2000


def _names(stem):
    # As published or with a dot, as some programs unpack them; each compressed or not.
    return [name + ending for ending in (".gz", "") for name in (stem, stem.replace("-idx", ".idx"))]


def _wanted(advice: str, *below: str) -> Wanted:
    names = tuple(name for stems in FILES.values() for stem in stems for name in _names(stem))
    return Wanted(names, advice, "mnist", (*below, "raw"), inside=names)


# The folders are those of torchvision (the first, with raw in it) and of Keras.
WANTED = {
    "mnist": _wanted(
        "put its four idx files (train-images-idx3-ubyte.gz, ...; no npz, no table) there", "MNIST/raw", "mnist"
    ),
    "fashion_mnist": _wanted(
        "install Debian's package dataset-fashion-mnist (apt-get install dataset-fashion-mnist), or give the folder "
        "with the four idx files (no npz, no table) as --data_dir",
        "FashionMNIST/raw",
        "fashion-mnist",
    ),
}


@contextlib.contextmanager
def _idx(path: pathlib.Path) -> Iterator[tuple[IO[bytes], tuple[int, ...]]]:
    """Opens an idx file; gives the stream behind its header, and the shape that the header states."""
    with opened(path, "gzip file") as stream:
        start = stream.read(4)
        sizes = stream.read(4 * start[-1]) if start else b""
        if len(start) < 4 or start[:3] != b"\0\0\x08" or start[3] > 4 or len(sizes) < 4 * start[3]:
            raise ValueError(f"{path}: expected an idx file of unsigned bytes, got header {start + sizes[:16]!r}")
        yield stream, tuple(np.frombuffer(sizes, ">u4").tolist())


def read_idx(path: pathlib.Path) -> UInt8[np.ndarray, "..."]:
    """Reads one idx file of unsigned bytes, compressed or not; the header states its shape."""
    with _idx(path) as (stream, shape):
        size = math.prod(shape)
        memory.check_fits(f"{path}: an array {list(shape)}", size, "is it the right file?")
        # One byte more shows a file that is too long; and at the end gzip compares its checksum.
        content = stream.read(size + 1)
    if len(content) != size:
        more = " or more" if len(content) > size else ""
        raise ValueError(f"{path}: expected {size} bytes after the header, got {len(content)}{more}")
    return np.frombuffer(content, np.uint8).reshape(shape)


def load(name: str, data_dir: str | None = None) -> Splits:
    """Loads mnist or fashion_mnist [n, 28, 28, 1] from idx files if they are there, else by TFDS.

    Fashion-MNIST is by default that of Debian's package; TFDS only reads a copy that it has prepared before.
    """
    wanted, is_fashion = WANTED[name], name == "fashion_mnist"
    folder = data_folder(data_dir or (DEBIAN_FOLDER if is_fashion else None))
    found = find(wanted, folder)
    if found is None:
        by_hand = missing(wanted, folder)
        if is_fashion and not (data_dir and tfds_sources.is_prepared(name, data_dir)):
            raise FileNotFoundError(f"{name}: no data in {folder}; {by_hand}")
        return tfds_sources.load(name, data_dir, by_hand=by_hand)

    def path_of(stem):
        for path in (found / file for file in _names(stem)):
            if path.is_file():
                return path
        raise FileNotFoundError(f"{name}: no {stem}[.gz] in {found}; {wanted.advice} (the folder {seen(found)})")

    paths = {part: [path_of(stem) for stem in stems] for part, stems in FILES.items()}
    # All headers before any content: a small file may unpack to a very large one.
    for part, (of_images, of_labels) in paths.items():
        with _idx(of_images) as (_, images), _idx(of_labels) as (_, labels):
            if images[1:] != (28, 28) or labels != images[:1] or not images[0]:
                got = f"images {list(images)} and labels {list(labels)} of {part} do not belong together"
                raise ValueError(f"{found}: {got}; expected [n, 28, 28] and [n], n >= 1")

    def read(part):
        images, labels = (read_idx(path) for path in paths[part])
        where = f"{found}: images and labels of {part} do not belong together"
        return check_split(Split(images[..., None], labels, 10, name), part, where)

    train = read("train")
    for other, first in FIRST_LABELS.items():
        if other != name and train.labels[: len(first)].tolist() == first:
            raise ValueError(f"{found}: expected {name}, got {other}, whose files have the same names; {wanted.advice}")
    return Splits(train, read("test"))


def load_32(data_dir: str | None = None) -> Splits:
    """Loads Fashion-MNIST in the shape of CIFAR: padded by two black pixels to 32 x 32, three equal channels."""

    def enlarged(split):
        padded = np.pad(split.images, ((0, 0), (2, 2), (2, 2), (0, 0)))
        return split._replace(images=np.repeat(padded, 3, axis=-1), name="fashion_mnist_32")

    return Splits(*map(enlarged, load("fashion_mnist", data_dir)))


def load_14(data_dir: str | None = None) -> Splits:
    """Loads Fashion-MNIST at a size for CPU: means of 2 x 2 pixels [n, 14, 14, 1], the first 2,000 test images."""

    def reduced(split, num):
        blocks = split.images[:num].reshape(-1, 14, 2, 14, 2, 1)
        # Rounded to the nearest: four bytes fit into two.
        pooled = ((blocks.sum(axis=(2, 4), dtype=np.uint16) + 2) // 4).astype(np.uint8)
        return split._replace(images=pooled, labels=split.labels[:num], name="fashion_mnist_14")

    whole = load("fashion_mnist", data_dir)
    return Splits(reduced(whole.train, len(whole.train.labels)), reduced(whole.test, SMALL_TEST))
