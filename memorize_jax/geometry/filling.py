"""Few shapes for few points: absent examples are masked, and features of zeros change no inner product.

Outside of jit a program would be compiled anew for every number of examples and features, which takes longer than the
geometry of a thousand points.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from memorize_jax.geometry.grams import Mask
from memorize_jax.geometry.points import is_concrete

# Of more points the filling would cost more than compilation.
MOST_POINTS = 2048
# Sizes between two powers of two.
STEPS = 4


class Filled(NamedTuple):
    """Layers of one shape or few."""

    points: list[Float[np.ndarray, "P M _"]]
    mask: Float[np.ndarray, "P M"]


def is_small(mask: Mask) -> bool:
    """Whether points are few enough to be filled up."""
    return mask.size <= MOST_POINTS


def alone_on_processor(*arguments: Any) -> bool:
    """Whether arguments are measured by themselves, on a processor, and not as part of another program."""
    # Inside of another one even a constant is traced.
    alone = all(map(is_concrete, jax.tree.leaves((arguments, jnp.zeros(())))))
    return alone and jax.default_backend() == "cpu"


def rounded_up(size: int) -> int:
    """The next of the sizes 1 to 8, 10, 12, 14, 16, 20, 24, ...: four for every doubling."""
    step = max(1, 2 ** (size - 1).bit_length() // (2 * STEPS))
    return -(-size // step) * step


def fill_up(layers: Sequence[Float[Array | np.ndarray, "P M _"]], mask: Mask) -> Filled:
    """Fills examples and features up to `rounded_up`."""
    more = rounded_up(mask.shape[1]) - mask.shape[1]
    filled = []
    for points in map(np.asarray, layers):
        num_features = points.shape[2]
        # So that there are not more features than examples where there were not.
        enough = num_features >= mask.shape[1] + more
        wider = (rounded_up(num_features) if enough else num_features) - num_features
        filled.append(np.pad(points, ((0, 0), (0, more), (0, wider))))
    return Filled(filled, np.pad(np.asarray(mask), ((0, 0), (0, more))))
