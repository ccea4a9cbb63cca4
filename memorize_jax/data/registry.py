"""Name -> data set."""

from collections.abc import Callable
from functools import partial

import numpy as np

from memorize_jax import plugins
from memorize_jax.data import cifar, digits, image_folder, letter, mnist, mnist1d, openclipart, spheres, tiny_imagenet
from memorize_jax.data.labels import stratified_choice
from memorize_jax.data.splits import Splits, check_splits

LOADERS: dict[str, Callable[..., Splits]] = {
    "cifar10": partial(cifar.load, "cifar10"),
    "cifar100": partial(cifar.load, "cifar100"),
    "digits": digits.load,
    "fashion_mnist": partial(mnist.load, "fashion_mnist"),
    "fashion_mnist_14": mnist.load_14,
    "fashion_mnist_32": mnist.load_32,
    image_folder.NAME: image_folder.load,
    "letter": letter.load,
    "mnist": partial(mnist.load, "mnist"),
    "mnist1d": lambda data_dir=None: mnist1d.load(),
    "mnist1d_12000": lambda data_dir=None: mnist1d.load("mnist1d_12000", num_test=12000),
    "openclipart": openclipart.load,
    "spheres": lambda data_dir=None: spheres.make_spheres(),
    "spheres_small": lambda data_dir=None: spheres.make_small(),
    "tiny_imagenet": tiny_imagenet.load,
    "tiny_imagenet_32": tiny_imagenet.load_32,
}


def check_name(name: str) -> None:
    """Raises ValueError, naming the valid ones, unless `name` is a data set, or MODULE:NAME; imports nothing."""
    if plugins.is_own(name):
        plugins.check_form("dataset", name)
    elif name not in LOADERS:
        known = ", ".join(sorted(LOADERS))
        raise ValueError(f"expected dataset to be one of {known}, or MODULE:NAME of your own, got {name!r}")


def check_size(name: str, image_size: int | None) -> None:
    """Raises ValueError for a size of images that the data set does not ask for."""
    if image_size is not None and name != image_folder.NAME:
        raise ValueError(f"expected image_size only with --dataset={image_folder.NAME}, got {image_size} with {name}")


def load(
    name: str, *, data_dir: str | None = None, num_train: int | None = None, image_size: int | None = None
) -> Splits:
    """Loads a data set; what is missing, damaged or not a data set raises an error that says what to do.

    Args:
      name: one of `LOADERS`; or MODULE:NAME, a function of yours that takes `data_dir` and returns Splits.
      data_dir: folder of its files, for those that have files.
      num_train: keep so many training examples, the same share of every class and always the same ones; None for all.
      image_size: of "image_folder", pixels on a side.
    """
    check_name(name)
    check_size(name, image_size)
    options = {} if image_size is None else {"image_size": image_size}
    known = lambda: LOADERS[name](data_dir=data_dir, **options)
    splits = check_splits(_own(name, data_dir), name) if plugins.is_own(name) else known()
    if num_train is None:
        return splits
    train = splits.train
    if not 1 <= num_train <= len(train.labels):
        raise ValueError(f"expected num_train between 1 and {len(train.labels)}, got {num_train}")
    kept = stratified_choice(train.labels, num_train, train.num_classes, np.random.default_rng(0))
    return splits._replace(train=train._replace(images=train.images[kept], labels=train.labels[kept]))


def _own(name, data_dir):
    load_own = plugins.find("dataset", name)
    try:
        return load_own(data_dir=data_dir)
    except (Exception, SystemExit) as error:  # it may fail in any way
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(f"dataset {name} failed when called with data_dir={data_dir!r} ({reason})") from error
