"""Losses by name: of each example, from logits and labels."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float, Int

from memorize_jax import plugins
from memorize_jax.recipe.names import check_name, guarded

# Takes logits [*n, classes] and labels [*n]; gives [*n].
Loss = Callable[[jax.Array, jax.Array], jax.Array]


def cross_entropy(
    logits: Float[jax.Array | np.ndarray, "*n classes"], labels: Int[jax.Array | np.ndarray, "*n"]
) -> Float[jax.Array, "*n"]:
    """Cross-entropy of each example: -N_label(x) + log sum_c exp N_c(x) (paper eqs. 1 and 5), at least in float32."""
    return optax.softmax_cross_entropy_with_integer_labels(_wide(logits), labels)


def _smoothed_cross_entropy(logits, labels, *, label_smoothing):
    return optax.softmax_cross_entropy(_wide(logits), _targets(logits, labels, label_smoothing))


def _mean_squared_error(logits, labels, *, label_smoothing):
    return jnp.mean((_wide(logits) - _targets(logits, labels, label_smoothing)) ** 2, axis=-1)


def _targets(logits, labels, label_smoothing):
    classes = logits.shape[-1]
    return optax.smooth_labels(jax.nn.one_hot(labels, classes, dtype=_wide(logits).dtype), label_smoothing)


def _wide(logits):
    return jnp.asarray(logits, jnp.promote_types(logits.dtype, jnp.float32))


LOSSES = {"cross_entropy": _smoothed_cross_entropy, "mse": _mean_squared_error}


def check_loss(name: str, label_smoothing: float) -> None:
    """Raises ValueError for a name or a smoothing that cannot be; imports nothing."""
    check_name("loss", name, LOSSES)
    if not 0 <= label_smoothing < 1:
        raise ValueError(f"expected label_smoothing >= 0 and < 1, got {label_smoothing}")
    if label_smoothing and name not in LOSSES:
        raise ValueError(f"expected no label_smoothing with a loss of your own, {name}, got {label_smoothing}")


def make_loss(name: str, *, num_classes: int, label_smoothing: float = 0.0) -> Loss:
    """Makes the function from logits [*n, C] and labels [*n] to the loss of each example [*n].

    With targets q_c = (1 - s) [c = label] + s / C, smoothed by s (Szegedy et al. 2016):

        cross_entropy:  -sum_c q_c log softmax(N)_c       (paper eqs. 1 and 5 for s = 0)
        mse:            sum_c (N_c - q_c)^2 / C            (of the logits, as Hui and Belkin 2021)

    Args:
      name: one of `LOSSES`; or MODULE:NAME, a function of yours from logits and labels to losses.
    """
    check_loss(name, label_smoothing)
    if name == "cross_entropy" and not label_smoothing:
        return cross_entropy
    if name in LOSSES:
        return functools.partial(LOSSES[name], label_smoothing=label_smoothing)
    own = plugins.find("loss", name)
    if not callable(own):
        raise ValueError(f"loss {name}: expected a function from logits and labels to losses, got {own!r:.60}")

    def loss(logits, labels) -> Any:
        return own(_wide(logits), labels)

    shapes = jax.ShapeDtypeStruct((3, num_classes), jnp.float32), jax.ShapeDtypeStruct((3,), jnp.int32)
    found = guarded("loss", name, functools.partial(jax.eval_shape, loss), *shapes)
    if getattr(found, "shape", None) != (3,) or not jnp.issubdtype(found.dtype, jnp.floating):
        raise ValueError(f"loss {name}: expected losses [3] of logits [3, {num_classes}] and labels [3], got {found}")
    return loss
