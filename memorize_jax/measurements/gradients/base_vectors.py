"""The gradient decomposition: ten base vectors per layer, whose Gram matrix gives every norm, ratio and cosine."""

import functools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Shaped

from memorize_jax.data import ChannelStatistics, PermutedLabels, standardize
from memorize_jax.models import Layer

BN_MODES = ("train", "eval")
# Order of the base vectors: for each group, the gradient of the mean logit of the assigned label (A), under the model's
# distribution (M), under the uniform one (U), and A and M centered class by class (see `measure_gradients`).
GROUPS = ("unpermuted", "permuted")
TERMS = ("assigned", "model", "uniform", "assigned_centered", "model_centered")
NUM_VECTORS = len(GROUPS) * len(TERMS)


class GradientDecomposition(NamedTuple):
    """Inner products of the base vectors of a network.

    Attributes:
      grams: name of a layer -> inner products in float64, over all parameters of its group.
      counts: of unpermuted and of permuted examples.
      num_classes: P.
    """

    grams: dict[str, Float[np.ndarray, "10 10"]]
    counts: Int[np.ndarray, "2"]
    num_classes: int


def logit_cotangents(
    logits: Float[Array, "n P"],
    assigned: Int[Array, " n"],
    is_permuted: Bool[Array, " n"],
    mask: Float[Array, " n"],
    marginals: Float[Array, "2 2 P"],
    shares: Float[Array, "2"],
) -> Float[Array, "10 n P"]:
    """Computes the ten linear forms in the logits whose gradients are accumulated.

    Not A, M and U themselves but M - A, M - U and U, from which they follow: the full gradient late in training and
    the label-independent part early in training are small differences of large vectors, and would be rounded away.

    Args:
      logits: of a batch.
      assigned: labels.
      is_permuted: which of them.
      mask: 0 for padding.
      marginals: the mean over each group of P_L and of P_M.
      shares: of the groups in all examples.

    Returns:
      For each group, P_M - P_L, P_M - 1/P and 1/P, zero outside the group; then P_L and P_M in the group, less the
      group's share times its mean of them everywhere: what is taken off class by class is a mean over all examples,
      weighted by how often the group has the class.
    """
    num_classes = logits.shape[-1]
    model = jax.nn.softmax(logits)
    label = jax.nn.one_hot(assigned, num_classes, dtype=logits.dtype)
    others = model * (1 - label)
    # -(1 - P_M(label)) as the sum of the others keeps its digits when the model is certain.
    residual = others - label * jnp.sum(others, axis=-1, keepdims=True)
    forms = jnp.stack([residual, model - 1 / num_classes, jnp.full_like(model, 1 / num_classes), label, model])
    groups = jnp.stack([~is_permuted, is_permuted]) * mask
    own = groups[:, None, :, None] * forms
    taken_off = shares[:, None, None, None] * marginals[:, :, None, :] * mask[:, None]
    return own.at[:, 3:].add(-taken_off).reshape(NUM_VECTORS, *logits.shape)


def _apply(model, variables, params, images, batch, statistics, bn):
    """The logits of one batch."""
    indices, mask = batch
    own, inputs = {**variables, "params": params}, standardize(images[indices], statistics)
    if bn == "eval":
        return model.apply(own, inputs, train=False)
    return model.apply(own, inputs, train=True, mask=mask, mutable=["batch_stats"])[0]


@functools.partial(jax.jit, static_argnames=("model", "bn"))
def _model_sums(variables, images, is_permuted, batch, statistics, *, model, bn):
    """[2, num_classes]: the model's probabilities of one batch, added up in each group."""
    indices, mask = batch
    with jax.default_matmul_precision("highest"):
        logits = _apply(model, variables, variables["params"], images, batch, statistics, bn)
        inside = is_permuted[indices]
        return (jnp.stack([~inside, inside]) * mask) @ jax.nn.softmax(logits)


@functools.partial(jax.jit, static_argnames=("model", "bn"), donate_argnums=0)
def _accumulate(sums, variables, images, assigned, is_permuted, batch, statistics, marginals, shares, *, model, bn):
    """Adds the gradients of one batch to (sums, what rounding lost of them)."""
    indices, mask = batch
    with jax.default_matmul_precision("highest"):
        logits_of = lambda params: _apply(model, variables, params, images, batch, statistics, bn)
        logits, pull = jax.vjp(logits_of, variables["params"])
        forms = logit_cotangents(logits, assigned[indices], is_permuted[indices], mask, marginals, shares)
        # One pull-back of all ten: a batch dimension, not ten programs.
        gradients = jax.vmap(lambda form: pull(form)[0])(forms)

    def add(high, low, term):
        total = high + term
        carried = total - high
        return total, low + ((high - (total - carried)) + (term - carried))

    high, low = sums
    pairs = jax.tree.map(add, high, low, gradients)
    return jax.tree.transpose(jax.tree.structure(high), jax.tree.structure((0, 0)), pairs)


def measure_gradients(
    model: nn.Module,
    variables: dict,
    images: Shaped[Array | np.ndarray, "n ..."],
    labels: PermutedLabels,
    *,
    layers: Sequence[Layer],
    statistics: ChannelStatistics,
    batches: Iterable[tuple[np.ndarray, np.ndarray]],
    bn: str = "train",
) -> GradientDecomposition:
    """Measures the base vectors of every layer in one pass back over the data, and their inner products.

        A_g = <sum_c P_L(c|x) dN_c(x)/dw>_g,   M_g = <sum_c P_M(c|x) dN_c(x)/dw>_g,   U_g = <1/P sum_c dN_c(x)/dw>_g

    for g = unpermuted, permuted, so that the gradient of the loss on g is M_g - A_g (paper eqs. 9 and 12); and, with
    the mean gradient of every class over all examples, gbar_c = <dN_c(x)/dw>, the parts of equation 16

        A_g - sum_c <P_L(c|x)>_g gbar_c = <sum_c P_L(c|x) (dN_c(x)/dw - gbar_c)>_g,   and the same of M_g and P_M.

    No gbar_c is held: what is taken off is the gradient of one weighted mean of the logits of all examples. Sums over
    batches are compensated, inner products are taken in float64.

    A group without examples has zero vectors.

    Args:
      model: without dropout, in float32 or wider.
      variables: params and batch_stats.
      images: the training set.
      labels: of these images.
      layers: of the network in order; a layer's vectors hold all parameters of its group, `Layer.modules`.
      statistics: standardize the images.
      batches: (indices [b], mask [b]), together every example once.
      bn: "train" normalizes by the statistics of each batch, in which both groups are mixed, and the gradient goes
        through them, as in training; "eval" by the running ones.

    Raises:
      ValueError: unknown `bn`, batches without some examples, or with some twice.
    """
    if bn not in BN_MODES:
        raise ValueError(f"expected bn to be one of {', '.join(BN_MODES)}, got {bn!r}")
    batches = list(batches)
    taken = [np.asarray(indices)[np.asarray(mask) > 0] for indices, mask in batches]
    times = np.bincount(np.concatenate([np.empty(0, int), *taken]), minlength=len(images))
    if len(times) != len(images) or np.any(times != 1):
        once = np.sum(times[: len(images)] == 1)
        raise ValueError(f"expected each of {len(images)} examples once in all batches, got {once} of them once")
    data = (jnp.asarray(images), jnp.asarray(labels.assigned), jnp.asarray(labels.is_permuted))
    permuted = int(np.sum(labels.is_permuted))
    counts = np.array([len(labels.assigned) - permuted, permuted])
    of_batch = functools.partial(_model_sums, variables, data[0], data[2], statistics=statistics, model=model, bn=bn)
    model_sums = functools.reduce(np.add, (np.asarray(of_batch(batch), np.float64) for batch in batches))
    num_classes = model_sums.shape[-1]
    label_sums = [
        np.bincount(np.asarray(labels.assigned)[labels.is_permuted == group], minlength=num_classes)
        for group in (False, True)
    ]
    marginals = np.stack([label_sums, model_sums], axis=1) / np.maximum(counts, 1)[:, None, None]
    centering = (np.float32(marginals), np.float32(counts / counts.sum()))
    zeros = lambda: jax.tree.map(lambda leaf: jnp.zeros((NUM_VECTORS, *leaf.shape), leaf.dtype), variables["params"])
    sums = (zeros(), zeros())
    for batch in batches:
        sums = _accumulate(sums, variables, *data, batch, statistics, *centering, model=model, bn=bn)
    grams = {}
    for layer in layers:
        held = [tuple(part[module] for part in sums) for module in layer.modules if module in sums[0]]
        leaves = [
            _base(high, low, counts).reshape(NUM_VECTORS, -1)
            for pair in held
            for high, low in zip(*map(jax.tree.leaves, pair), strict=True)
        ]
        grams[layer.name] = sum(leaf @ leaf.T for leaf in leaves)
    return GradientDecomposition(grams, counts, num_classes)


def _base(high, low, counts):
    """[10, ...] float64: the base vectors, means over the groups, from the sums that `logit_cotangents` gave."""
    sums = (np.asarray(high, np.float64) + np.asarray(low, np.float64)).reshape(2, len(TERMS), *high.shape[1:])
    means = sums / np.maximum(counts, 1).reshape(2, *(1,) * (sums.ndim - 1))
    residual, tilt, uniform, *centered = np.moveaxis(means, 1, 0)
    model = tilt + uniform
    return np.stack([model - residual, model, uniform, *centered], axis=1).reshape(high.shape)
