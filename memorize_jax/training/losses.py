"""Loss of a classifier, example by example."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float, Int


def cross_entropy(
    logits: Float[jax.Array | np.ndarray, "*n classes"], labels: Int[jax.Array | np.ndarray, "*n"]
) -> Float[jax.Array, "*n"]:
    """Cross-entropy of each example, in at least float32.

    loss = -N_label(x) + log sum_c exp N_c(x)          (paper eqs. 1 and 5)
    """
    wide = jnp.asarray(logits, jnp.promote_types(logits.dtype, jnp.float32))
    return optax.softmax_cross_entropy_with_integer_labels(wide, labels)
