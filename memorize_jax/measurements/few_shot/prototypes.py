"""Few-shot learning itself: a few examples of each class are drawn, the others go to the nearer mean."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray


def draw_prototypes(key: PRNGKeyArray, shape: tuple[int, int], num_shots: int, num_draws: int) -> Float[Array, "P n M"]:
    """Draws m of the M examples of each of P classes, n times; their weights in a mean, 1/m or 0.

    The same key draws the same examples for every m, up to the number of them.

    Args:
      shape: (P, M).
    """
    num_classes, num_examples = shape

    def of_class(label):
        values = jax.random.uniform(jax.random.fold_in(key, label), (num_draws, num_examples))
        return jnp.argsort(jnp.argsort(values, axis=-1), axis=-1) < num_shots

    return jax.vmap(of_class)(jnp.arange(num_classes)) / num_shots


def simulated_errors(
    own_a: Float[Array, "M+1 M+1"],
    cross: Float[Array, "M+1 M+1"],
    own_b: Float[Array, "M+1 M+1"],
    weights_a: Float[Array, "n M"],
    weights_b: Float[Array, "n M"],
) -> Float[Array, " n"]:
    """Share of the other examples of class a that are nearer to the prototype of class b, draw by draw.

    NaN where no example is left, or inner products are not finite; an example in the middle counts half.

    Args:
      own_a: inner products of `pairs.frames` of class a with itself; own_b likewise.
      cross: of class a with class b.
      weights_a: of `draw_prototypes`; weights_b likewise.
    """
    with jax.default_matmul_precision("highest"):
        # A prototype is the center and a mean of offsets, an example the center and one offset.
        a, b = (jnp.concatenate([own, jnp.ones_like(own[:, :1])], axis=1) for own in (weights_a, weights_b))
        of_examples = [(products[:-1] + products[-1]) for products in (own_a, cross)]
        to_a, to_b = (products @ own.T for products, own in zip(of_examples, (a, b), strict=True))
        norms = [jnp.sum((own @ products) * own, axis=1) for products, own in ((own_a, a), (own_b, b))]
    nearer_a = to_a - to_b - (norms[0] - norms[1]) / 2
    wrong = jnp.where(jnp.isnan(nearer_a), jnp.nan, (1 - jnp.sign(nearer_a)) / 2)
    is_left = weights_a.T == 0
    return jnp.sum(jnp.where(is_left, wrong, 0), axis=0) / jnp.sum(is_left, axis=0)
