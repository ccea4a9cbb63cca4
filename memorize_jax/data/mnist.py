"""MNIST: 60,000 + 10,000 images of 28 x 28, 10 classes."""

from memorize_jax.data import tfds_sources
from memorize_jax.data.downloads import data_folder, placed_by_hand
from memorize_jax.data.fashion_mnist import FILES, load_idx_files
from memorize_jax.data.splits import Splits


def load_mnist(data_dir: str | None = None) -> Splits:
    """Loads MNIST, from its four idx files if they lie in `data_dir`, else by TFDS.

    Args:
      data_dir: folder with the idx files (.gz or not) or a prepared TFDS copy; default TFDS's own.

    Returns:
      Splits with images [n, 28, 28, 1] uint8.

    Raises:
      FileNotFoundError: not there and not to be had; says how to get it.
      ValueError: a damaged file.
    """
    first = FILES["train"][0]
    found = placed_by_hand(data_dir, f"{first}.gz") or placed_by_hand(data_dir, first)
    by_hand = f"put its four idx files ({first}.gz, ...) there"
    if found is None:
        return tfds_sources.load("mnist", data_dir, by_hand=by_hand)
    return load_idx_files(found.parent, "mnist", f"{by_hand} ({data_folder(data_dir)})")
