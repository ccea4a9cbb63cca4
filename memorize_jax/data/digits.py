"""Handwritten digits that ship inside scikit-learn: 1,797 images of 8 x 8 pixels, 10 classes."""

import numpy as np

from memorize_jax.data.splits import Split, Splits, stratified_split

TEST_FRACTION = 0.2
# The source has no split; this seed fixes ours for good.
SPLIT_SEED = 0


def load_digits(data_dir: str | None = None) -> Splits:
    """Loads the digits with a fixed, class-stratified 80/20 split.

    Args:
      data_dir: not used; the data come with scikit-learn.

    Returns:
      Splits with images [n, 8, 8, 1] uint8 in 0 .. 16.
    """
    del data_dir
    from sklearn import datasets

    bundle = datasets.load_digits()
    images = bundle.images.astype(np.uint8)[..., None]
    labels = bundle.target.astype(np.int32)
    train, test = stratified_split(labels, TEST_FRACTION, SPLIT_SEED)
    return Splits(Split(images[train], labels[train], 10, "digits"), Split(images[test], labels[test], 10, "digits"))
