import jax
import jax.numpy as jnp
import numpy as np


def fill(shapes):
    """Arrays for shapes, drawn by NumPy: without compiling initializers. Vectors are positive, as variances must be."""
    rng = np.random.default_rng(0)

    def draw(leaf):
        if not isinstance(leaf, jax.ShapeDtypeStruct):
            return leaf
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return jax.random.key(0)
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            return jnp.asarray(np.zeros(leaf.shape, leaf.dtype))
        # Of haiku's variances only the last axis is longer than 1.
        low = -1 if max(leaf.shape, default=1) < np.prod(leaf.shape) else 0.5
        return jnp.asarray(rng.uniform(low, 1, leaf.shape), leaf.dtype)

    return jax.tree.map(draw, shapes)
