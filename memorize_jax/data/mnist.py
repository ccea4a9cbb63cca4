"""MNIST: 60,000 + 10,000 images of 28 x 28, 10 classes."""

from memorize_jax.data import tfds_sources
from memorize_jax.data.downloads import data_folder, find, missing
from memorize_jax.data.fashion_mnist import load_idx_files, wanted_files
from memorize_jax.data.splits import Splits


def load_mnist(data_dir: str | None = None) -> Splits:
    """Loads MNIST, from its four idx files if they lie in `data_dir`, else by TFDS.

    Args:
      data_dir: folder with the idx files (.gz or not), or above torchvision's MNIST/raw, or with a prepared TFDS copy;
        default TFDS's own.

    Returns:
      Splits with images [n, 28, 28, 1] uint8.

    Raises:
      FileNotFoundError: not there and not to be had; says what was looked for and how to get it.
      ValueError: a damaged file.
    """
    advice = "put its four idx files (train-images-idx3-ubyte.gz, ...; no npz, no table) there"
    wanted = wanted_files(advice, "MNIST/raw", "mnist")
    folder = data_folder(data_dir)
    found = find(wanted, folder)
    if found is not None:
        return load_idx_files(found.parent, "mnist", advice)
    return tfds_sources.load("mnist", data_dir, by_hand=missing(wanted, folder))
