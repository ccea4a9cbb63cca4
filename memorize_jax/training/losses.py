"""Loss and predictions of a classifier, example by example."""

import jax
import jax.numpy as jnp
import optax


def cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Cross-entropy of each example.

        loss = -N_label(x) + log sum_c exp N_c(x)          (paper eqs. 1 and 5)

    Args:
      logits: [n, num_classes] N(x), any floating dtype; computed in at least float32.
      labels: [n] integer.

    Returns:
      [n].
    """
    logits = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels)
