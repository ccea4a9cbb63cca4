"""The gradient ledger: six base vectors per layer, and the Gram matrix every norm, ratio and cosine follows from."""

import functools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from memorize_jax.data import ChannelStatistics, PermutedLabels, standardize
from memorize_jax.models import Layer

BN_MODES = ("train", "eval")
# Order of the base vectors: for each group, the gradient of the mean logit of the assigned label (A), under the model's
# distribution (M), and under the uniform one (U).
GROUPS = ("unpermuted", "permuted")
TERMS = ("assigned", "model", "uniform")


class Ledger(NamedTuple):
    """Inner products of the base vectors of a network.

    Attributes:
      grams: name of the layer -> [6, 6] float64, over all parameters of its unit.
      last_layer: [6, 6] float64, of the last layer's kernel with the terms of equation 16, see `class_centered`.
      counts: [2], unpermuted and permuted examples.
    """

    grams: dict[str, np.ndarray]
    last_layer: np.ndarray
    counts: np.ndarray


def logit_cotangents(logits: jax.Array, assigned: jax.Array, is_permuted: jax.Array, mask: jax.Array) -> jax.Array:
    """Computes the six linear forms in the logits whose gradients are accumulated.

    Not A, M and U themselves but M - A, M - U and U, from which they follow: the full gradient late in training and
    the label-independent part early in training are small differences of large vectors, and would be rounded away.

    Args:
      logits: [n, num_classes].
      assigned: [n] integer labels.
      is_permuted: [n] bool.
      mask: [n], 0 for padding.

    Returns:
      [6, n, num_classes]: for each group, P_M - P_L, P_M - 1/P and 1/P, zero outside the group.
    """
    num_classes = logits.shape[-1]
    model = jax.nn.softmax(logits)
    label = jax.nn.one_hot(assigned, num_classes, dtype=logits.dtype)
    others = model * (1 - label)
    # -(1 - P_M(label)) as the sum of the others keeps its digits when the model is certain.
    residual = others - label * jnp.sum(others, axis=-1, keepdims=True)
    forms = jnp.stack([residual, model - 1 / num_classes, jnp.full_like(model, 1 / num_classes)])
    groups = jnp.stack([~is_permuted, is_permuted]) * mask
    return (groups[:, None, :, None] * forms).reshape(6, *logits.shape)


@functools.partial(jax.jit, static_argnames=("model", "bn"), donate_argnums=0)
def _accumulate(sums, variables, images, assigned, is_permuted, batch, statistics, *, model, bn):
    """Adds the gradients of one batch to (sums, what rounding lost of them)."""
    indices, mask = batch
    inputs = standardize(images[indices], statistics)

    def logits_of(params):
        own = {**variables, "params": params}
        if bn == "eval":
            return model.apply(own, inputs, train=False)
        return model.apply(own, inputs, train=True, mask=mask, mutable=["batch_stats"])[0]

    with jax.default_matmul_precision("highest"):
        logits, pull = jax.vjp(logits_of, variables["params"])
        forms = logit_cotangents(logits, assigned[indices], is_permuted[indices], mask)
        # One pull-back of all six: a batch dimension, not six programs.
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
    images: jax.Array,
    labels: PermutedLabels,
    *,
    layers: Sequence[Layer],
    statistics: ChannelStatistics,
    batches: Iterable[tuple[np.ndarray, np.ndarray]],
    bn: str = "train",
) -> Ledger:
    """Measures the base vectors of every layer in one pass over the data, and their inner products.

        A_g = <sum_c P_L(c|x) dN_c(x)/dw>_g,   M_g = <sum_c P_M(c|x) dN_c(x)/dw>_g,   U_g = <1/P sum_c dN_c(x)/dw>_g

    for g = unpermuted, permuted, so that the gradient of the loss on g is M_g - A_g (paper eqs. 9 and 12). Sums over
    batches are compensated, inner products are taken in float64.

    Args:
      model: flax.linen module without dropout, in float32 or wider.
      variables: params and batch_stats.
      images: [n, ...].
      labels: of these images.
      layers: of the network in order; a layer's vectors hold all parameters of its unit.
      statistics: standardise the images.
      batches: (indices [b], mask [b]), together every example once.
      bn: "train" normalises by the statistics of each batch, in which both groups are mixed, and the gradient goes
        through them, as in training; "eval" by the running ones.

    Returns:
      Ledger; a group without examples has zero vectors.

    Raises:
      ValueError: unknown `bn`.
    """
    if bn not in BN_MODES:
        raise ValueError(f"expected bn to be one of {', '.join(BN_MODES)}, got {bn!r}")
    zeros = lambda: jax.tree.map(lambda leaf: jnp.zeros((6, *leaf.shape), leaf.dtype), variables["params"])
    sums = (zeros(), zeros())
    data = (jnp.asarray(images), jnp.asarray(labels.assigned), jnp.asarray(labels.is_permuted))
    for batch in batches:
        sums = _accumulate(sums, variables, *data, batch, statistics, model=model, bn=bn)
    permuted = int(np.sum(labels.is_permuted))
    counts = np.array([len(labels.assigned) - permuted, permuted])
    grams = {}
    for layer in layers:
        held = [tuple(part[module] for part in sums) for module in layer.modules if module in sums[0]]
        leaves = [
            _base(high, low, counts) for pair in held for high, low in zip(*map(jax.tree.leaves, pair), strict=True)
        ]
        grams[layer.name] = sum(leaf.reshape(6, -1) @ leaf.reshape(6, -1).T for leaf in leaves)
    last = layers[-1].name
    kernel, bias = (_base(*(part[last][name] for part in sums), counts) for name in ("kernel", "bias"))
    centered = class_centered(kernel, bias, counts).reshape(6, -1)
    return Ledger(grams, centered @ centered.T, counts)


def _base(high, low, counts):
    """[6, ...] float64: A, M, U of each group, as means over the group, from the sums of M - A, M - U, U."""
    sums = (np.asarray(high, np.float64) + np.asarray(low, np.float64)).reshape(2, 3, *high.shape[1:])
    residual, tilt, uniform = np.moveaxis(sums, 1, 0) / np.maximum(counts, 1).reshape(2, *(1,) * (sums.ndim - 2))
    model = tilt + uniform
    return np.stack([model - residual, model, uniform], axis=1).reshape(high.shape)


def class_centered(kernel: np.ndarray, bias: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Turns the last layer's base vectors into those of equation 16, centred by the mean activation class by class.

        dL_dep/dW[b, c] = -<P_L(c|x) (phi_b(x) - phibar_b)>,   dL_ind/dW[b, c] = <P_M(c|x) (phi_b(x) - phibar_b)>

    Equation 15 takes off <1/P> phibar in place of <P_L(c|x)> phibar: the two agree if every class is assigned, and
    predicted, equally often. Only then do the parts of equation 16 add up to the full gradient.

    Args:
      kernel: [6, features, P], base vectors of the last layer's kernel.
      bias: [6, P], of its bias: the mean of each distribution.
      counts: [2], unpermuted and permuted examples.

    Returns:
      [6, features, P]; the uniform vectors, which equation 16 does not need, are zero, so that `parts` applies.
    """
    by_group = kernel.reshape(2, 3, *kernel.shape[1:])
    num_classes = kernel.shape[-1]
    mean_activation = num_classes * np.tensordot(counts / counts.sum(), by_group[:, 2, :, 0], axes=1)
    centered = kernel - mean_activation[None, :, None] * bias[:, None, :]
    centered.reshape(by_group.shape)[:, 2] = 0
    return centered
