"""Handwritten digits that ship inside scikit-learn: 1,797 images of 8 x 8 pixels, 10 classes."""

from typing import Any

import numpy as np

from memorize_jax.data.splits import Split, Splits, stratified_split

TEST_FRACTION = 0.2
# The source has no split; this seed fixes ours for good.
SPLIT_SEED = 0


def load(data_dir: str | None = None) -> Splits:
    """Loads the digits, [n, 8, 8, 1] uint8 in 0 .. 16, with a fixed, class-stratified 80/20 split."""
    del data_dir
    from sklearn import datasets

    bundle: Any = datasets.load_digits()
    images, labels = bundle.images.astype(np.uint8)[..., None], bundle.target.astype(np.int32)
    parts = stratified_split(labels, TEST_FRACTION, SPLIT_SEED)
    return Splits(*(Split(images[part], labels[part], 10, "digits") for part in parts))
