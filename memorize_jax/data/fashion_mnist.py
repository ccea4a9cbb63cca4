"""Fashion-MNIST from local idx files: 60,000 + 10,000 images of 28 x 28, 10 classes."""

import gzip
import math
import pathlib
import zlib

import numpy as np

from memorize_jax.data import tfds_sources
from memorize_jax.data.splits import Split, Splits

DEBIAN_FOLDER = "/usr/share/datasets/fashion-mnist"
FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
# Of the small copy: testing must not take longer than training on a subset.
SMALL_TEST = 2000
HOW_TO_GET = (
    "install Debian's package dataset-fashion-mnist (apt-get install dataset-fashion-mnist), or give the folder with "
    "the four idx files as --data_dir"
)


def _find(folder: pathlib.Path, stem: str, name: str, how_to_get: str) -> pathlib.Path:
    for path in (folder / f"{stem}.gz", folder / stem):
        if path.is_file():
            return path
    raise FileNotFoundError(f"{name}: no {stem}[.gz] in {folder}; {how_to_get}")


def read_idx(path: pathlib.Path) -> np.ndarray:
    """Reads one idx file of unsigned bytes, compressed or not.

    Args:
      path: the file.

    Returns:
      uint8 array of the shape the header states.

    Raises:
      ValueError: not an idx file of bytes, or shorter or longer than its header says.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as stream:
            content = stream.read()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path}: damaged gzip file ({error})") from error
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        raise ValueError(f"{path}: expected an idx file of unsigned bytes, got header {content[:4]!r}")
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise ValueError(f"{path}: expected a header of {start} bytes, got {len(content)}")
    shape = tuple(np.frombuffer(content[4:start], ">u4").tolist())
    if len(content) - start != math.prod(shape):
        raise ValueError(f"{path}: expected {math.prod(shape)} bytes after the header, got {len(content) - start}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def load_idx_files(folder: pathlib.Path, name: str, how_to_get: str) -> Splits:
    """Loads a data set in MNIST's format.

    Args:
      folder: with the four idx files (.gz or not).
      name: of the data set.
      how_to_get: the files, for the error message.

    Returns:
      Splits with images [n, 28, 28, 1] uint8.

    Raises:
      FileNotFoundError: a file is missing; says where it was looked for and how to get it.
      ValueError: a file is damaged.
    """
    paths = {split: [_find(folder, stem, name, how_to_get) for stem in stems] for split, stems in FILES.items()}

    def read(split):
        images, labels = (read_idx(path) for path in paths[split])
        if images.ndim != 3 or labels.shape != images.shape[:1] or labels.max(initial=0) > 9:
            raise ValueError(
                f"{folder}: images {images.shape} and labels {labels.shape} of {split} do not belong together"
            )
        return Split(images[..., None], labels.astype(np.int32), 10, name)

    return Splits(read("train"), read("test"))


def load_fashion_mnist(data_dir: str | None = None) -> Splits:
    """Loads Fashion-MNIST.

    Args:
      data_dir: folder with the four idx files (.gz or not), or with a copy that TFDS prepared; default where Debian's
        package puts the idx files.

    Returns:
      Splits with images [n, 28, 28, 1] uint8.

    Raises:
      FileNotFoundError: a file is missing; says where it was looked for and how to get it.
      ValueError: a file is damaged.
    """
    folder = pathlib.Path(data_dir or DEBIAN_FOLDER).expanduser()
    has_idx_files = any((folder / f"{FILES['train'][0]}{ending}").is_file() for ending in ("", ".gz"))
    if data_dir and not has_idx_files and tfds_sources.is_prepared("fashion_mnist", data_dir):
        return tfds_sources.load("fashion_mnist", data_dir, by_hand=HOW_TO_GET)
    return load_idx_files(folder, "fashion_mnist", HOW_TO_GET)


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
