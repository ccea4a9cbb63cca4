"""Rewinding: a trained network with some of its layers as they were at another epoch."""

from collections.abc import Callable, Collection, Iterable, Mapping

import flax.linen as nn
import jax
import numpy as np
from jax.typing import ArrayLike

from memorize_jax.measurements.rewinding.sources import SELF
from memorize_jax.models import LayerGroup, transplant
from memorize_jax.models.batch_norm import MOMENTUM

# Which network a group of layers is put into.
INTO, BOTH = ("final", "early"), "both"


def directions(into: str) -> tuple[str, ...]:
    """Those of `INTO` that a choice means."""
    return INTO if into == BOTH else (into,)


def recalibrated(model: nn.Module, variables: dict, batches: Iterable[tuple[ArrayLike, ArrayLike]]) -> dict:
    """Measures the running statistics of every BatchNorm anew.

    Mean and variance of a channel become their averages over the batches, weighted by the number of real examples;
    each BatchNorm sees what those before it make of a batch with the batch's own statistics, as in training.

    Args:
      model: without dropout.
      variables: params and batch_stats.
      batches: (inputs [n, ...], mask [n]) of the training set, standardized; mixed, as in training.
    """
    if not variables["batch_stats"]:
        return variables
    # A step mixes (1 - MOMENTUM) of the batch's statistics into what was there before, here nothing.
    cleared = {**variables, "batch_stats": jax.tree.map(np.zeros_like, variables["batch_stats"])}
    total, sums = 0.0, None
    for inputs, mask in batches:
        weight = float(np.sum(mask))
        _, updates = _train_mode(model, cleared, inputs, mask)
        shares = jax.tree.map(lambda leaf, weight=weight: weight * leaf, updates["batch_stats"])
        sums = shares if sums is None else jax.tree.map(np.add, sums, shares)
        total += weight
    scale = 1 / (total * (1 - MOMENTUM))
    return {**variables, "batch_stats": jax.tree.map(lambda leaf: leaf * scale, sums)}


def _apply(model, variables, inputs, mask):
    with jax.default_matmul_precision("highest"):
        return model.apply(variables, inputs, train=True, mask=mask, mutable=["batch_stats"])


_train_mode = jax.jit(_apply, static_argnums=0)


def rewinding_row(
    group: LayerGroup,
    rewind_epoch: int,
    accuracies: Mapping,
    *,
    seed: int,
    into: str,
    bn: str,
    num_test: int,
    source: str = SELF,
) -> dict:
    """A row of results/rewinding.csv: what a rewound network reaches, by `training.Trainer.evaluate`."""
    place = {"layer": group.name, "layer_number": group.layers[0].number, "num_layers": len(group.layers)}
    about = {"seed": seed, "into": into, **place, "rewind_epoch": rewind_epoch, "bn": bn}
    return {**about, **accuracies, "num_test": num_test, "source": source}


def rewound_network(
    group: LayerGroup,
    epoch: int,
    final: dict,
    load: Callable[[int], dict],
    load_layers: Callable[[int, Collection[str]], dict],
    *,
    into: str,
    bn: str,
) -> dict:
    """Builds the network of one point of the grid, reading no more than it needs.

    Args:
      group: what is moved.
      epoch: of the earlier or other network.
      final: the final network.
      load: epoch -> its network, of this run or of another one.
      load_layers: (epoch, modules) -> these modules of its network.
      into: "final" puts the group of `epoch` into the final network (the paper's rewinding), "early" puts the final
        network's group into that of `epoch`.
      bn: policy of `transplant`.
    """
    if into == "final":
        return transplant(final, load_layers(epoch, group.modules), group.modules, bn=bn)
    return transplant(load(epoch), final, group.modules, bn=bn)
