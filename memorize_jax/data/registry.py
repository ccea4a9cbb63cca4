"""Name -> data set."""

from collections.abc import Callable

import numpy as np

from memorize_jax import plugins
from memorize_jax.data.cifar import load_cifar10, load_cifar100
from memorize_jax.data.digits import load_digits
from memorize_jax.data.fashion_mnist import load_fashion_mnist, load_fashion_mnist_14, load_fashion_mnist_32
from memorize_jax.data.labels import class_quotas
from memorize_jax.data.mnist import load_mnist
from memorize_jax.data.spheres import load_spheres, load_spheres_small
from memorize_jax.data.splits import Splits, check_splits
from memorize_jax.data.tiny_imagenet import load_tiny_imagenet

LOADERS: dict[str, Callable[..., Splits]] = {
    "cifar10": load_cifar10,
    "cifar100": load_cifar100,
    "digits": load_digits,
    "fashion_mnist": load_fashion_mnist,
    "fashion_mnist_14": load_fashion_mnist_14,
    "fashion_mnist_32": load_fashion_mnist_32,
    "mnist": load_mnist,
    "spheres": load_spheres,
    "spheres_small": load_spheres_small,
    "tiny_imagenet": load_tiny_imagenet,
}


def check_name(name: str) -> None:
    """Raises ValueError, naming the valid ones, unless `name` is a data set, or MODULE:NAME; imports nothing."""
    if plugins.is_own(name):
        plugins.check_form("dataset", name)
    elif name not in LOADERS:
        known = ", ".join(sorted(LOADERS))
        raise ValueError(f"expected dataset to be one of {known}, or MODULE:NAME of your own, got {name!r}")


def load(name: str, *, data_dir: str | None = None, num_train: int | None = None) -> Splits:
    """Loads a data set.

    Args:
      name: one of `LOADERS`; or MODULE:NAME, a function of yours that takes `data_dir` and returns Splits.
      data_dir: folder of its files, for those that have files.
      num_train: keep so many training examples, the same share of every class and always the same ones; None for all.

    Returns:
      Splits(train, test).

    Raises:
      ValueError: unknown name, damaged files, more training examples asked for than there are, or a function of
        yours that returns something else.
      FileNotFoundError: missing files; says where they were looked for and how to get them.
    """
    check_name(name)
    splits = check_splits(_own(name, data_dir), name) if plugins.is_own(name) else LOADERS[name](data_dir=data_dir)
    return splits if num_train is None else splits._replace(train=_subset(splits.train, num_train))


def _own(name, data_dir):
    load_own = plugins.find("dataset", name)
    try:
        return load_own(data_dir=data_dir)
    except (Exception, SystemExit) as error:  # it may fail in any way
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(f"dataset {name} failed when called with data_dir={data_dir!r} ({reason})") from error


def _subset(split, num):
    if not 1 <= num <= len(split.labels):
        raise ValueError(f"expected num_train between 1 and {len(split.labels)}, got {num}")
    rng = np.random.default_rng(0)
    quotas = class_quotas(np.bincount(split.labels, minlength=split.num_classes), num)
    chosen = [rng.permutation(np.flatnonzero(split.labels == label))[:quota] for label, quota in enumerate(quotas)]
    chosen = np.sort(np.concatenate(chosen))
    return split._replace(images=split.images[chosen], labels=split.labels[chosen])
