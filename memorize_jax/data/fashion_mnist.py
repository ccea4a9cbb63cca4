"""Fashion-MNIST from local idx files: 60,000 + 10,000 images of 28 x 28, 10 classes."""

import gzip
import math
import pathlib
import zlib

import numpy as np

from memorize_jax.data.splits import Split, Splits

DEBIAN_FOLDER = "/usr/share/datasets/fashion-mnist"
FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
HOW_TO_GET = (
    "install Debian's package dataset-fashion-mnist (apt-get install dataset-fashion-mnist), or give the folder with "
    "the four idx files as --data_dir"
)


def _find(folder: pathlib.Path, stem: str) -> pathlib.Path:
    for name in (f"{stem}.gz", stem):
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"fashion_mnist: no {stem}[.gz] in {folder}; {HOW_TO_GET}")


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


def load_fashion_mnist(data_dir: str | None = None) -> Splits:
    """Loads Fashion-MNIST.

    Args:
      data_dir: folder with the four idx files (.gz or not); default where Debian's package puts them.

    Returns:
      Splits with images [n, 28, 28, 1] uint8.

    Raises:
      FileNotFoundError: a file is missing; says where it was looked for and how to get it.
      ValueError: a file is damaged.
    """
    folder = pathlib.Path(data_dir or DEBIAN_FOLDER).expanduser()
    paths = {split: [_find(folder, stem) for stem in stems] for split, stems in FILES.items()}

    def read(split):
        images, labels = (read_idx(path) for path in paths[split])
        if images.ndim != 3 or labels.shape != images.shape[:1] or labels.max(initial=0) > 9:
            raise ValueError(
                f"{folder}: images {images.shape} and labels {labels.shape} of {split} do not belong together"
            )
        return Split(images[..., None], labels.astype(np.int32), 10, "fashion_mnist")

    return Splits(read("train"), read("test"))
