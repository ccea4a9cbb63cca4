"""Name -> data set."""

from collections.abc import Callable

from memorize_jax.data.cifar import load_cifar10, load_cifar100
from memorize_jax.data.digits import load_digits
from memorize_jax.data.fashion_mnist import load_fashion_mnist, load_fashion_mnist_32
from memorize_jax.data.mnist import load_mnist
from memorize_jax.data.spheres import load_spheres, load_spheres_small
from memorize_jax.data.splits import Splits
from memorize_jax.data.tiny_imagenet import load_tiny_imagenet

LOADERS: dict[str, Callable[..., Splits]] = {
    "cifar10": load_cifar10,
    "cifar100": load_cifar100,
    "digits": load_digits,
    "fashion_mnist": load_fashion_mnist,
    "fashion_mnist_32": load_fashion_mnist_32,
    "mnist": load_mnist,
    "spheres": load_spheres,
    "spheres_small": load_spheres_small,
    "tiny_imagenet": load_tiny_imagenet,
}


def check_name(name: str) -> None:
    """Raises ValueError, naming the valid ones, unless `name` is a data set."""
    if name not in LOADERS:
        raise ValueError(f"expected dataset to be one of {', '.join(sorted(LOADERS))}, got {name!r}")


def load(name: str, *, data_dir: str | None = None) -> Splits:
    """Loads a data set.

    Args:
      name: one of `LOADERS`.
      data_dir: folder of its files, for those that have files.

    Returns:
      Splits(train, test).

    Raises:
      ValueError: unknown name, or damaged files.
      FileNotFoundError: missing files; says where they were looked for and how to get them.
    """
    check_name(name)
    return LOADERS[name](data_dir=data_dir)
