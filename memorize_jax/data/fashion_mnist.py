"""Fashion-MNIST from local idx files: 60,000 + 10,000 images of 28 x 28, 10 classes."""

import contextlib
import gzip
import math
import pathlib
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from memorize_jax import memory
from memorize_jax.data import tfds_sources
from memorize_jax.data.downloads import GZIP, Wanted, data_folder, find, first_bytes, missing, seen
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
HOW_TO_GET = (
    "install Debian's package dataset-fashion-mnist (apt-get install dataset-fashion-mnist), or give the folder with "
    "the four idx files (no npz, no table) as --data_dir"
)


def _names(stem):
    """A file's names: as published or with a dot, as some programs unpack it; each compressed or not."""
    return [name + ending for ending in (".gz", "") for name in (stem, stem.replace("-idx", ".idx"))]


def wanted_files(advice: str, *below: str) -> Wanted:
    """The four idx files; torchvision keeps them in a folder `raw`, others in the folders `below`."""
    names = (name for stems in FILES.values() for stem in stems for name in _names(stem))
    return Wanted(tuple(names), advice, "mnist", (*below, "raw"))


@contextlib.contextmanager
def _opened(path: pathlib.Path) -> Iterator[tuple[BinaryIO, tuple[int, ...]]]:
    """Opens an idx file; gives the stream behind its header, and the shape that the header states."""
    opener = gzip.open if first_bytes(path).startswith(GZIP) or path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as stream:
            start = stream.read(4)
            sizes = stream.read(4 * start[-1]) if start else b""
            if len(start) < 4 or start[:3] != b"\0\0\x08" or start[3] > 4 or len(sizes) < 4 * start[3]:
                raise ValueError(f"{path}: expected an idx file of unsigned bytes, got header {start + sizes[:16]!r}")
            yield stream, tuple(np.frombuffer(sizes, ">u4").tolist())
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path}: damaged gzip file ({error})") from error


def read_idx(path: pathlib.Path) -> np.ndarray:
    """Reads one idx file of unsigned bytes, compressed or not.

    Args:
      path: the file.

    Returns:
      uint8 array of the shape the header states.

    Raises:
      ValueError: not an idx file of bytes, too large for memory, or shorter or longer than its header says.
    """
    with _opened(path) as (stream, shape):
        size = math.prod(shape)
        memory.check_fits(f"{path}: an array {list(shape)}", size, "is it the right file?")
        # One byte more shows a file that goes on, however long; and at the end gzip compares its checksum.
        content = stream.read(size + 1)
    if len(content) != size:
        more = " or more" if len(content) > size else ""
        raise ValueError(f"{path}: expected {size} bytes after the header, got {len(content)}{more}")
    return np.frombuffer(content, np.uint8).reshape(shape)


def load_idx_files(folder: pathlib.Path, name: str, how_to_get: str) -> Splits:
    """Loads a data set in MNIST's format.

    Args:
      folder: with the four idx files (.gz or not).
      name: of the data set.
      how_to_get: the files, for the error message.

    Returns:
      Splits with images [n, 28, 28, 1] uint8.

    Raises:
      FileNotFoundError: a file is missing; says what is there and how to get it.
      ValueError: a file is damaged, or they are not of this data set.
    """

    def path_of(stem):
        for path in (folder / file for file in _names(stem)):
            if path.is_file():
                return path
        raise FileNotFoundError(f"{name}: no {stem}[.gz] in {folder}; {how_to_get} (the folder {seen(folder)})")

    paths = {split: [path_of(stem) for stem in stems] for split, stems in FILES.items()}
    # All headers before any content: a small file may unpack to a very large one.
    for split, (of_images, of_labels) in paths.items():
        with _opened(of_images) as (_, images), _opened(of_labels) as (_, labels):
            if images[1:] != (28, 28) or labels != images[:1] or not images[0]:
                raise ValueError(
                    f"{folder}: images {list(images)} and labels {list(labels)} of {split} do not belong together; "
                    "expected [n, 28, 28] and [n], n >= 1"
                )

    def read(split):
        images, labels = (read_idx(path) for path in paths[split])
        where = f"{folder}: images and labels of {split} do not belong together"
        return check_split(Split(images[..., None], labels, 10, name), split, where)

    train = read("train")
    for other, first in FIRST_LABELS.items():
        if other != name and train.labels[: len(first)].tolist() == first:
            raise ValueError(f"{folder}: expected {name}, got {other}, whose files have the same names; {how_to_get}")
    return Splits(train, read("test"))


def load_fashion_mnist(data_dir: str | None = None) -> Splits:
    """Loads Fashion-MNIST.

    Args:
      data_dir: folder with the four idx files (.gz or not), or above torchvision's FashionMNIST/raw or Keras'
        fashion-mnist, or with a copy that TFDS prepared; default where Debian's package puts the idx files.

    Returns:
      Splits with images [n, 28, 28, 1] uint8.

    Raises:
      FileNotFoundError: a file is missing; says what was looked for, where, and how to get it.
      ValueError: a file is damaged.
    """
    wanted = wanted_files(HOW_TO_GET, "FashionMNIST/raw", "fashion-mnist")
    folder = data_folder(data_dir or DEBIAN_FOLDER)
    found = find(wanted, folder)
    if found is not None:
        return load_idx_files(found.parent, "fashion_mnist", HOW_TO_GET)
    if data_dir and tfds_sources.is_prepared("fashion_mnist", data_dir):
        return tfds_sources.load("fashion_mnist", data_dir, by_hand=HOW_TO_GET)
    raise FileNotFoundError(f"fashion_mnist: no {FILES['train'][0]}[.gz] in {folder}; {missing(wanted, folder)}")


def load_fashion_mnist_32(data_dir: str | None = None) -> Splits:
    """Loads Fashion-MNIST in the shape of CIFAR: padded by two black pixels to 32 x 32, three equal channels.

    Args:
      data_dir: see `load_fashion_mnist`.

    Returns:
      Splits with images [n, 32, 32, 3] uint8.
    """

    def enlarged(split):
        padded = np.pad(split.images, ((0, 0), (2, 2), (2, 2), (0, 0)))
        return split._replace(images=np.repeat(padded, 3, axis=-1), name="fashion_mnist_32")

    return Splits(*map(enlarged, load_fashion_mnist(data_dir)))


def load_fashion_mnist_14(data_dir: str | None = None) -> Splits:
    """Loads Fashion-MNIST at a size for convolutions on a CPU: means of 2 x 2 pixels, the first 2,000 test images.

    Args:
      data_dir: see `load_fashion_mnist`.

    Returns:
      Splits with images [n, 14, 14, 1] uint8.
    """

    def reduced(split, num):
        blocks = split.images[:num].reshape(-1, 14, 2, 14, 2, 1)
        # Rounded to the nearest: four bytes fit into two.
        pooled = ((blocks.sum(axis=(2, 4), dtype=np.uint16) + 2) // 4).astype(np.uint8)
        return split._replace(images=pooled, labels=split.labels[:num], name="fashion_mnist_14")

    whole = load_fashion_mnist(data_dir)
    return Splits(reduced(whole.train, len(whole.train.labels)), reduced(whole.test, SMALL_TEST))
