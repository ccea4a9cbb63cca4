"""A loop in a process of its own that somebody kills: `python -m tests.watching.victim LIBRARY FOLDER`."""

import sys

import jax
import numpy as np

from memorize_jax import Watch
from tests.watching.made import LIBRARIES, data

EPOCHS = 12


def stepped(variables: dict, epoch: int) -> dict:
    """What stands for an epoch of training: every parameter moves by something that depends on the epoch alone."""
    rng = np.random.default_rng(epoch)
    moved = lambda leaf: (leaf + 0.1 * rng.normal(size=np.shape(leaf))).astype(np.asarray(leaf).dtype)
    return {**variables, "params": jax.tree.map(moved, variables["params"])}


def main(library: str, folder: str) -> None:
    """Watches all epochs that were not watched before."""
    one, given = LIBRARIES[library](), data()
    options = {"test_images": given.test_images, "test_labels": given.test_labels, "network": one.network, "every": 0}
    watch = Watch(folder, *given[:3], **options)
    model = watch.load(one.model) if watch.next_epoch else one.model
    for epoch in range(watch.next_epoch, EPOCHS):
        if epoch:
            network = watch.run.network(epoch - 1)
            model = watch._adapted(model).merge(stepped(network, epoch), model)
        watch(epoch, model)
        print(epoch, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
