"""Rewinding: a trained network with some of its layers as they were at another epoch."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import flax.linen as nn
import jax
import numpy as np
from jax.typing import ArrayLike

from memorize_jax.models import Layer, norm_name
from memorize_jax.models.batch_norm import MOMENTUM

BN_POLICIES = ("with_layer", "keep", "rewind_stats_only", "recalibrate")
INTO = ("final", "early")
EXPECTED = "comma-separated each, conv, all, last:K with K >= 1, or names of layers joined by +"


class LayerGroup(NamedTuple):
    """Layers that are moved together.

    Attributes:
      name: names of the layers joined by "+".
      layers: at least one.
    """

    name: str
    layers: tuple[Layer, ...]

    @property
    def modules(self) -> tuple[str, ...]:
        """Names of the modules that hold their variables."""
        return tuple(module for layer in self.layers for module in layer.modules)


def check_groups(spec: str) -> None:
    """Raises ValueError where `select_groups` would for any network."""
    for item in map(str.strip, spec.split(",")):
        count = item.removeprefix("last:")
        if not item or (count != item and not (count.isdecimal() and int(count) >= 1)):
            raise ValueError(f"expected rewind_layers to be {EXPECTED}, got {item!r}")


def select_groups(spec: str, layers: Sequence[Layer]) -> list[LayerGroup]:
    """Reads a choice of layers and sets of layers.

    Args:
      spec: comma-separated: "each" for every layer by itself, "conv" for every convolution by itself (figure 4 leaves
        the linear layers out), "last:K" for the last K layers together, "all" for all together, or names of layers
        joined by "+". Groups come in this order, each once.
      layers: of the network, in order.

    Raises:
      ValueError: the network has no such layers; names those it has.
    """
    check_groups(spec)
    by_name = {layer.name: layer for layer in layers}
    found = []
    for item in map(str.strip, spec.split(",")):
        if item in ("each", "conv"):
            sets = [(layer,) for layer in layers if item == "each" or layer.name.startswith("conv")]
        elif item == "all":
            sets = [tuple(layers)]
        elif item.startswith("last:"):
            sets = [tuple(layers[-int(item.removeprefix("last:")) :])]
        else:
            names = item.split("+")
            sets = [tuple(by_name[name] for name in names)] if set(names) <= set(by_name) else []
        if not sets:
            why = "; the network has no convolutions" if item == "conv" else ""
            raise ValueError(f"expected rewind_layers among {', '.join(by_name)}, got {item!r}{why}")
        found += [LayerGroup("+".join(layer.name for layer in chosen), chosen) for chosen in sets]
    return list(dict.fromkeys(found))


def transplant(recipient: dict, donor: dict, modules: Collection[str], *, bn: str = "with_layer") -> dict:
    """Puts modules of one network into another of the same shape; leaves are shared with both, not copied.

    Args:
      recipient: params and batch_stats.
      donor: params and batch_stats; only `modules` need be there.
      modules: names, as of `LayerGroup.modules`; those neither network has are passed over.
      bn: what happens to the BatchNorm of the layers that are moved: "with_layer" moves its scale, offset and running
        statistics with kernel and bias; "keep" moves none of them; "rewind_stats_only" moves the running statistics,
        but not scale and offset; "recalibrate" moves as "with_layer" does, and expects `recalibrated` to be called.

    Raises:
      ValueError: unknown `bn`, or none of the modules is in the donor.
    """
    if bn not in BN_POLICIES:
        raise ValueError(f"expected bn to be one of {', '.join(BN_POLICIES)}, got {bn!r}")
    held = {module for collection in donor.values() for module in collection}
    if not held.intersection(modules):
        raise ValueError(f"expected a network with one of {', '.join(modules)}, got {', '.join(sorted(held))}")
    norms = {norm_name(module) for module in modules}.intersection(modules)
    stays = {"keep": {"params", "batch_stats"}, "rewind_stats_only": {"params"}}.get(bn, set())
    result = {}
    for collection, contents in recipient.items():
        given = donor.get(collection, {})
        moved = {module for module in modules if module in given and not (module in norms and collection in stays)}
        result[collection] = {name: given[name] if name in moved else value for name, value in contents.items()}
    return result


def recalibrated(model: nn.Module, variables: dict, batches: Iterable[tuple[ArrayLike, ArrayLike]]) -> dict:
    """Measures the running statistics of every BatchNorm anew.

    Mean and variance of a channel become their averages over the batches, weighted by the number of real examples;
    each BatchNorm sees what those before it make of a batch with the batch's own statistics, as in training.

    Args:
      model: without dropout.
      variables: params and batch_stats.
      batches: (inputs [n, ...], mask [n]) of the training set, standardized.
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


def rewinding_row(group: LayerGroup, rewind_epoch: int, accuracies: Mapping, *, seed: int, into: str, bn: str) -> dict:
    """A row of results/rewinding.csv: what a rewound network reaches, by `training.Trainer.evaluate`."""
    place = {"layer": group.name, "layer_number": group.layers[0].number, "num_layers": len(group.layers)}
    return {"seed": seed, "into": into, **place, "rewind_epoch": rewind_epoch, "bn": bn, **accuracies}


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
      epoch: of the earlier network.
      final: the final network.
      load: epoch -> its network.
      load_layers: (epoch, modules) -> these modules of its network.
      into: "final" puts the group of `epoch` into the final network (the paper's rewinding), "early" puts the final
        network's group into that of `epoch`.
      bn: policy of `transplant`.
    """
    if into == "final":
        return transplant(final, load_layers(epoch, group.modules), group.modules, bn=bn)
    return transplant(load(epoch), final, group.modules, bn=bn)
