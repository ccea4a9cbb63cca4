"""Neuron flipping (Maini et al. 2023): units are switched off, the most harmful first, until a prediction flips."""

import functools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, Shaped

from memorize_jax.data import ChannelStatistics, standardize
from memorize_jax.measurements.flipping.units import Units, masked_apply
from memorize_jax.recipe import cross_entropy

# Examples that are searched side by side.
SLOTS = 8


class Flip(NamedTuple):
    """What it took to flip the prediction of one example.

    Attributes:
      example: in the training set.
      units: that were switched off, in order.
      is_flipped: False if the prediction still was the label when no more units were to be switched off.
      mask: 0 for these units, 1 for all others.
    """

    example: int
    units: list[int]
    is_flipped: bool
    mask: Float[np.ndarray, " units"]


class Searched(NamedTuple):
    """The network, the data and how much noise a search has; `batches` has the searched example first in each row."""

    variables: dict
    images: Shaped[Array, "n ..."]
    labels: Int[Array, " n"]
    statistics: ChannelStatistics | None
    noise: float
    key: PRNGKeyArray


def search(
    searched: Searched,
    batches: Int[np.ndarray, "examples batch"],
    allowed: Bool[np.ndarray, " units"],
    *,
    model: nn.Module,
    units: Units,
    most: int,
) -> Iterator[Flip]:
    """Flips the prediction of the first example of every batch by switching off as few units as a greedy search does.

    For example i of a batch of B, with Gaussian noise added to the inputs,

        L(mask) = 1/B sum_{j != i} loss_j - loss_i

    and the unit with the largest dL/dmask = sum w dL/dw is switched off: to first order, what hurts i most and the
    others least. That is repeated until the network gives i, without noise, another label than its own.

    Several examples are searched side by side; whoever has flipped makes room for the next.

    Args:
      searched: the network and the data.
      batches: of every example that is searched, it and those beside it.
      allowed: which units may be switched off.
      most: units that are switched off, at most.

    Yields:
      a Flip for every batch, in the order in which they are found.
    """
    most, waiting = min(most, int(allowed.sum())), list(range(len(batches)))
    places = [waiting.pop(0) for _ in range(min(SLOTS, len(waiting)))]
    masks = np.ones((len(places), units.count), np.float32)
    orders: list[list[int]] = [[] for _ in places]
    while any(place >= 0 for place in places):
        rows = np.array([batches[max(place, 0)] for place in places])
        steps = np.array([len(order) for order in orders])
        chosen, flipped = jax.device_get(flip_step(searched, rows, masks, steps, allowed, model=model, units=units))
        for slot, place in enumerate(places):
            if place < 0:
                continue
            masks[slot, chosen[slot]] = 0
            orders[slot].append(int(chosen[slot]))
            if flipped[slot] or len(orders[slot]) == most:
                yield Flip(int(rows[slot, 0]), orders[slot], bool(flipped[slot]), masks[slot].copy())
                places[slot] = waiting.pop(0) if waiting else -1
                masks[slot], orders[slot] = 1, []


@functools.partial(jax.jit, static_argnames=("model", "units"))
def flip_step(
    searched: Searched,
    batches: Int[Array, "slots batch"],
    masks: Float[Array, "slots units"],
    steps: Int[Array, " slots"],
    allowed: Bool[Array, " units"],
    *,
    model: nn.Module,
    units: Units,
) -> tuple[Int[Array, " slots"], Bool[Array, " slots"]]:
    """One step of several searches: which unit each switches off, and whether its example has flipped then.

    Args:
      batches: the example that is searched, and those beside it.
      masks: 0 for the units that are off.
      steps: how many these are; noise is drawn anew at every step.
    """

    def of_one(batch, mask, step):
        images, labels = searched.images[batch], searched.labels[batch]
        inputs = standardize(images, searched.statistics)
        key = jax.random.fold_in(jax.random.fold_in(searched.key, batch[0]), step)
        noisy = inputs + searched.noise * jax.random.normal(key, inputs.shape, inputs.dtype)
        others = jnp.full(len(batch), 1 / len(batch)).at[0].set(-1.0)
        score = jax.grad(lambda own: others @ cross_entropy(apply(own, noisy), labels))(mask)
        unit = jnp.argmax(jnp.where(allowed & (mask > 0), score, -jnp.inf))
        return unit, jnp.argmax(apply(mask.at[unit].set(0.0), inputs[:1])[0]) != labels[0]

    apply = functools.partial(masked_apply, model, units, searched.variables)
    with jax.default_matmul_precision("highest"):
        return jax.vmap(of_one)(batches, masks, steps)


@functools.partial(jax.jit, static_argnames=("model", "units"))
def masked_correct(
    searched: Searched, examples: Int[Array, " n"], mask: Float[Array, " units"], *, model: nn.Module, units: Units
) -> Bool[Array, " n"]:
    """Which examples a network with some units off gives their labels."""
    inputs = standardize(searched.images[examples], searched.statistics)
    with jax.default_matmul_precision("highest"):
        logits = masked_apply(model, units, searched.variables, mask, inputs)
    return jnp.argmax(logits, axis=-1) == searched.labels[examples]


def choose_batches(
    examples: Sequence[int] | Int[np.ndarray, " m"], num_examples: int, size: int, seed: Sequence[int]
) -> Int[np.ndarray, "m size"]:
    """Draws the batch of every example: itself, and others of the training set; at most all there are."""
    rows = []
    for example in examples:
        others = np.random.default_rng([*seed, int(example)]).permutation(num_examples - 1)[: size - 1]
        rows.append([example, *(others + (others >= example))])
    return np.array(rows, np.int32).reshape(len(rows), min(size, num_examples))
